"""TENANT: what passes from one tenant to another."""

from __future__ import annotations

from gateproof.stack.faults import Fault

FAULTS = (
    Fault(
        "connections_mixed_up",
        where="gateway",
        breaks=("TENANT-001",),
        stands_for="a pooled connection used again with somebody else's reply still in it",
        link="https://github.com/redis/redis-py/issues/2624",
    ),
    Fault(
        "cache_shared_across_tenants",
        where="gateway",
        breaks=("TENANT-002",),
        stands_for="an HTTP cache whose key has no tenant in it, filled by whoever says `Cache-Control: public`",
        link="https://github.com/sofatutor/llm-proxy/blob/4ad75cc/internal/proxy/cache_helpers.go",
    ),
    Fault(
        "prefix_cache_tells",
        where="engine",
        breaks=("TENANT-003",),
        stands_for="a prefix cache without a salt by tenant: what somebody has asked before comes sooner",
        link="https://github.com/vllm-project/vllm/issues/16016",
    ),
    Fault(
        "tenant_header_believed",
        where="gateway",
        breaks=("TENANT-004",),
        stands_for="a header that names the tenant, meant for services behind the gateway, believed from outside",
    ),
    Fault(
        "claimed_caller_told",
        where="gateway",
        breaks=("TENANT-004",),
        stands_for="the caller's name for the engines set only where the client has not written one himself",
        shows="x-consumer-username",
    ),
    Fault(
        "x_api_key_forwarded",
        where="gateway",
        breaks=("TENANT-005",),
        stands_for="only Authorization taken out of what goes upstream",
        shows="x-api-key",
    ),
    Fault(
        "upstream_key_told",
        where="gateway",
        breaks=("TENANT-005",),
        stands_for="an error that quotes the request to the model server, its key among it",
        link="https://github.com/BerriAI/litellm/issues/15799",
    ),
    Fault(
        "stored_responses_open_to_all",
        where="gateway",
        breaks=("TENANT-007",),
        stands_for="an object found by its id alone, whoever asks (OWASP API1: broken object level authorization)",
        link="https://owasp.org/API-Security/editions/2023/en/0xa1-broken-object-level-authorization/",
        shows="'fetch': 200",
    ),
)
