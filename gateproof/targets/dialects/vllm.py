"""vLLM's own server, the model server behind most of the gateways."""

from __future__ import annotations

from gateproof.targets.dialects.base import Dialect, Envelope, RetryAfter

VLLM = Dialect(
    name="vllm",
    title="vLLM",
    live="/health",
    ready="/health",
    metrics=("/metrics",),
    metric_names={
        "requests": "vllm:request_success_total",
        "running": "vllm:num_requests_running",
        "waiting": "vllm:num_requests_waiting",
        "kv_cache": "vllm:kv_cache_usage_perc",
        "prefix_hits": "vllm:prefix_cache_hits_total",
        "prefix_queries": "vllm:prefix_cache_queries_total",
        "preemptions": "vllm:num_preemptions_total",
        "tokens_in": "vllm:prompt_tokens_total",
        "tokens_out": "vllm:generation_tokens_total",
        "ttft": "vllm:time_to_first_token_seconds",
        "gap": "vllm:inter_token_latency_seconds",
        "tpot": "vllm:request_time_per_output_token_seconds",
        "latency": "vllm:e2e_request_latency_seconds",
        "queue": "vllm:request_queue_time_seconds",
    },
    envelope=Envelope.OPENAI_INT_CODE,
    retry_after=RetryAfter.NEVER,
    request_id="x-request-id",
    capabilities=frozenset(
        {
            "api.models",
            "auth.bearer",
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
        'a wrong key gets 401 {"error": "Unauthorized"}: `error` is a string, and there is no WWW-Authenticate',
        "with a key set, /health, /metrics, /version, /tokenize and /rerank stay open; only /v1, /v2 and some more ask",
        "`code` is the status as an integer",
        "x-request-id is answered only with --enable-request-id-headers",
        "tools with tool_choice auto need --enable-auto-tool-choice: declare f.tools where it is set",
        "/health tells that the engine process lives, not that a token can be made",
        "no limits of its own: overload queues, or is 503 with --max-num-queued-reqs",
    ),
)
