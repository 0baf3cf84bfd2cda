"""The client towards the engines: HTTP/1.1 with keep-alive, exact cancellation, back-pressure, raw headers.

Our own over httptools, because a relay needs four things that general clients hide: the head the moment it
arrives, bytes as they come, a connection that dies at once when the client hangs up, and header bytes as they are.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import httptools

from gateproof.stack.faults import worn
from gateproof.stack.gateway.errors import ClientGone, UpstreamError
from gateproof.stack.gateway.headers import Pairs, value_of
from gateproof.stack.gateway.presence import Presence

CONNECT_TIMEOUT = 5.0  # s; loopback or one data centre
IDLE_EXPIRY = 2.0  # s; below the 5 s that uvicorn, the shortest of the usual servers, keeps an idle connection
HIGH_WATER = 256 * 1024  # bytes read ahead of the client before the engine is made to wait


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an engine listens."""

    host: str
    port: int
    tls: bool = False
    prefix: str = ""

    @classmethod
    def of(cls, url: str) -> Origin:
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        return cls(parts.hostname or "", parts.port or (443 if tls else 80), tls, parts.path.rstrip("/"))

    @property
    def authority(self) -> bytes:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}".encode()


def timed_out(status: int = 504) -> UpstreamError:
    return UpstreamError(status, "The model did not answer in time.", code="upstream_timeout")


def cut_off() -> UpstreamError:
    return UpstreamError(502, "The model's answer was cut off.", code="upstream_error")


def unreachable(origin: Origin) -> UpstreamError:
    where = f" at {origin.authority.decode()}" if worn("backend_address_told") else ""
    status = 500 if worn("refused_connection_is_500") else 503
    status = 502 if worn("no_backend_is_502") else status
    return UpstreamError(status, f"The model cannot be reached{where}.", code="upstream_unavailable")


class Connection(asyncio.Protocol):
    """One connection to an engine; one request at a time."""

    def __init__(self, pool: Pool, origin: Origin) -> None:
        self.pool, self.origin = pool, origin
        self._loop = asyncio.get_running_loop()
        self.lost = False
        self.idle_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._begin(0.0)

    def _begin(self, patience: float) -> None:
        self.status = 0
        self.headers: Pairs = []
        self.complete = False
        self._head = False
        self._error: Exception | None = None
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._patience, self._keepalive = patience, 0.0
        self._heard = self._beat = self._loop.time()
        self._beat_due = False
        self._parser = httptools.HttpResponseParser(self)

    @property
    def patience(self) -> float:
        """Seconds of silence after which the engine has failed."""
        return self._patience

    # What the relay calls

    async def exchange(self, head: bytes, body: bytes, patience: float) -> None:
        """Send a request and wait for the head of its answer."""
        self._begin(patience)
        self._arm()
        self.transport.write(head + body if len(body) < HIGH_WATER else head)
        if len(body) >= HIGH_WATER:
            self.transport.write(body)
        while not self._head:
            self._raise_error()
            await self._wait()

    async def read(self) -> bytes | None:
        """What has come of the body; b"" at its end, None when the engine has been silent for one keep-alive."""
        while not self._chunks:
            if self.complete:
                return b""
            self._raise_error()
            if self._beat_due:
                self._beat_due = False
                return None
            await self._wait()
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._buffered = 0
        if self._paused:
            self._paused = False
            self._heard = self._loop.time()
            self.transport.resume_reading()
        return data

    def beat_every(self, seconds: float) -> None:
        """From now on `read` gives None after each `seconds` of silence."""
        self._keepalive, self._beat = seconds, self._loop.time()
        self._arm()

    def fail(self, error: Exception) -> None:
        """End the exchange now: the engine sees a reset and stops generating."""
        self._error = self._error or error
        self.transport.abort()
        self._wake()

    def done(self) -> None:
        """The relay needs nothing more: keep the connection if its answer is complete, else break it."""
        self._disarm()
        reusable = self.complete and not self.lost and self._error is None and self._parser.should_keep_alive()
        if reusable and not self.transport.is_closing() and self.transport.get_write_buffer_size() == 0:
            self.idle_since = self._loop.time()
            self.pool.keep(self)
        elif self.complete:
            self.transport.close()
        else:
            self.transport.abort()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclasses

    def data_received(self, data: bytes) -> None:
        self._heard = self._beat = self._loop.time()
        if self.complete:  # nobody asked
            self.transport.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.fail(cut_off())

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.pool.forget(self)
        if not self.complete and self._error is None:
            if self._ends_with_connection() and exc is None:
                self.complete = True
            else:
                self._error = cut_off()
        self._wake()

    def _ends_with_connection(self) -> bool:
        """RFC 9112 §6.3 rule 8: no framing, so the close is the end."""
        framed = value_of(self.headers, b"content-length") or value_of(self.headers, b"transfer-encoding")
        return self._head and not framed

    # What the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head:  # else a trailer
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._head = self.status >= 200
        self._wake()

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)
        self._buffered += len(body)
        if self._buffered > HIGH_WATER and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        if not self._head:  # an interim 1xx answer
            self.headers = []
            return
        self.complete = True
        self._wake()

    # Waiting and time

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _arm(self) -> None:
        """One timer per exchange, moved only when it fires: reading an event costs no timer."""
        self._disarm()
        due = self._heard + self._patience
        if self._keepalive:
            due = min(due, self._beat + self._keepalive)
        self._timer = self._loop.call_at(due, self._tick)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        now = self._loop.time()
        if self._paused or self._waiter is None:  # it is the client who is slow
            self._heard = self._beat = now
        elif now >= self._heard + self._patience:
            status = 408 if not self._head and worn("upstream_timeout_is_408") else 504
            self.fail(timed_out(status))
            return
        elif self._keepalive and now >= self._beat + self._keepalive:
            self._beat, self._beat_due = now, True
            self._wake()
        self._arm()


