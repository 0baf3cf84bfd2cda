"""What Envoy AI Gateway reads of a request's body: its model, if Go can decode the rest (internal/apischema/openai)."""

from __future__ import annotations

import json
from typing import Any

_NUMBER = (int, float)
# The Go types of the fields that are decoded: another JSON type than that fails the whole body.
_TYPES: dict[str, type | tuple[type, ...]] = {
    "model": str,
    "stream": bool,
    "user": str,
}
_CHAT_TYPES: dict[str, type | tuple[type, ...]] = _TYPES | {
    "messages": list,
    "stream_options": dict,
    "temperature": _NUMBER,
    "top_p": _NUMBER,
    "presence_penalty": _NUMBER,
    "frequency_penalty": _NUMBER,
    "n": int,
    "seed": int,
    "max_tokens": int,
    "max_completion_tokens": int,
    "logprobs": bool,
    "top_logprobs": int,
    "tools": list,
}


class Malformed(Exception):
    """It cannot be decoded."""


def model_in(body: bytes, *, chat: bool) -> str:
    """The model; empty where there is none, as Go's zero value is."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed from None
    if value is None:
        return ""
    if not isinstance(value, dict):
        raise Malformed
    decode(value, _CHAT_TYPES if chat else _TYPES)
    if chat and not all(isinstance(each, dict) for each in value.get("messages") or ()):
        raise Malformed
    return value.get("model") or ""


def decode(value: dict[str, Any], types: dict[str, type | tuple[type, ...]]) -> None:
    """null leaves the zero value."""
    for name, wanted in types.items():
        given = value.get(name)
        if given is None:
            continue
        if not isinstance(given, wanted) or (isinstance(given, bool) and wanted is not bool):
            raise Malformed
