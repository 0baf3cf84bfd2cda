"""POST /v1/messages: the Anthropic Messages API, unary and streamed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from gateproof.stack.engine import reply, validate
from gateproof.stack.engine.obey import answer, obey
from gateproof.stack.engine.reply import Choice
from gateproof.stack.engine.script import parse, text_of
from gateproof.stack.engine.streaming import Item, send
from gateproof.stack.engine.wire import Call

REASONS = {"stop": "end_turn", "length": "max_tokens"}


async def messages(call: Call, body: dict[str, Any]) -> None:
    listed = body.get("messages")
    texts = [m for m in listed if isinstance(m, dict)] if isinstance(listed, list) else []
    script = parse(text_of(texts[-1].get("content")) if texts else "", call.ledger.name)
    seen = call.note(body, script.nonce)
    validate.model_of(body)
    if not isinstance(validate.required(body, "messages"), list) or not listed:
        raise validate.refuse("messages", "at least one message is needed")
    validate.required(body, "max_tokens")
    validate.check_number(body, "max_tokens", 1, float("inf"), whole=True)
    prompt = validate.prompt_tokens(texts)
    made = reply.choice(script, {"max_tokens": body["max_tokens"], "stop": body.get("stop_sequences")}, 0, None)
    seen.usage = {"prompt_tokens": prompt, "completion_tokens": made.tokens, "total_tokens": prompt + made.tokens}
    if await obey(call, script):
        return
    base = {
        "id": f"msg_{secrets.token_hex(12)}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": prompt, "output_tokens": 0},
    }
    if body.get("stream"):
        await send(call, script, events(base, made), done=False)
        return
    whole = {"content": [{"type": "text", "text": made.text}], "stop_reason": REASONS[made.finish_reason]}
    await answer(call, script, {**base, **whole, "usage": {"input_tokens": prompt, "output_tokens": made.tokens}})


def events(base: dict[str, Any], made: Choice) -> Iterator[Item]:
    def item(kind: str, content: bool = False, **data: Any) -> Item:
        return Item({"type": kind, **data}, content=content, name=kind)

    yield item("message_start", message=base)
    yield item("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for piece in made.pieces:
        yield item("content_block_delta", content=True, index=0, delta={"type": "text_delta", "text": piece})
    yield item("content_block_stop", index=0)
    ending = {"stop_reason": REASONS[made.finish_reason], "stop_sequence": None}
    yield item("message_delta", delta=ending, usage={"output_tokens": made.tokens})
    yield item("message_stop")
