"""The human text inside an error body, whatever its shape. For reports: checks look at the shape itself."""

from __future__ import annotations

import json
from typing import Any

EXCERPT = 300
"""characters; as much of a plain-text body as a report line bears."""

_PLACES = ("message", "error", "detail", "description", "html-message", "title")


def message_of(body: bytes | str | object) -> str | None:
    """The message of an error body; None when there is none (an empty body, say)."""
    if isinstance(body, bytes | bytearray):
        body = bytes(body).decode("utf-8", "replace")
    if isinstance(body, str):
        try:
            return _short(_dig(json.loads(body)))
        except (ValueError, RecursionError):
            return _short(body)
    return _short(_dig(body))


def _dig(body: Any, depth: int = 0) -> str:
    """The first text under the usual names, nested ones first: ``error`` may be a text or an object."""
    nested_at_most = 5
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return next((text for text in (_dig(item, depth + 1) for item in body[:3]) if text), "")
    if not isinstance(body, dict) or depth > nested_at_most:
        return ""
    if isinstance(body.get("error"), dict) and (text := _dig(body["error"], depth + 1)):
        return text
    if isinstance(body.get("msg"), str):  # one item of a pydantic detail list
        return f"{'.'.join(str(part) for part in body.get('loc', ()))}: {body['msg']}"
    return next((text for text in (_dig(body.get(place), depth + 1) for place in _PLACES) if text), "")


def _short(text: str) -> str | None:
    text = " ".join(text.split())
    return (text if len(text) <= EXCERPT else text[: EXCERPT - 1] + "…") or None
