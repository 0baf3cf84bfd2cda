"""RATE: ways around a limit, and limits that others draw on."""

from __future__ import annotations

from gateproof.stack.faults import Fault

FAULTS = (
    Fault(
        "limiter_reads_the_overridden_method",
        where="gateway",
        breaks=("RATE-021",),
        stands_for="a limit whose predicate is the method POST, asked after a filter that lets a header override it",
        link="https://github.com/Kuadrant/kuadrant-operator/issues/1674",
        shows="X-HTTP-Method-Override: GET",
    ),
    Fault(
        "limiter_compares_whole_urls",
        where="gateway",
        breaks=("RATE-022",),
        stands_for="a limit on the exact path, matched against a path that still has its query",
        shows="nothing was left: query",
    ),
    Fault(
        "limiter_compares_raw_paths",
        where="gateway",
        breaks=("RATE-022",),
        stands_for="a limit matched before the router folds slashes, RFC 3986 §6 notwithstanding",
        link="https://github.com/envoyproxy/envoy/security/advisories/GHSA-xcx5-93pw-jw2w",
        shows="doubled slash",
    ),
    Fault(
        "limit_by_forwarded_address",
        where="gateway",
        breaks=("RATE-023",),
        stands_for="a limiter that tells clients apart by a header that they write themselves",
        shows="X-Forwarded-For",
    ),
    Fault(
        "limit_by_tenant_header",
        where="gateway",
        breaks=("RATE-023", "TENANT-004"),
        stands_for="a tenant header that is trusted although nobody in front of the gateway takes it out",
        shows="X-Tenant-Id",
    ),
    Fault(
        "limit_per_kept_connection",
        where="gateway",
        breaks=("RATE-024",),
        stands_for="a local rate limit that is kept per downstream connection",
        link="https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/local_rate_limit_filter",
        shows="admitted between",
    ),
    Fault(
        "limit_per_replica",
        where="gateway",
        breaks=("RATE-032",),
        stands_for="counters in the memory of each replica, so that the limit grows with the deployment",
        link="https://github.com/BerriAI/litellm/issues/40291",
        shows="admitted between",
    ),
    Fault(
        "each_key_has_its_own_limit",
        where="gateway",
        breaks=("RATE-020",),
        stands_for="a counter by key where the limit is the user's: who makes more keys gets more",
        shows="the other key: 5 of 5",
    ),
    Fault(
        "strangers_are_charged",
        where="gateway",
        breaks=("RATE-030",),
        stands_for="a counter raised before authentication, for whoever the address belongs to",
        shows="0 admitted, 8×429",
    ),
    Fault(
        "mistakes_are_counted",
        where="gateway",
        breaks=("RATE-031",),
        stands_for="a limiter in front of everything else, which counts calls that come to nothing",
        link="https://github.com/Kuadrant/kuadrant-operator/issues/1674",
        shows="0 of 5",
    ),
    Fault(
        "later_limits_are_forgotten",
        where="gateway",
        breaks=("RATE-029",),
        stands_for="of several limits on one counter only the first is asked",
        link="https://github.com/Kuadrant/limitador/issues/513",
        shows="[5, 4, 1]",
    ),
)
