"""sofatutor/llm-proxy: a transparent proxy with tokens that have a lifetime number of requests."""

from __future__ import annotations

from gateproof.targets.dialects.base import Dialect, Envelope, RetryAfter

LLM_PROXY = Dialect(
    name="llm-proxy",
    title="llm-proxy",
    live="/live",
    ready="/ready",
    metrics=("/metrics/prometheus",),
    metric_names={"requests": "llm_proxy_requests_total", "failures": "llm_proxy_errors_total"},
    envelope=Envelope.FLAT_STRING,
    retry_after=RetryAfter.NEVER,
    request_id="x-request-id",
    private_headers=("x-proxy", "x-upstream-request-", "x-cache-debug"),
    mint="llm-proxy",
    capabilities=frozenset({"api.models", "auth.bearer", "auth.revocable", "f.stream", "quota.read"}),
    notes=(
        "only paths that start with an allowed one are served: not responses, rerank, speech, messages",
        "max_requests of a token is for its lifetime: there is no window, and a 429 never recovers",
        "405, 404 and refused parameters are answered before the token is looked at",
        "streams longer than 30 s are cut without an error (REQUEST_TIMEOUT)",
        "5 answers of 502, 503 or 504 in a row open the circuit for 30 s, for all tenants",
        "GET /v1/models uses up one request of the token",
        "an unlimited token may live on for 5 min after it was revoked (cache)",
        "/metrics is JSON; /metrics/prometheus is Prometheus and does not count streams or refusals",
        "/health, /ready and /live are static",
    ),
)
