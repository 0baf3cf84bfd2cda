"""The client of all checks: sends one request as told, and says what came of it and when.

It keeps nothing between two exchanges: no connection unless told, no cookie, no redirect, no retry, no proxy of the
environment.
"""

from __future__ import annotations

import enum
import json as jsonlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import httpx

from gateproof.wire.encoding import Chunk
from gateproof.wire.exchange import Answer, Exchange
from gateproof.wire.line import LINE, Line
from gateproof.wire.redact import Redactor
from gateproof.wire.tls import Tls
from gateproof.wire.transport import WATCH, Transport
from gateproof.wire.watch import MIB, Failure, Limits, Watch

__all__ = ["UNSET", "Client", "Headers", "Limits", "Line", "Tls"]


class Unset(enum.Enum):
    """``json=None`` sends ``null``; this sends nothing."""

    UNSET = enum.auto()


UNSET = Unset.UNSET

# A header whose value is None takes away the client's own of that name.
Headers = Mapping[str, str | None] | Sequence[tuple[str, str]]

# Of a request body that is made while it is sent, as much is kept for evidence.
KEPT_OF_STREAMED = 64 * 1024
# A credential in the client's own headers that is shorter than this may be an ordinary word.
LEARNT_SECRET = 8
# What a client sends that wants the bytes as they are.
BASE_HEADERS = {"accept": "*/*", "accept-encoding": "identity"}


class Client:
    """Safe to share between threads. ``send`` raises for the caller's mistakes only, never for trouble on the wire."""

    def __init__(
        self,
        base_url: str,
        *,
        headers: Headers | None = None,
        limits: Limits | None = None,
        tls: Tls | None = None,
        host: str | None = None,
        connect_to: tuple[str, int] | None = None,
        redactor: Redactor | None = None,
        observe: Callable[[Exchange], None] | None = None,
    ) -> None:
        url = httpx.URL(base_url)
        if url.scheme not in {"http", "https"} or not url.host:
            raise ValueError("a base URL starts with http:// or https:// and names a host")
        netloc = url.netloc.decode("ascii")
        self._origin = httpx.URL(f"{url.scheme}://{netloc}")
        self.base_url = str(self._origin)
        self.limits, self.redactor, self._observe = limits or Limits(), redactor or Redactor(), observe
        self._headers = _merged(_merged([*BASE_HEADERS.items()], {"host": host or netloc}), headers or {})
        self._learn()
        server_name = httpx.URL(f"//{host}").host if host else None
        self.transport = Transport(limits=self.limits, tls=tls, server_name=server_name, connect_to=connect_to)
        self._curl_options = _curl_options(url.scheme, tls, connect_to)

    def __repr__(self) -> str:
        return f"Client({self.base_url})"

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Headers | None = None,
        json: Any = UNSET,
        content: bytes | Iterable[bytes] | None = None,
        query: str | None = None,
        raw_path: bool = False,
        limits: Limits | None = None,
        hang_up_after: float | None = None,
        hang_up_when: Callable[[bytes], bool] | None = None,
        slow_read: float | None = None,
        line: Line | None = None,
    ) -> Exchange:
        """Send one request to a path below the origin.

        ``hang_up_after`` counts seconds from the last request byte; ``hang_up_when`` is asked with the body so far.
        ``slow_read`` is a pace in bytes per second. ``raw_path`` sends the path byte for byte, dots and slashes too.
        ``line`` is a connection to be used again; without one each exchange has its own.
        """
        kept = _Kept(content)
        watch = Watch(limits or self.limits, hang_up_after=hang_up_after, slow_read=slow_read)
        request = self._request(method, self._target(path, query, raw_path), headers or {}, json, kept)
        if line is not None:
            watch = line.watch(watch)
            request.extensions[LINE] = line
        request.extensions[WATCH] = watch
        exchange = self._begin(request, watch, raw_path)
        try:
            self._perform(request, exchange, watch, hang_up_when)
        finally:
            exchange.ended = time.monotonic()
            exchange.sent, exchange.first_byte, exchange.sent_body = watch.sent, watch.first_byte, kept.data
        if self._observe is not None:
            self._observe(exchange)
        return exchange

    def _request(self, method: str, target: bytes, headers: Headers, json: Any, kept: _Kept) -> httpx.Request:
        pairs = _merged(self._headers, headers)
        if json is not UNSET:
            if kept.content is not None:
                raise ValueError("give either json or content")
            kept.replace(jsonlib.dumps(json, ensure_ascii=False, separators=(",", ":")).encode())
            if not any(name.lower() == "content-type" for name, _ in pairs):
                pairs.append(("content-type", "application/json"))
        encoded = [(name.encode("ascii"), value.encode()) for name, value in pairs]
        request = httpx.Request(
            method, self._origin, headers=encoded, content=kept.content, extensions={"target": target}
        )
        # httpx writes methods in capitals, but they are case-sensitive (RFC 9110 §9.1).
        request.method = method
        return request

    def _target(self, path: str, query: str | None, raw_path: bool) -> bytes:
        if not path.startswith("/") and path != "*":
            raise ValueError(f"a path starts with a slash: {path!r}")
        target = path.encode() if raw_path or path == "*" else httpx.URL(self.base_url + path).raw_path
        return target if query is None else target + b"?" + query.encode()

    def _begin(self, request: httpx.Request, watch: Watch, raw_path: bool) -> Exchange:
        path = request.extensions["target"].decode("utf-8")
        return Exchange(
            method=request.method,
            url=self.base_url + path,
            path=path,
            sent_headers=httpx.Headers(self.redactor.headers(request.headers.multi_items()), encoding="utf-8"),
            started=watch.started,
            wall=time.time(),
            redactor=self.redactor,
            curl_options=(*self._curl_options, *(["--path-as-is"] if raw_path else [])),
        )

    def _perform(
        self, request: httpx.Request, exchange: Exchange, watch: Watch, hang_up_when: Callable[[bytes], bool] | None
    ) -> None:
        try:
            response = self.transport.handle_request(request)
            try:
                exchange.head = watch.last_read
                exchange.answer = _answer(response)
                exchange.failure = _read(response, watch, exchange.chunks, hang_up_when)
            finally:
                response.close()
        except httpx.LocalProtocolError as error:
            raise ValueError(f"{error}: not valid HTTP, to send it all the same use raw_exchange") from error
        except httpx.RemoteProtocolError as error:
            exchange.failure = _broken(error, watch, exchange.answer is not None)
        except httpx.TransportError as error:
            exchange.failure = watch.failure or Failure("cut", str(error))

    def _learn(self) -> None:
        for name, value in self._headers:
            credential = value.rpartition(" ")[2]
            if self.redactor.hides(name) and len(credential) >= LEARNT_SECRET:
                self.redactor.add(credential)


