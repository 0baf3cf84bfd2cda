"""What a request cost, read from wherever the reply says it; the client's own words never count."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_HOLDERS = ("response", "message")  # Responses events, and Anthropic's message_start, wrap the object that has usage
_PROMPT = ("prompt_tokens", "input_tokens")
_COMPLETION = ("completion_tokens", "output_tokens")


@dataclass(slots=True)
class Ledger:
    """The last usage seen: engines send running totals, so the last one is the bill."""

    prompt: int = 0
    completion: int = 0
    total: int | None = None
    known: bool = False

    def note(self, payload: Any) -> None:
        for usage in usages(payload):
            self.prompt = _first(usage, _PROMPT, self.prompt)
            self.completion = _first(usage, _COMPLETION, self.completion)
            self.total = _first(usage, ("total_tokens",), None)
            self.known = True

    @property
    def tokens(self) -> int:
        return self.total if self.total is not None else self.prompt + self.completion


def usages(payload: Any) -> Iterator[Mapping[str, Any]]:
    """Each non-empty usage object at a place where the APIs put one; never inside generated text."""
    if not isinstance(payload, dict):
        return
    for holder in (payload, *(payload.get(name) for name in _HOLDERS)):
        if isinstance(holder, dict) and isinstance(usage := holder.get("usage"), dict) and usage:
            yield usage


def parsed(body: bytes) -> Any:
    """The JSON value of a body, None when it is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _first(usage: Mapping[str, Any], names: tuple[str, ...], default: Any) -> Any:
    found = (usage.get(name) for name in names)
    return next((value for value in found if isinstance(value, int) and not isinstance(value, bool)), default)
