"""One request and what came of it: a value that checks assert on and reports print. Nothing secret is ever printed."""

from __future__ import annotations

import functools
import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Any, NoReturn

import httpx

from gateproof.wire import evidence
from gateproof.wire.encoding import BadEncoding, Chunk, decode
from gateproof.wire.redact import Redactor
from gateproof.wire.watch import Failure

__all__ = ["Answer", "BadEncoding", "Chunk", "Exchange", "Failure", "NoAnswer", "NotJson", "NotText", "NotThere"]

# Bytes of a body that an assertion message shows.
EXCERPT = 200
# A hostile charset may name any codec of Python's; these are the ones of the web.
CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252", "utf-16"})

_CHARSET = re.compile(r""";\s*charset\s*=\s*"?([\w\-]+)""", re.IGNORECASE)


class NoAnswer(AssertionError):
    """The target did not answer; the message tells how."""


class NotText(AssertionError):
    """The body is not text in the charset it claims."""


class NotJson(AssertionError):
    """The body is not JSON (RFC 8259)."""


class NotThere(AssertionError):
    """The JSON has not what was looked for where it was looked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status line and headers of the response."""

    status: int
    headers: httpx.Headers = field(repr=False)
    reason: str = ""
    http_version: str = "HTTP/1.1"


@dataclass(eq=False, repr=False)
class Exchange:
    """What was sent, when, and what came back. Instants are monotonic seconds, or None when never reached.

    ``sent_headers`` are masked at birth. The answer's headers and body stay true, for assertions; everything that
    prints them goes through the redactor.
    """

    method: str
    url: str
    path: str
    sent_headers: httpx.Headers = field(default_factory=httpx.Headers)
    sent_body: bytes = b""
    started: float = 0.0
    sent: float | None = None
    first_byte: float | None = None
    head: float | None = None
    ended: float | None = None
    wall: float = 0.0
    answer: Answer | None = None
    chunks: list[Chunk] = field(default_factory=list)
    failure: Failure | None = None
    redactor: Redactor = field(default_factory=Redactor)
    curl_options: tuple[str, ...] = ()
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])

    def __repr__(self) -> str:
        return evidence.summary(self)

    @property
    def complete(self) -> bool:
        """Whether the answer came whole: not cut, not stalled, not hung up on."""
        return self.answer is not None and self.failure is None

    @property
    def hung_up(self) -> bool:
        """Whether we closed the connection ourselves, as told."""
        return self.failure is not None and self.failure.kind == "hung_up"

    @property
    def duration(self) -> float | None:
        """Seconds from start to end."""
        return None if self.ended is None else self.ended - self.started

    @property
    def status(self) -> int:
        return self._answered.status

    @property
    def reason(self) -> str:
        return self._answered.reason

    @property
    def headers(self) -> httpx.Headers:
        return self._answered.headers

    @property
    def content_type(self) -> str:
        """Media type in lower case without parameters; empty when there is none."""
        value: str = self.headers.get("content-type", "")
        return value.partition(";")[0].strip().lower()

    @property
    def body(self) -> bytes:
        """The body as it came over the wire, content coding included; of a cut answer, as much as came."""
        return self._body if self._answered else b""

    @functools.cached_property
    def _body(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks)

    @property
    def decoded_chunks(self) -> list[Chunk]:
        """The chunks without content coding."""
        return decode(self.chunks, ", ".join(self.headers.get_list("content-encoding")))

    @property
    def decoded(self) -> bytes:
        """The body without content coding."""
        if "content-encoding" not in self.headers:
            return self.body
        return b"".join(chunk.data for chunk in self.decoded_chunks)

    @property
    def text(self) -> str:
        """The body as text: UTF-8 unless the content type names another charset, and strictly that."""
        named = _CHARSET.search(self.headers.get("content-type", ""))
        charset = named.group(1).lower() if named else "utf-8"
        if charset not in CHARSETS:
            raise NotText(f"{self!r}: charset {charset!r} is not known")
        try:
            return self.decoded.decode(charset)
        except UnicodeDecodeError as error:
            raise NotText(f"{self!r}: byte {error.start} is not {charset} ({error.reason})") from None

    def json(self) -> Any:
        """The body as JSON, strictly: UTF-8, and neither NaN nor Infinity."""
        data = self.decoded
        try:
            return json.loads(data.decode("utf-8"), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            shown = self.redactor.text(data[:EXCERPT].decode("utf-8", "replace"))
            more = f" and {len(data) - EXCERPT} bytes more" if len(data) > EXCERPT else ""
            raise NotJson(f"{self!r}: not JSON ({self.redactor.text(str(error))}): {shown!r}{more}") from None

    def at(self, *path: str | int) -> Any:
        """What stands at a path of the JSON body, as ``at("choices", 0, "message")``; raises NotThere if nothing does.

        Indexing the JSON itself would raise TypeError or KeyError, which reads as a defect of the check.
        """
        found = self.json()
        for depth, step in enumerate(path):
            try:
                found = found[step]
            except (LookupError, TypeError):
                where = ".".join(map(str, path[: depth + 1]))
                shown = self.redactor.text(repr(found)[: EXCERPT + self.redactor.longest])[:EXCERPT]
                raise NotThere(f"{self!r}: no {where}, but {shown}") from None
        return found

    def evidence(self) -> str:
        """The exchange as readable HTTP, bounded and redacted."""
        return evidence.transcript(self)

    def curl(self, key_variable: str = "$KEY") -> str:
        """A command line that repeats the request, with the key as a shell variable."""
        return evidence.curl(self, key_variable)

    @property
    def _answered(self) -> Answer:
        if self.answer is None:
            raise NoAnswer(f"no answer to {self.method} {self.redactor.text(self.path)}: {self._told}")
        return self.answer

    @property
    def _told(self) -> str:
        return "not finished" if self.failure is None else self.redactor.text(str(self.failure))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
