"""Changing one member of a JSON object and leaving every other byte as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def members(text: str, start: int = 0) -> Iterator[tuple[str, int, int]]:
    """Each member of the object at `start`: its name, and where its value begins and ends."""
    at = _skip(text, _skip(text, start) + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        begin = _skip(text, _skip(text, at) + 1)
        _, end = _DECODER.raw_decode(text, begin)
        yield name, begin, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def replace(body: bytes, name: str, value: Any) -> bytes:
    """The object with the value of one member replaced; unchanged when it has no such member."""
    text = body.decode("utf-8", "surrogateescape")
    for found, begin, end in members(text):
        if found == name:
            return (text[:begin] + json.dumps(value) + text[end:]).encode("utf-8", "surrogateescape")
    return body


def add(body: bytes, name: str, value: Any) -> bytes:
    """A non-empty object with one member more, in front."""
    head, brace, tail = body.partition(b"{")
    return b"".join([head, brace, json.dumps(name).encode(), b":", json.dumps(value).encode(), b",", tail])


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


def put_model(text: str, start: int, model: str) -> str:
    """The text with the `model` of the object at `start` replaced, or of the `response` or `message` in it."""
    for name, begin, end in members(text, start):
        if name == "model":
            return text[:begin] + json.dumps(model) + text[end:]
        if name in {"response", "message"} and text[begin] == "{":
            return put_model(text, begin, model)
    return text
