"""What uvicorn's HTTP/1.1 protocol leaves open: bounded heads, slow senders, errors in the envelope.

llhttp is strict about smuggling (RFC 9112 §5.1, §6.1, §6.3, §7.1); this adds what a parser cannot know.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any, cast
from urllib.parse import urlsplit

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateproof.stack.gateway.answer import new_request_id
from gateproof.stack.gateway.errors import envelope, error_type

MAX_URI = 8 * 1024  # bytes; RFC 9110 §4.1 asks for at least 8000
MAX_HEAD = 32 * 1024  # bytes of all header fields; four times what nginx takes by default
REQUEST_TIMEOUT = 45.0  # s for a whole request to arrive; the catalogue gives slow senders at most 60 s
LINGER = 0.5  # s in which the rest of a refused request is read and dropped, so that no reset eats the answer

_SAID = {
    400: ("Invalid HTTP request.", "invalid_http"),
    408: ("The request did not arrive in time.", "request_timeout"),
    414: ("The URI is too long.", "uri_too_long"),
    431: ("The request header fields are too large.", "headers_too_large"),
}


class GatewayProtocol(HttpToolsProtocol):
    """One connection of a client."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refused = False
        self._refusal = 400
        self._in_head = False
        self._head_size = 0
        self._unfinished = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._active: RequestResponseCycle | None = None
        self._served = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        super().connection_lost(exc)
        if self._active is not None and not self._active.response_complete:
            # uvicorn tells only the newest of pipelined requests
            self._active.disconnected = True
            self._active.message_event.set()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unset_keepalive_if_required()
        head_was_begun = self._in_head
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.refuse(self._refusal)
        except httptools.HttpParserUpgrade:
            # The bytes after the head are of a protocol that is not spoken here.
            self._refused = True
            self.cycle.keep_alive = False
        else:
            if head_was_begun and self._in_head:
                self._check_unfinished_head(len(data))

    def _check_unfinished_head(self, received: int) -> None:
        """One endless field is not reported by the parser before it ends, so the raw bytes are counted too."""
        self._unfinished += received
        if self._unfinished > MAX_HEAD + MAX_URI:
            self.refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_size, self._unfinished = True, 0, 0
        self._set_deadline()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_URI:
            self._refusal = 414
            raise ValueError("URI too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # RFC 9110 §6.5.1: a trailer must not become a header field
        self._head_size += len(name) + len(value)
        if self._head_size > MAX_HEAD:
            self._refusal = 431
            raise ValueError("header fields too large")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._host_of_absolute_form()
        super().on_headers_complete()

    def _host_of_absolute_form(self) -> None:
        """RFC 9112 §3.2.2: the authority in the request line counts, not the Host field."""
        if not self.url.startswith((b"/", b"*")):
            authority = urlsplit(self.url).netloc
            self.headers[:] = [(name, authority if name == b"host" else value) for name, value in self.headers]

    def on_message_complete(self) -> None:
        self._clear_deadline()
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._active = cycle
        scope = cast("dict[str, Any]", cycle.scope)
        scope["cut"] = functools.partial(self._cut, cycle)
        # ports come back, so an address does not tell a connection that has served before from a new one
        scope["served"], self._served = self._served, self._served + 1
        super()._start_asgi_task(cycle, app)

    def _cut(self, cycle: RequestResponseCycle) -> None:
        """End a connection in the middle of an answer; what is written so far still goes out."""
        cycle.disconnected = True
        self.transport.close()

    def refuse(self, status: int) -> None:
        """Answer a request that cannot be understood, and close; never in the middle of another answer."""
        self._refused = True
        self._clear_deadline()
        active = self._active
        if active is not None and not active.response_complete:
            if not active.more_body:
                active.keep_alive = False  # the broken request came after this one, which is still answered
                return
            if active.response_started:
                self.transport.close()
                return
            active.disconnected = True
            active.message_event.set()
        self.transport.write(self._refusal_bytes(status))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.close)

    def _refusal_bytes(self, status: int) -> bytes:
        message, code = _SAID[status]
        body = envelope(None, message, error_type(status), code=code)
        fields = [
            *self.server_state.default_headers,
            (b"x-request-id", new_request_id()),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
        ]
        return b"".join([STATUS_LINE[status], *(b"%s: %s\r\n" % field for field in fields), b"\r\n", body])

    def _set_deadline(self) -> None:
        self._clear_deadline()
        self._deadline = self.loop.call_later(REQUEST_TIMEOUT, self._too_slow)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self.refuse(408)
