"""Cutting a byte stream at the ends of events, and nowhere else. The bytes themselves are never changed.

Passing only whole events delays nothing that a client could use, never splits a character,
and leaves room between events for our own comment or error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# Atomic groups, so that one CRLF is never read as CR and LF.
_BLANK = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_DATA = re.compile(rb"^data:[ ]?(.*?)$", re.MULTILINE)
_OVERLAP = 3  # bytes of an event end that may have come before: CR LF CR


class Splitter:
    """Feed bytes, get whole events."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self.eol = b"\n"

    def take(self, data: bytes) -> bytes:
        """All events that are complete by now, as one run of bytes."""
        pending = self._pending
        if not pending and data.endswith((b"\n\n", b"\r\n\r\n")):
            whole = data
        else:
            start = max(0, len(pending) - _OVERLAP)
            pending += data
            end = _last_end(pending, start)
            if end <= 0:
                return b""
            whole = bytes(pending[:end])
            del pending[:end]
        self.eol = b"\n" if whole.endswith(b"\n\n") else _eol(whole)
        return whole

    def rest(self) -> bytes:
        """What came after the last event end."""
        rest = bytes(self._pending)
        self._pending.clear()
        return rest


def _last_end(buffer: bytearray, start: int) -> int:
    if b"\r" not in buffer:
        return buffer.rfind(b"\n\n", start) + 2 if b"\n\n" in buffer[start:] else -1
    ends = [match.end() for match in _BLANK.finditer(buffer, start)]
    if ends and ends[-1] == len(buffer) and buffer.endswith(b"\n\r"):
        ends.pop()  # the LF of this CR is still on its way
    return ends[-1] if ends else -1


def _eol(whole: bytes) -> bytes:
    return b"\r\n" if whole.endswith(b"\r\n") else b"\r" if whole.endswith(b"\r") else b"\n"


def split(whole: bytes) -> Iterator[bytes]:
    """The single events of a run."""
    start = 0
    for match in _BLANK.finditer(whole):
        yield whole[start : match.end()]
        start = match.end()
    if start < len(whole):
        yield whole[start:]


def payload(event: bytes) -> Any:
    """The parsed JSON of an event's data; None for a comment, `[DONE]`, or no JSON."""
    lines = _DATA.findall(event.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    if not lines or lines == [b"[DONE]"]:
        return None
    try:
        return json.loads(b"\n".join(lines))
    except (ValueError, RecursionError):
        return None


def comment(text: bytes, eol: bytes) -> bytes:
    return b": " + text + eol + eol


def event(data: bytes, eol: bytes, name: bytes | None = None) -> bytes:
    head = b"event: " + name + eol if name else b""
    return head + b"data: " + data + eol + eol
