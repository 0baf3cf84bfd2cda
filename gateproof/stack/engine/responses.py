"""POST /v1/responses, unary and as its sequence of events, and the responses that are stored."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any

from gateproof.stack.engine import reply, tokens, validate
from gateproof.stack.engine.obey import answer, obey
from gateproof.stack.engine.reply import Choice
from gateproof.stack.engine.script import parse, text_of
from gateproof.stack.engine.streaming import Item, send
from gateproof.stack.engine.wire import Call, Refused

STORED = "/v1/responses/"
STORED_METHODS = {"": ("GET", "DELETE"), "input_items": ("GET",)}  # by what follows the id


def input_text(given: Any) -> str:
    if isinstance(given, str):
        return given
    for item in reversed(given if isinstance(given, list) else []):
        if isinstance(item, dict) and item.get("role") == "user":
            return text_of(item.get("content"))
    return ""


async def responses(call: Call, body: dict[str, Any]) -> None:
    text = input_text(body.get("input"))
    script = parse(text, call.ledger.name)
    seen = call.note(body, script.nonce)
    validate.model_of(body)
    if not isinstance(validate.required(body, "input"), str | list):
        raise validate.refuse("input", "neither text nor items")
    validate.check_number(body, "max_output_tokens", 1, float("inf"), whole=True)
    check_previous(call, body.get("previous_response_id"))
    made = reply.choice(script, {"max_tokens": body.get("max_output_tokens")}, 0, None)
    count = tokens.count(text) + tokens.PER_MESSAGE
    seen.usage = {"prompt_tokens": count, "completion_tokens": made.tokens, "total_tokens": count + made.tokens}
    if await obey(call, script):
        return
    base = base_of(body)
    if base["store"]:
        call.ledger.stored.keep(finished(base, made, seen.usage), body["input"])
    if body.get("stream"):
        await send(call, script, events(base, made, seen.usage), done=False)
    else:
        await answer(call, script, finished(base, made, seen.usage))


def check_previous(call: Call, previous: Any) -> None:
    """A conversation goes on only where it began."""
    if previous is not None and call.ledger.stored.get(previous) is None:
        message = f"Previous response with id '{previous}' not found."
        raise Refused(400, message, code="previous_response_not_found", param="previous_response_id")


async def stored(call: Call) -> None:
    """GET and DELETE of a stored response, and GET of what it answers."""
    identifier, _, part = call.path.removeprefix(STORED).partition("/")
    stay = call.ledger.stored.get(identifier)
    if part not in STORED_METHODS or stay is None:
        raise Refused(404, f"Response with id '{identifier}' not found.", code="response_not_found")
    if call.method not in STORED_METHODS[part]:
        raise Refused(405, f"{call.method} is not allowed here.")
    if call.method == "DELETE":
        call.ledger.stored.delete(identifier)
        await call.json(200, {"id": identifier, "object": "response", "deleted": True})
    elif part:
        await call.json(200, {"object": "list", "data": stay.items, "has_more": False})
    else:
        await call.json(200, stay.response)


def base_of(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"resp_{secrets.token_hex(12)}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "model": body["model"],
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "store": body.get("store") is not False,
        "temperature": body.get("temperature", 1.0),
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "usage": None,
    }


def message(identifier: str, text: str, status: str) -> dict[str, Any]:
    content = [part(text)] if status == "completed" else []
    return {"type": "message", "id": identifier, "role": "assistant", "status": status, "content": content}


def part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def finished(base: dict[str, Any], made: Choice, usage: dict[str, int], identifier: str = "msg_0") -> dict[str, Any]:
    cut = made.finish_reason == "length"
    return {
        **base,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": [message(identifier, made.text, "completed")],
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage["total_tokens"],
        },
    }


def events(base: dict[str, Any], made: Choice, usage: dict[str, int]) -> Iterator[Item]:
    where = {"item_id": "msg_0", "output_index": 0, "content_index": 0}
    last = finished(base, made, usage)
    plain: list[tuple[str, dict[str, Any], bool]] = [
        ("response.created", {"response": base}, False),
        ("response.in_progress", {"response": base}, False),
        ("response.output_item.added", {"output_index": 0, "item": message("msg_0", "", "in_progress")}, False),
        ("response.content_part.added", {**where, "part": part("")}, False),
        *(("response.output_text.delta", {**where, "delta": piece}, True) for piece in made.pieces),
        ("response.output_text.done", {**where, "text": made.text}, False),
        ("response.content_part.done", {**where, "part": part(made.text)}, False),
        ("response.output_item.done", {"output_index": 0, "item": message("msg_0", made.text, "completed")}, False),
        (f"response.{last['status']}", {"response": last}, False),
    ]
    for number, (kind, data, content) in enumerate(plain):
        yield Item({"type": kind, "sequence_number": number, **data}, content=content, name=kind)
