"""One child process of the stack: its sockets, its server, and its end when its parent ends."""

from __future__ import annotations

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


def serve(app: App, ports: list[int], protocol: type | str = "httptools") -> None:
    """Serve one ASGI application on several ports; it tells them apart by `scope["server"]`."""
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
        timeout_keep_alive=int(KEEP_ALIVE),
        timeout_graceful_shutdown=DRAIN,
    )
    uvicorn.Server(settings).run(sockets=listeners)
    sys.stdout.flush()