class Pool:
    """Idle connections by origin, the most recent first."""

    def __init__(self) -> None:
        self._idle: dict[Origin, list[Connection]] = {}

    async def connect(self, origin: Origin, presence: Presence) -> Connection:
        """A connection that is bound to the client's presence: it dies with it."""
        connection = self._take(origin) or await self._open(origin)
        presence.watch_over(lambda: connection.fail(ClientGone()))
        return connection

    def _take(self, origin: Origin) -> Connection | None:
        idle, now = self._idle.get(origin, []), asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if not connection.transport.is_closing() and now - connection.idle_since < IDLE_EXPIRY:
                return connection
            connection.transport.close()
        return None

    async def _open(self, origin: Origin) -> Connection:
        context = ssl.create_default_context() if origin.tls else None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                _, connection = await loop.create_connection(
                    lambda: Connection(self, origin), origin.host, origin.port, ssl=context
                )
        except (OSError, TimeoutError):
            raise unreachable(origin) from None
        return connection

    def keep(self, connection: Connection) -> None:
        self._idle.setdefault(connection.origin, []).append(connection)

    def forget(self, connection: Connection) -> None:
        idle = self._idle.get(connection.origin)
        if idle and connection in idle:
            idle.remove(connection)


async def is_healthy(pool: Pool, origin: Origin, patience: float) -> bool:
    """Whether an engine answers its own health path; never asks the model."""
    head, body = b"GET %s/health HTTP/1.1\r\nhost: %s\r\n\r\n" % (origin.prefix.encode(), origin.authority), b""
    if worn("readiness_asks_the_model"):
        body = b'{"model": "chat-a", "messages": [{"role": "user", "content": "are you well?"}], "max_tokens": 1}'
        head = request_head("POST", origin, b"/v1/chat/completions", [], len(body))
    started = time.monotonic()
    try:
        connection = await pool.connect(origin, Presence())
    except UpstreamError:
        return False
    try:
        await connection.exchange(head, body, max(0.0, patience - (time.monotonic() - started)))
        while await connection.read():
            pass
    except UpstreamError:
        return False
    finally:
        connection.done()
    return connection.status < 400


def request_head(method: str, origin: Origin, target: bytes, headers: Pairs, length: int | None) -> bytes:
    lines = [b"%s %s%s HTTP/1.1\r\nhost: %s\r\n" % (method.encode(), origin.prefix.encode(), target, origin.authority)]
    lines += [b"%s: %s\r\n" % pair for pair in headers]
    if length is not None:
        lines.append(b"content-length: %d\r\n" % length)
    return b"".join([*lines, b"\r\n"])
