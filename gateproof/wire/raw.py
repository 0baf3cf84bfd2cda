"""Bytes to a socket as they are, and the bytes that come back: for requests that no HTTP library would send."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import httpcore
import httpx

from gateproof.wire.evidence import excerpt, printable
from gateproof.wire.network import Stream, dial
from gateproof.wire.redact import Redactor
from gateproof.wire.tls import Tls
from gateproof.wire.watch import MIB, Failure, Limits, Watch

# After the expected answers, how long to see whether more comes or the connection is closed, in seconds.
LINGER = 0.2
MAX_REPLY = 4 * MIB
# Status codes of final responses; below are interim ones (RFC 9110 §15.2).
FINAL = range(200, 1000)
_READ_SIZE = 64 * 1024


@dataclass(frozen=True, slots=True)
class RawResponse:
    """One response that could be made out in the bytes."""

    status: int
    reason: str
    headers: httpx.Headers
    body: bytes
    complete: bool = True


@dataclass(frozen=True)
class RawReply:
    """All that came back on one connection. ``closed`` tells whether the other side ended it."""

    data: bytes
    closed: bool
    sent: bytes = field(default=b"", repr=False)
    failure: Failure | None = None
    elapsed: float = 0.0
    redactor: Redactor = field(default_factory=Redactor, repr=False)

    def __repr__(self) -> str:
        statuses = ", ".join(str(response.status) for response in self.responses) or "no HTTP response"
        return f"raw → {statuses}{', closed' if self.closed else ''} in {self.elapsed * 1000:.0f} ms"

    @property
    def bytes(self) -> bytes:
        return self.data

    @property
    def responses(self) -> list[RawResponse]:
        """The final responses in order; interim ones (1xx) are left out."""
        return [response for response in parse_responses(self.data, self.closed) if response.status in FINAL]

    @property
    def status(self) -> int | None:
        """Status of the first response, None when there is none."""
        return self.responses[0].status if self.responses else None

    @property
    def headers(self) -> httpx.Headers:
        return self.responses[0].headers if self.responses else httpx.Headers()

    def evidence(self) -> str:
        """Both directions as readable text, bounded and redacted."""
        sent = [f"> {line}" for line in excerpt(self.sent, self.redactor).split("\n")]
        got = [f"< {line}" for line in excerpt(self.data, self.redactor).split("\n")] if self.data else []
        told = f"* {self!r}" + (f"; {self.failure}" if self.failure else "")
        return "\n".join(printable(self.redactor.text(line)) for line in [*sent, *got, told]) + "\n"


def raw_exchange(
    host: str,
    port: int,
    data: bytes | Iterable[bytes | float],
    tls: Tls | None = None,
    timeout: float = 5.0,
    *,
    expect: int = 1,
    linger: float = LINGER,
    redactor: Redactor | None = None,
) -> RawReply:
    """Send bytes (numbers between them are pauses in seconds), read until ``expect`` answers and ``linger`` are over.

    Never raises for trouble on the wire and never takes longer than ``timeout``.
    """
    watch = Watch(Limits(connect=timeout, read=timeout, total=timeout))
    sent, got = bytearray(), bytearray()
    with contextlib.suppress(httpcore.NetworkError, httpcore.TimeoutException):
        stream = Stream(dial(host, port, watch), watch)
        if tls is not None:
            stream = stream.start_tls(tls.context(), tls.server_name or host)
        with contextlib.closing(stream):
            _send(stream, [data] if isinstance(data, bytes) else data, sent, watch)
            _receive(stream, got, watch, expect, linger)
    closed = watch.ended_by_peer or (watch.failure is not None and watch.failure.kind == "cut")
    answered = _answers(bytes(got)) >= expect
    return RawReply(
        data=bytes(got),
        closed=closed,
        sent=bytes(sent),
        failure=None if answered or watch.ended_by_peer else watch.failure,
        elapsed=time.monotonic() - watch.started,
        redactor=redactor or Redactor(),
    )


def _send(stream: Stream, parts: Iterable[bytes | float], sent: bytearray, watch: Watch) -> None:
    for part in parts:
        if isinstance(part, bytes):
            sent += part
            try:
                stream.write(part)
            except httpcore.WriteError:
                # The other side has had enough; what it said is still to be read.
                return
        else:
            time.sleep(max(0.0, min(part, watch.left)))


def _receive(stream: Stream, got: bytearray, watch: Watch, expect: int, linger: float) -> None:
    answered = False
    while len(got) < MAX_REPLY and (data := stream.read(_READ_SIZE)):
        got += data
        if not answered and _answers(bytes(got)) >= expect:
            answered = True
            spent = time.monotonic() - watch.started
            watch.limits = Limits(read=linger, total=min(watch.limits.total, spent + linger))


def _answers(data: bytes) -> int:
    return sum(response.complete and response.status in FINAL for response in parse_responses(data, False))


def parse_responses(data: bytes, closed: bool) -> list[RawResponse]:
    """Responses one after the other, as far as they can be told apart; what is no response ends the list."""
    found: list[RawResponse] = []
    while data.startswith(b"HTTP/"):
        head, blank, rest = data.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        parts = status_line.split(" ", 2)
        if not blank or len(parts) < 2 or not (parts[1].isascii() and parts[1].isdigit()):
            break
        pairs = [line.partition(":")[::2] for line in lines if ":" in line]
        headers = httpx.Headers([(name.strip(), value.strip()) for name, value in pairs])
        body, data, complete = _body(int(parts[1]), headers, rest, closed)
        found.append(RawResponse(int(parts[1]), parts[2] if len(parts) > 2 else "", headers, body, complete))
    return found


def _body(status: int, headers: httpx.Headers, rest: bytes, closed: bool) -> tuple[bytes, bytes, bool]:
    """Body, what follows it, and whether it is whole (RFC 9112 §6.3)."""
    if status not in FINAL or status in {204, 304}:
        return b"", rest, True
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _chunked(rest)
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit():
        size = int(length)
        return rest[:size], rest[size:], len(rest) >= size
    return rest, b"", closed


def _chunked(rest: bytes) -> tuple[bytes, bytes, bool]:
    body = bytearray()
    while True:
        line, end, after = rest.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            return bytes(body), b"", False
        if not end or size < 0 or len(after) < size + 2:
            return bytes(body), b"", False
        if size == 0:
            # Trailer fields, if any, end with a blank line as well.
            return bytes(body), after.partition(b"\r\n")[2], True
        body += after[:size]
        rest = after[size + 2 :]
