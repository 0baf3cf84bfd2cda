"""Raw ASGI in a few small helpers: read a body, send JSON, notice that the client has hung up."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Self

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Pairs = list[tuple[bytes, bytes]]

JSON_TYPE = b"application/json"

_TICK = 0.001  # s; libuv's timers know whole milliseconds only

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ascii = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


class ClientGone(Exception):
    """The client hung up; there is nobody left to answer."""


class TooLarge(Exception):
    """The body is larger than it may be."""


def encode(value: Any) -> bytes:
    """JSON bytes. Text as it is, except that a lone surrogate, which UTF-8 cannot hold, makes everything ASCII."""
    try:
        return _compact(value).encode()
    except UnicodeEncodeError:
        return _ascii(value).encode()


async def read_body(receive: Receive, limit: int | None = None) -> bytes:
    """The whole request body."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if limit is not None and size > limit:
            raise TooLarge
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def send_bytes(send: Send, status: int, data: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """A whole response with its length."""
    pairs = [*headers, (b"content-length", b"%d" % len(data))]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": data, "more_body": False})


async def send_json(send: Send, status: int, value: Any, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    await send_bytes(send, status, encode(value), [(b"content-type", JSON_TYPE), *headers])


class Departure:
    """Listens for the client's hang-up from the end of its body to the end of the answer; use as a context manager.

    Waiting here ends at once, with ClientGone, when the client goes.
    """

    def __init__(self, receive: Receive) -> None:
        self.gone = False
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        self._task = self._loop.create_task(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()

    def check(self) -> None:
        if self.gone:
            raise ClientGone

    async def wait_until(self, deadline: float) -> None:
        """Wait for an instant of `time.monotonic`, never less."""
        self.check()
        while (left := deadline - time.monotonic()) > 0:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._waiter = waiter
            timer = self._loop.call_later(math.ceil(left / _TICK) * _TICK, _wake, waiter)
            try:
                await waiter
            finally:
                timer.cancel()
                self._waiter = None
            self.check()

    async def wait(self, seconds: float) -> None:
        await self.wait_until(time.monotonic() + seconds)

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._waiter is not None:
            _wake(self._waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
