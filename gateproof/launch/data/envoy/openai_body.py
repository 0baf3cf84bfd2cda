"""What the AI Gateway reads of a request's body: its model, if Go can decode the rest (internal/apischema/openai).

Pure. Runs in Envoy's environment, imports nothing of ours.
"""

from __future__ import annotations

import json
from typing import Any

_NUMBER = (int, float)
# The Go types of the fields that the gateway decodes: another JSON type than that fails the whole body.
_TYPES: dict[str, type | tuple[type, ...]] = {
    "model": str,
    "messages": list,
    "stream": bool,
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
    "user": str,
}
# Of the APIs that are not chat, whose own types differ: only these are the same everywhere.
_EVERYWHERE = ("model", "stream", "user")


class Malformed(Exception):
    """The gateway cannot decode it."""


def model_of(content: bytes, *, chat: bool) -> str:
    """The model; empty when there is none, as Go's zero value is."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from None
    if body is None:
        return ""
    if not isinstance(body, dict):
        raise Malformed(f"cannot unmarshal {type(body).__name__} into a request")
    for name in _TYPES if chat else _EVERYWHERE:
        _check(name, body.get(name))
    if chat and not all(isinstance(each, dict) for each in body.get("messages") or ()):
        raise Malformed("cannot unmarshal a message")
    return body.get("model") or ""


def _check(name: str, value: Any) -> None:
    wanted = _TYPES[name]
    if value is None:  # null leaves the zero value
        return
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise Malformed(f"cannot unmarshal {type(value).__name__} into field {name}")
