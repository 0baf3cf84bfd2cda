"""httpx transport with a watch on every exchange: a fresh connection each, no pool, no retry, no proxy.

A pool is left out on purpose: a kept connection that the peer has just closed fails the next request through no
fault of the target, and a bounded pool would queue requests that a burst wants on the wire at once. Who needs a kept
connection says so with a line.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

import httpcore
import httpx

from gateproof.wire.line import LINE, Line
from gateproof.wire.network import Backend
from gateproof.wire.tls import Tls
from gateproof.wire.watch import Limits, Watch

WATCH = "gateproof.watch"


class Transport(httpx.BaseTransport):
    """Also fit for a plain ``httpx.Client(transport=...)``, so that other code over httpx is bounded the same."""

    def __init__(
        self,
        *,
        limits: Limits,
        tls: Tls | None = None,
        server_name: str | None = None,
        connect_to: tuple[str, int] | None = None,
    ) -> None:
        self._limits, self._tls, self._connect_to = limits, tls or Tls(), connect_to
        self._server_name = self._tls.server_name or server_name

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        watch = request.extensions.get(WATCH) or Watch(self._limits)
        url = request.url
        extensions = {key: value for key, value in request.extensions.items() if key == "target"}
        if self._server_name is not None:
            extensions["sni_hostname"] = self._server_name
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=cast("httpx.SyncByteStream", request.stream),
            extensions=extensions,
        )
        line: Line | None = request.extensions.get(LINE)

        def dialled() -> httpcore.HTTPConnection:
            backend = Backend(watch, self._connect_to)
            return httpcore.HTTPConnection(asked.url.origin, ssl_context=self._context(url), network_backend=backend)

        connection = dialled() if line is None else line.connection(dialled)
        try:
            answer = _mapped(lambda: connection.handle_request(asked))
        except BaseException:
            connection.close()
            raise
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(connection if line is None else answer, answer),
            extensions=answer.extensions,
        )

    def _context(self, url: httpx.URL) -> ssl.SSLContext | None:
        return self._tls.context() if url.scheme == "https" else None


class _Body(httpx.SyncByteStream):
    """``closed`` ends with the body: the connection, or on a line only the answer."""

    def __init__(self, closed: httpcore.HTTPConnection | httpcore.Response, answer: httpcore.Response) -> None:
        self._closed, self._parts = closed, answer.iter_stream()

    def __iter__(self) -> Iterator[bytes]:
        while (part := _mapped(lambda: next(self._parts, None))) is not None:
            yield part

    def close(self) -> None:
        self._closed.close()


_T = TypeVar("_T")


def _mapped(step: Callable[[], _T]) -> _T:
    try:
        return step()
    except httpcore.TimeoutException as error:
        raise httpx.ReadTimeout(str(error)) from error
    except httpcore.NetworkError as error:
        raise httpx.NetworkError(str(error)) from error
    except httpcore.LocalProtocolError as error:
        raise httpx.LocalProtocolError(str(error)) from error
    except httpcore.RemoteProtocolError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
