"""One child process of the stack: its sockets, its server, and its end when its parent ends."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

LOOPBACK = "127.0.0.1"
BACKLOG = 1024  # connections; one burst of a check fits without a SYN being dropped
KEEP_ALIVE = 65.0  # s; longer than any client's pool keeps a connection, so that the client closes first
DRAIN = 5  # s for running requests after SIGTERM

App = Callable[[Any, Any, Any], Awaitable[None]]


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback interface. The supervisor holds the port until then."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    listener.listen(BACKLOG)
    return listener


def end_with_parent() -> None:
    """Exit at the end of standard input, which comes even when the parent is killed with SIGKILL."""
    threading.Thread(target=_wait_for_end, name="parent", daemon=True).start()


def _wait_for_end() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def first_line() -> bytes:
    """Unbuffered, so that the rest of standard input is left for watching its end."""
    line = b""
    while not line.endswith(b"\n") and (piece := os.read(0, 1 if line else 65536)):
        line += piece
    return line


class Door:
    """One of the ports of a process, which can be shut for a while: for those outside as if the process were gone.

    It opens by itself, so that nobody who shut it has to live until then.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._server: uvicorn.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None

    def watch_over(self, server: uvicorn.Server) -> None:
        self._server = server

    @property
    def is_open(self) -> bool:
        return self._timer is None

    def shut(self, seconds: float) -> None:
        """Refuse connections, and cut those that are open."""
        assert self._server is not None
        if self._timer is not None:
            self._timer.cancel()
        self._server.servers[0].close()  # the first port
        for connection in list(self._server.server_state.connections):
            if connection.server is not None and connection.server[1] == self.number:  # type: ignore[union-attr]
                connection.transport.abort()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self._come_back)

    def _come_back(self) -> None:
        self._opening = asyncio.ensure_future(self.open())

    async def open(self) -> None:
        if self._timer is None or self._server is None:
            return
        self._timer.cancel()
        self._timer, server = None, self._server

        def accepted() -> asyncio.Protocol:
            protocol: Callable[..., asyncio.Protocol] = server.config.http_protocol_class
            return protocol(config=server.config, server_state=server.server_state, app_state=server.lifespan.state)

        loop = asyncio.get_running_loop()
        server.servers[0] = await loop.create_server(accepted, sock=listen(self.number), backlog=BACKLOG)


def serve(app: App, ports: list[int], protocol: type | str = "httptools", door: Door | None = None) -> None:
    """Serve one ASGI application on several ports; it tells them apart by `scope["server"]`. A door is the first."""
    listeners = [listen(port) for port in ports]
    settings = uvicorn.Config(
        app,
        http=protocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # else a client could say where it comes from
        proxy_headers=False,
        timeout_keep_alive=int(KEEP_ALIVE),
        timeout_graceful_shutdown=DRAIN,
    )
    server = uvicorn.Server(settings)
    if door is not None:
        door.watch_over(server)
    server.run(sockets=listeners)
    sys.stdout.flush()
