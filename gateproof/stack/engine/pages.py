"""The small GET pages and helpers of a model server: health, version, models, metrics, tokenize."""

from __future__ import annotations

import time
from typing import Any

from gateproof.stack.engine import tokens, validate
from gateproof.stack.engine.ledger import Ledger
from gateproof.stack.engine.wire import Call, unknown_model

VERSION = "gateproof-engine"
MODELS = ("chat-a", "chat-b", "embed-a", "rerank-a", "tts-a", "asr-a")
STARTED = int(time.time())


def card(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": STARTED,
        "owned_by": "gateproof",
        "max_model_len": validate.CONTEXT,
    }


async def models(call: Call) -> None:
    await call.json(200, {"object": "list", "data": [card(name) for name in sorted(call.ledger.models or MODELS)]})


async def one_model(call: Call, name: str) -> None:
    if name not in (call.ledger.models or MODELS):
        raise unknown_model(name)
    await call.json(200, card(name))


async def tokenize(call: Call, body: dict[str, Any]) -> None:
    text = body.get("prompt")
    count = validate.prompt_tokens(validate.required(body, "messages")) if text is None else tokens.count(str(text))
    await call.json(
        200, {"count": count, "max_model_len": validate.CONTEXT, "tokens": list(range(count)), "token_strs": None}
    )


def metrics(ledger: Ledger) -> str:
    """Prometheus text with vLLM's names."""
    labels = f'model_name="chat-{ledger.name}",engine="0"'
    rows: list[tuple[str, str, float]] = [
        ("vllm:num_requests_running", "gauge", ledger.running),
        ("vllm:num_requests_waiting", "gauge", 0),
        ("vllm:kv_cache_usage_perc", "gauge", 0.0),
        ("vllm:prompt_tokens_total", "counter", ledger.tokens_in),
        ("vllm:generation_tokens_total", "counter", ledger.tokens_out),
        ("vllm:request_success_total", "counter", ledger.requests - ledger.running - ledger.cancelled),
    ]
    plain = [f"# TYPE {name} {kind}\n{name}{{{labels}}} {value}" for name, kind, value in rows]
    return "\n".join([*plain, *ledger.timings.lines(labels)]) + "\n"