class _Kept:
    """A request body that remembers what of it was sent."""

    def __init__(self, content: bytes | Iterable[bytes] | None) -> None:
        self._streamed = bytearray()
        self.content: bytes | Iterator[bytes] | None
        self.content = content if isinstance(content, bytes | None) else self._remember(content)

    @property
    def data(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else bytes(self._streamed)

    def replace(self, content: bytes) -> None:
        self.content = content

    def _remember(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._streamed += piece[: KEPT_OF_STREAMED - len(self._streamed)]
            yield piece


def _merged(base: Sequence[tuple[str, str]], over: Headers) -> list[tuple[str, str]]:
    """The base without what the other one names, then the other one."""
    pairs = list(over.items()) if isinstance(over, Mapping) else list(over)
    named = {name.lower() for name, _ in pairs}
    kept = [(name, value) for name, value in base if name.lower() not in named]
    return kept + [(name, value) for name, value in pairs if value is not None]


def _answer(response: httpx.Response) -> Answer:
    reason: bytes = response.extensions.get("reason_phrase", b"")
    version: bytes = response.extensions.get("http_version", b"HTTP/1.1")
    return Answer(response.status_code, response.headers, reason.decode("latin-1"), version.decode("latin-1"))


def _read(
    response: httpx.Response, watch: Watch, chunks: list[Chunk], hang_up_when: Callable[[bytes], bool] | None
) -> Failure | None:
    """Fill the chunks, one per read of the socket; what HTTP chunks there were inside one is of no matter."""
    size, so_far = 0, bytearray()
    for data in response.stream:  # type: ignore[union-attr]  # our transport is a synchronous one
        size += len(data)
        at = watch.last_read or watch.started
        if chunks and chunks[-1].at == at:
            chunks[-1] = Chunk(at, chunks[-1].data + data)
        else:
            chunks.append(Chunk(at, data))
        if size > watch.limits.max_body:
            return Failure("too_large", f"more than {watch.limits.max_body / MIB:g} MiB of body")
        if hang_up_when is not None:
            so_far += data
            if hang_up_when(bytes(so_far)):
                return Failure("hung_up", f"hung up after {size} bytes of body")
    return None


def _broken(error: httpx.RemoteProtocolError, watch: Watch, answered: bool) -> Failure:
    if not watch.ended_by_peer:
        return Failure("protocol", str(error))
    if watch.first_byte is None:
        return Failure("cut", "closed without any answer")
    return Failure("cut", str(error) if answered else "closed before the head was complete")


def _curl_options(scheme: str, tls: Tls | None, connect_to: tuple[str, int] | None) -> list[str]:
    options: list[str] = []
    if connect_to is not None:
        host, port = connect_to
        options += ["--connect-to", f"::{f'[{host}]' if ':' in host else host}:{port}"]
    if scheme == "https" and tls is not None:
        options += [] if tls.verify else ["-k"]
        options += ["--cacert", str(tls.ca)] if tls.ca is not None and tls.verify else []
    return options
