"""TokenLabs: Envoy AI Gateway with Kuadrant (Authorino, Limitador) and an endpoint picker, vLLM behind."""

from __future__ import annotations

from gateproof.targets.dialects.base import Dialect, Envelope, RetryAfter, openai_paths

TOKENLABS = Dialect(
    name="tokenlabs",
    title="TokenLabs (Envoy AI Gateway, Kuadrant)",
    paths=openai_paths(rerank="/cohere/v2/rerank", messages="/anthropic/v1/messages"),
    envelope=Envelope.MIXED,
    metric_names={
        "requests": "authorized_calls",
        "refusals": "limited_calls",
        "tokens": "authorized_hits",
        "latency": "gen_ai_server_request_duration",
        "ttft": "gen_ai_server_time_to_first_token",
        "gap": "gen_ai_server_time_per_output_token",
    },
    statuses={"malformed JSON": (500, 400), "unknown model": (404,), "host without a route": (404,)},
    request_limit_headers=("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
    retry_after=RetryAfter.NEVER,
    window=60.0,
    window_algorithm="fixed",
    window_aligned=False,
    quota_mode="after",
    request_id="x-request-id",
    private_headers=("x-ai-eg-", "x-envoy-", "x-gateway-destination-", "x-kuadrant-", "x-ext-auth-"),
    mint="kuadrant",
    capabilities=frozenset(
        {
            "api.models",
            "auth.bearer",
            "auth.revocable",
            "f.stream",
            "f.json_object",
            "f.json_schema",
            "f.logprobs",
            "f.n",
            "f.seed",
            "f.stop",
        }
    ),
    notes=(
        "without the right Host header Envoy answers 404 with an empty body: set `host` when `connect` is used",
        "no health path is routed",
        "four shapes of error: empty (Authorino), plain text (limits, routes), {type, error} (gateway), vLLM's",
        "the window starts at the first request of a user; two keys of one user share it",
        "x-ratelimit-* only when Limitador has rateLimitHeaders DRAFT_VERSION_03: declare lim.headers.rl03 then",
        "only POST is limited; only chat completions are metered in tokens",
        "tokens are counted from the event before [DONE]: a stream without usage is not counted",
        "Limitador down: unlimited; Authorino down: 500",
        "releases of Kuadrant since September 2026 reserve tokens: say `mode: reserve` in the target",
    ),
)
