"""A port where nobody listens, for as long as a test needs that."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def refusing_port() -> Iterator[int]:
    """Connections to it are refused. It is kept bound: a port that was only free for a moment is soon somebody's."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        port: int = kept.getsockname()[1]
        yield port
