"""Ports on loopback, and whether somebody answers there."""

from __future__ import annotations

import http.client
import random
import socket

from gateproof.errors import LaunchError

LOOPBACK = "127.0.0.1"

# Below the range that systems give to outgoing connections (Linux: 32768 and up), so that none of a load run's
# connections takes the port while its gateway still starts, which can last half a minute.
_RANGE = range(20_000, 32_000)
_TRIES = 100


def free_port(*, taken: frozenset[int] = frozenset()) -> int:
    """A port that nobody listens on now and that is not in `taken`."""
    for port in random.sample(_RANGE, _TRIES):
        if port not in taken and _can_bind(port):
            return port
    raise LaunchError(f"no free port found between {_RANGE.start} and {_RANGE.stop - 1}")


def free_ports(count: int) -> list[int]:
    ports: list[int] = []
    for _ in range(count):
        ports.append(free_port(taken=frozenset(ports)))
    return ports


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def accepts(port: int, *, timeout: float = 1.0) -> bool:
    """Does something accept connections on this port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=timeout).close()
    except OSError:
        return False
    return True


def answers(port: int, path: str, *, timeout: float = 5.0) -> bool:
    """Does `GET path` on this port give a 2xx. Our own connection: no proxy of the environment can step in."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout)
    try:
        connection.request("GET", path)
        return 200 <= connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
