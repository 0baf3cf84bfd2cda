"""An HTTP answer read piece by piece, parsed late: most pieces of a stream need no look until it has ended."""

from __future__ import annotations

from bisect import bisect_left

import httptools

END = b"\r\n\r\n"
PENDING = 256 * 1024  # bytes that may wait unparsed; more would make the end of a long stream slow
MAX_BODY = 32 * 1024 * 1024  # bytes of one answer that we keep; the wire of the conformance half has the same


class NotHttp(Exception):
    """What came is no HTTP answer."""


class TooLarge(Exception):
    """More than ``MAX_BODY``."""


class Answer:
    """Status, headers and body of one answer, and how much of the body each piece brought.

    ``marks[i]`` is the length of the body after piece ``i``: so an event that ends at an offset is known to have come
    with a certain piece, and with its stamp.
    """

    __slots__ = (
        "_fed",
        "_parser",
        "_pieces",
        "_streaming",
        "body",
        "complete",
        "headers",
        "marks",
        "reason",
        "reusable",
        "waits",
    )

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._fed = 0
        self.marks: list[int] = []
        self.headers: dict[bytes, bytes] = {}
        self.reason = ""
        self.body = 0
        self.complete = False
        self.reusable = False
        """The connection may serve another request."""
        self._streaming = False
        self.waits = 0
        """Bytes that may still wait unparsed: more than none in a chunked event stream, whose end shows in the last
        bytes of a piece."""

    def took(self, parts: list[bytes]) -> bool:
        """A new piece lies at the end of ``parts``: is the answer complete?"""
        last = parts[-1]
        if not last.endswith(END) and len(END) <= len(last) < self.waits:
            self.waits -= len(last)
            return False
        self.parse(parts)
        return self.complete

    def parse(self, parts: list[bytes]) -> None:
        """Parse all pieces that have waited so far."""
        feed, marks = self._parser.feed_data, self.marks
        try:
            for part in parts[self._fed :]:
                feed(part)
                marks.append(self.body)
        except httptools.HttpParserError as error:
            raise NotHttp(str(error)) from None
        self._fed = len(parts)
        self.waits = PENDING if self._streaming else 0
        if self.body > MAX_BODY:
            raise TooLarge

    def ended(self) -> bool:
        """The connection has ended: is that the end of the answer? Only where nothing else tells it (RFC 9112 §6.3)."""
        if self.status and b"content-length" not in self.headers and b"transfer-encoding" not in self.headers:
            self.complete = True
        return self.complete

    @property
    def status(self) -> int:
        try:
            return int(self._parser.get_status_code())
        except httptools.HttpParserError:
            return 0

    def content(self) -> bytes:
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0] if self._pieces else b""

    def part_of(self, offset: int) -> int:
        """The piece that brought the byte before ``offset`` of the body."""
        return bisect_left(self.marks, offset)

    def release(self) -> None:
        """Nothing more is asked of it: it and its parser hold each other, and would wait for the collector."""
        del self._parser

    # --- called by the parser ---

    def on_status(self, reason: bytes) -> None:
        self.reason = reason.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        kind = self.headers.get(b"content-type", b"")
        chunked = b"chunked" in self.headers.get(b"transfer-encoding", b"").lower()
        self._streaming = chunked and kind.lower().startswith(b"text/event-stream")

    def on_body(self, data: bytes) -> None:
        self._pieces.append(data)
        self.body += len(data)

    def on_message_complete(self) -> None:
        # an interim answer (100, 103) is not the answer
        if self.status >= 200:
            self.complete = True
            self.reusable = bool(self._parser.should_keep_alive())
