"""How many tokens a prompt has, for reserving before the engine says what it really was.

Deliberately the engine's rule written again: an estimate that is the same as the bill makes `reserve` exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_TOKEN = re.compile(r"\s*\S{1,4}|\s+$")
PER_MESSAGE = 3  # tokens of framing that the engine adds per message
DEFAULT_COMPLETION = 16  # tokens held for a request that does not say how many it wants
GENERATING = ("chat", "completions", "responses", "messages")
_WANTED = ("max_completion_tokens", "max_tokens", "max_output_tokens")


def count(text: str) -> int:
    return sum(1 for _ in _TOKEN.finditer(text))


def prompt_tokens(request: Mapping[str, Any]) -> int:
    """Tokens of every text in the prompt, whatever the API calls it."""
    messages = request.get("messages")
    framing = PER_MESSAGE * len(messages) if isinstance(messages, list) else PER_MESSAGE
    keys = ("messages", "prompt", "input", "query", "documents", "system", "instructions")
    return framing + sum(count(text) for key in keys for text in texts(request.get(key)))


def completion_tokens(request: Mapping[str, Any], api: str) -> int:
    """The most that a request can generate: its own bound, times the number of choices."""
    if api not in GENERATING:
        return 0
    each = max((bound for key in _WANTED if (bound := _count(request.get(key)))), default=DEFAULT_COMPLETION)
    prompts = request.get("prompt")
    batch = len(prompts) if isinstance(prompts, list) and prompts and isinstance(prompts[0], str | list) else 1
    return each * batch * (_count(request.get("n")) or 1)


def estimate(request: Mapping[str, Any], api: str) -> int:
    return prompt_tokens(request) + completion_tokens(request, api)


def texts(value: Any) -> Iterator[str]:
    """All strings that are content: in lists, in `content`, in `text`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        yield from texts(value.get("content"))
        yield from texts(value.get("text"))


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
