"""A strict reader of server-sent events (WHATWG HTML §9.2): bytes in, events out, every deviation named. Pure.

It reads what a browser would, and reports what a browser would silently forgive. The outcome depends on the bytes
alone, never on how they were cut into pieces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

# Largest event that is kept, in bytes: well over any token event, well under what would hurt us.
MAX_EVENT = 16 * 1024 * 1024
# Most lines that are read: a hundred times the longest stream that a requirement asks for (STREAM-031, 5,000 events).
MAX_LINES = 500_000

BOM = b"\xef\xbb\xbf"

ViolationKind = Literal["unknown_field", "unterminated", "utf8", "nul_in_id", "bad_retry", "too_long", "too_many"]

_LINE_END = re.compile(rb"[\r\n]")


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatched event. ``name`` and ``id`` are None when the event has no such field.

    ``raw`` is its lines with their endings, without the blank line that closed it; ``at`` is the arrival of that one.
    """

    index: int
    data: str
    name: str | None = None
    id: str | None = None
    retry: int | None = None
    at: float = 0.0
    raw: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment line: its text, its arrival, and how many events came before it."""

    text: str
    at: float
    after: int


@dataclass(frozen=True, slots=True)
class Violation:
    """A deviation from the format, at a byte offset of the stream."""

    kind: ViolationKind
    detail: str
    offset: int


@dataclass(slots=True)
class _Block:
    """The event under way."""

    offset: int
    data: list[str] = field(default_factory=list)
    name: str | None = None
    id: str | None = None
    retry: int | None = None
    raw: bytearray = field(default_factory=bytearray)
    fields: int = 0
    too_long: bool = False


class Reader:
    """Feed it bytes with their arrival time, close it at the end of the stream, then read what it found."""

    def __init__(self, *, max_event: int = MAX_EVENT) -> None:
        self.events: list[Event] = []
        self.comments: list[Comment] = []
        self.violations: list[Violation] = []
        self.bom = False
        self.endings: set[str] = set()
        self.rest = b""
        self._max_event = max_event
        self._line = bytearray()
        self._line_size = 0
        self._offset = 0
        self._block = _Block(0)
        self._after_cr = False
        self._closed = False
        self._lines = 0

    def feed(self, data: bytes, at: float = 0.0) -> list[Event]:
        """The events that these bytes complete."""
        before, position = len(self.events), 0
        if self._lines > MAX_LINES:
            return []
        if data and self._after_cr:
            position = self._end_of_cr(data)
        while match := _LINE_END.search(data, position):
            self._take(data[position : match.start()])
            position = match.end()
            if match.group() == b"\n":
                self.endings.add("\n")
                self._end_line(b"\n", at)
            else:
                self._end_line(b"\r", at)
                self._after_cr = True
                position = self._end_of_cr(data, position)
        self._take(data[position:])
        return self.events[before:]

    def close(self) -> None:
        """The stream is over: an event without its blank line is lost, as the standard says, and reported."""
        if self._closed:
            return
        self._closed = True
        if self._after_cr:
            self.endings.add("\r")
        if self._offset == self._line_size and self._line.startswith(BOM):
            self.bom = True
        if self._block.fields or self._line_size or self._block.too_long:
            self.rest = bytes(self._block.raw + self._line)
            size = self._offset - self._block.offset
            self._report("unterminated", f"the stream ends inside an event, {size} bytes are lost", self._block.offset)

    def _end_of_cr(self, data: bytes, position: int = 0) -> int:
        """A line feed right after a carriage return belongs to it, be it in this piece or in the next."""
        if position >= len(data):
            return position
        self._after_cr = False
        pair = data[position : position + 1] == b"\n"
        self.endings.add("\r\n" if pair else "\r")
        if not pair:
            return position
        self._offset += 1
        if self._block.raw:
            self._block.raw += b"\n"
        else:
            # The pair closed an event, or stood between two.
            self._block.offset = self._offset
        return position + 1

    def _take(self, part: bytes) -> None:
        """Part of a line; only as much is kept as the largest event may hold."""
        if not part:
            return
        self._offset += len(part)
        self._line_size += len(part)
        block = self._block
        if len(block.raw) + self._line_size > self._max_event and not block.too_long:
            block.too_long = True
            self._report("too_long", f"an event of more than {self._max_event} bytes", block.offset)
        if block.too_long:
            self._line.clear()
            block.raw.clear()
            block.data.clear()
        else:
            self._line += part

    def _end_line(self, ending: bytes, at: float) -> None:
        start, size = self._offset - self._line_size, self._line_size
        line = bytes(self._line)
        self._line.clear()
        self._line_size = 0
        self._offset += 1
        self._lines += 1
        if self._lines > MAX_LINES:
            if self._lines == MAX_LINES + 1:
                self._report("too_many", f"more than {MAX_LINES} lines, the rest is not read", start)
            return
        if start == 0 and line.startswith(BOM):
            self.bom, line, start, size = True, line[3:], 3, size - 3
        if size == 0:
            self._dispatch(at)
        elif not self._block.too_long:
            self._block.raw += line + ending
            self._read_line(line, start, at)

    def _read_line(self, line: bytes, start: int, at: float) -> None:
        text = self._text(line, start)
        if text.startswith(":"):
            self.comments.append(Comment(text[1:].removeprefix(" "), at, len(self.events)))
            return
        self._block.fields += 1
        name, _, value = text.partition(":")
        self._set(name, value.removeprefix(" "), start)

    def _text(self, line: bytes, start: int) -> str:
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            shown = line[error.start : error.end].hex(" ")
            self._report("utf8", f"{error.reason} ({shown})", start + error.start)
            return line.decode("utf-8", "replace")

    def _set(self, name: str, value: str, start: int) -> None:
        block = self._block
        if name == "data":
            block.data.append(value)
        elif name == "event":
            block.name = value
        elif name == "id":
            if "\0" in value:
                self._report("nul_in_id", "an id with NUL is ignored", start)
            else:
                block.id = value
        elif name == "retry":
            if value.isascii() and value.isdigit():
                block.retry = int(value[:18])
            else:
                self._report("bad_retry", f"not a number: {value[:40]!r}", start)
        else:
            self._report("unknown_field", f"{name[:40]!r}", start)

    def _dispatch(self, at: float) -> None:
        block, self._block = self._block, _Block(self._offset)
        if block.data and not block.too_long:
            data, raw = "\n".join(block.data), bytes(block.raw)
            self.events.append(Event(len(self.events), data, block.name, block.id, block.retry, at, raw))

    def _report(self, kind: ViolationKind, detail: str, offset: int) -> None:
        self.violations.append(Violation(kind, detail, offset))


def read(data: bytes, at: float = 0.0) -> Reader:
    """A whole stream at once."""
    reader = Reader()
    reader.feed(data, at)
    reader.close()
    return reader
