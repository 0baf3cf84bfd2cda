"""The three gateways called Portkey: the open one without keys, its successor, and the enterprise image."""

from __future__ import annotations

from dataclasses import replace

from gateproof.targets.dialects.base import Dialect, Envelope, RetryAfter

_FEATURES = frozenset(
    {
        "api.models",
        "f.stream",
        "f.tools",
        "f.json_object",
        "f.json_schema",
        "f.logprobs",
        "f.n",
        "f.seed",
        "f.stop",
        "route.identity",
    }
)

PORTKEY_OSS = Dialect(
    name="portkey-oss",
    title="Portkey gateway 1.x (open source)",
    # The key of a request belongs to the provider and goes upstream; the gateway asks for none.
    required_headers=("x-portkey-config",),
    live="/",
    envelope=Envelope.STATUS_MESSAGE,
    statuses={
        "malformed JSON": (500,),
        "upstream refused": (500,),
        "upstream timeout": (408,),
        "guardrail denies": (446,),
    },
    retry_after=RetryAfter.NEVER,
    request_id="x-portkey-trace-id",
    backend_header="x-portkey-last-used-option-index",
    private_headers=("x-portkey-",),
    capabilities=_FEATURES,
    notes=(
        "no authentication, no limits, no health path, no metrics",
        "x-portkey-config, or x-portkey-provider with x-portkey-custom-host, chooses the upstream of each request",
        "the gateway's own errors are {status, message}; the upstream's come with `openai error: ` and `provider`",
        "an upstream cut in mid-stream looks like a complete answer; a stalled one hangs",
        "25 ms sleep before the first event of a stream",
        "values out of range are clamped and unknown parameters dropped, silently",
        "x-portkey-trace-id is empty when the client sent none",
    ),
)

PORTKEY_2 = replace(
    PORTKEY_OSS,
    name="portkey-2",
    title="Portkey gateway 2.x",
    # A bearer token is taken as the gateway's key when x-portkey-api-key is not sent, and does not go upstream.
    key_headers=("x-portkey-api-key",),
    required_headers=(),
    live="/v1/health",
    ready="/v1/health",
    metrics=("/metrics",),
    metric_names={
        "requests": "request_count",
        "latency": "http_request_duration_seconds",
        "upstream_latency": "llm_request_duration_milliseconds",
        "overhead": "portkey_processing_time_excluding_last_byte_ms",
        "tokens": "llm_token_sum",
    },
    statuses={
        "model not allowed": (412,),
        "budget used up": (412,),
        "upstream refused": (500,),
        "upstream timeout": (408,),
        "guardrail denies": (446,),
    },
    window=60.0,
    window_algorithm="fixed",
    window_aligned=True,
    quota_mode="after",
    mint="portkey",
    capabilities=_FEATURES | {"auth.bearer", "auth.revocable"},
    notes=(
        "windows are fixed and aligned to the epoch: a limit per minute starts anew at every full minute UTC",
        "429 has neither Retry-After nor x-ratelimit-*",
        "GET /v1/health is static: it asks neither Redis nor an upstream",
        "key details are cached up to 7 days: revocation needs the control plane to invalidate them",
        "malformed JSON is taken as {} and sent on",
    ),
)

PORTKEY_ENTERPRISE = replace(
    PORTKEY_2,
    name="portkey-enterprise",
    title="Portkey enterprise gateway",
    notes=(
        *PORTKEY_2.notes,
        "inferred from 2.x: the enterprise image is closed, so differences are likely",
    ),
)
