"""Reading a request body: bounded, strict UTF-8, strict JSON, no key twice."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateproof.stack.faults import worn
from gateproof.stack.gateway.errors import ClientGone, Refusal
from gateproof.stack.gateway.headers import RequestHeaders, media_type

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def read_body(receive: Receive, headers: RequestHeaders, limit: int) -> bytes:
    """The whole body; 413 as soon as it is known to be too large."""
    check_encoding(headers)
    declared = headers.get(b"content-length")
    if declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise too_large(limit)
        if not message.get("more_body", False):
            return b"".join(parts) if len(parts) > 1 else parts[0]


def check_encoding(headers: RequestHeaders) -> None:
    """No request compression: nothing to inflate, so no bomb."""
    coding = headers.get(b"content-encoding", b"identity").strip().lower()
    if coding not in {b"", b"identity"}:
        raise Refusal(
            415,
            "Compressed request bodies are not accepted.",
            code="unsupported_content_encoding",
            headers=[(b"accept-encoding", b"identity")],
        )


def too_large(limit: int) -> Refusal:
    return Refusal(413, f"The request body is larger than {limit} bytes.", code="request_too_large")


def check_json_type(headers: RequestHeaders) -> None:
    """RFC 9110 §15.5.16. A missing field is taken as JSON; anything else than JSON is refused."""
    values = headers.all(b"content-type")
    other = any(media_type(value) not in {b"application/json", b""} for value in values)
    if other and not worn("content_type_ignored"):
        raise Refusal(415, "The content type must be application/json.", code="unsupported_media_type")


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object of the body, or 400."""
    try:
        text = body.decode("utf-8")
        parsed = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        status = 422 if worn("malformed_json_is_422") else 400
        raise malformed("We could not parse the JSON body of your request.", status) from None
    if isinstance(parsed, list) and worn("array_body_crashes"):
        raise Refusal(500, "list indices must be integers, not str", code="internal_error")
    if not isinstance(parsed, dict):
        raise malformed("The JSON body of your request is not an object.")
    return parsed


def malformed(message: str, status: int = 400) -> Refusal:
    return Refusal(status, message, code="invalid_json")


def _no_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 8259 §4: what a repeated name means is unpredictable, so no engine shall have to predict it."""
    made = dict(pairs)
    if len(made) != len(pairs) and "model" in made and sum(name == "model" for name, _ in pairs) > 1:
        if worn("first_of_two_models_routes"):
            return made | {"model": next(value for name, value in pairs if name == "model")}
        raise Refusal(400, "The field `model` is given more than once.", code="duplicate_field", param="model")
    return made
