"""Prompts that somebody wrote: JSON lines, each with ``messages`` or ``prompt``, and perhaps ``output_tokens``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateproof.errors import ConfigError, near_miss

KEYS = ("messages", "prompt", "output_tokens")
ACCEPTED = '{"prompt": TEXT} or {"messages": [{"role": ROLE, "content": TEXT}]}, and "output_tokens": NUMBER if wanted'
TEMPLATE_TOKENS = 16  # that a chat template may add to one message; the usual ones add 3 to 8


class Unusable(Exception):
    """What is wrong with a line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. A ``prompt`` is one message of a user; ``output_tokens`` None leaves the length to the profile."""

    messages: tuple[Mapping[str, Any], ...]
    output_tokens: int | None = None

    @property
    def text(self) -> str:
        """For an API that takes no messages."""
        return "\n".join(str(message["content"]) for message in self.messages)

    @property
    def most_tokens(self) -> int:
        """An upper bound: a token of a byte-level vocabulary is a byte or more."""
        return len(self.text.encode()) + TEMPLATE_TOKENS * len(self.messages)


def read_dataset(path: Path) -> list[Entry]:
    """Every line, in the order of the file; a line that cannot be used is a ConfigError with its number."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # U+2028 may stand inside a string
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"the data set cannot be read: {reason}", file=path) from None
    entries = [_entry(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not entries:
        raise ConfigError("the data set is empty", file=path)
    return entries


def _entry(path: Path, number: int, line: str) -> Entry:
    try:
        return _checked(json.loads(line))
    except (json.JSONDecodeError, Unusable) as error:
        raise ConfigError(f"not a prompt: {error}", file=path, line=number, accepted=ACCEPTED) from None


def _checked(row: Any) -> Entry:
    if not isinstance(row, dict):
        raise Unusable(f"expected an object, found {type(row).__name__}")
    for key in row:
        if key not in KEYS:
            raise Unusable(f"unknown key `{key}`{near_miss(key, KEYS)}")
    if ("messages" in row) == ("prompt" in row):
        raise Unusable("exactly one of `messages` and `prompt` is needed")
    return Entry(tuple(_messages(row)), _output(row.get("output_tokens")))


def _messages(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages = [{"role": "user", "content": row["prompt"]}] if "prompt" in row else row["messages"]
    if not isinstance(messages, list) or not messages:
        raise Unusable("`messages` has no message")
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise Unusable("a message has no `role`")
        if not isinstance(message.get("content"), str) or not message["content"]:
            raise Unusable("a message has no text")
    return messages


def _output(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Unusable(f"`output_tokens` is {value!r}")
    return value
