"""TokenVisor. Closed source: most of this is inferred from a relative of it, so targets may override much."""

from __future__ import annotations

from gateproof.targets.dialects.base import Dialect, Envelope, RetryAfter, openai_paths

TOKENVISOR = Dialect(
    name="tokenvisor",
    title="TokenVisor",
    prefix="/api/v1",
    paths=openai_paths("/api/v1"),
    required_headers=("x-project-id",),
    live="/api/health",
    ready="/api/health",
    metric_names={
        "requests": "model_request_total",
        "latency": "http.server.duration",
        "tokens": "llm_token_usage",
        "running": "http.server.active_requests",
    },
    envelope=Envelope.FLAT_STRING,
    statuses={
        "malformed JSON": (422,),
        "missing field": (422,),
        "context too long": (422,),
        "unknown model": (404, 501),
        "missing project": (401, 400, 403, 404),
        "credit used up": (403,),
        "all deployments on cooldown": (501,),
    },
    request_limit_headers=("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
    retry_after=RetryAfter.CONSTANT,
    request_id="x-request-id",
    capabilities=frozenset({"api.models", "auth.bearer", "f.stream"}),
    notes=(
        "every request needs X-PROJECT-ID beside the key; keys are made in the studio only",
        'GET models answers {"object": "models.info"}, not "list"',
        "GET /api/v1/models/ids is a bare array",
        "errors echo the request's headers; only Authorization is masked",
        "x-ratelimit-reset is an instant (epoch seconds), not a duration",
        "an upstream stream without content ends without [DONE]",
        "/api/health is static and serves liveness and readiness alike",
        "limits are unknown: declare those that the deployment states",
    ),
)
