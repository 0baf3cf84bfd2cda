"""The socket under an exchange: every step bounded by its watch, every instant stamped where the bytes pass."""

from __future__ import annotations

import contextlib
import queue
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore

from gateproof.wire.watch import Failure, Watch

# Pieces in which a large request goes out; between two of them we look whether the answer is already there.
WRITE_PIECE = 64 * 1024
# Smallest receive buffer of a slow reader, in bytes, so that back-pressure reaches the sender soon. A faster one gets
# room for one step, else the buffer and not the reader would set the pace.
SLOW_BUFFER = 4096
# A slow reader takes its bytes in this many steps per second.
SLOW_STEPS = 20

_REFUSAL = re.compile(rb"HTTP/1\.[01] [45]")


def dial(host: str, port: int, watch: Watch) -> socket.socket:
    """A connected socket, or an httpcore error with the reason in ``watch.failure``."""
    until = time.monotonic() + watch.limits.connect
    where = f"{host}:{port}"
    trouble = Failure("refused", f"{where} has no address")
    for family, kind, protocol, _, address in _resolve(host, port, watch):
        seconds, failure = watch.allow(f"connecting to {where}", max(until - time.monotonic(), 0))
        sock = socket.socket(family, kind, protocol)
        try:
            _prepare(sock, watch, seconds)
            sock.connect(address)
        except TimeoutError:
            trouble = Failure("timeout", failure.message)
        except OSError as error:
            trouble = Failure("refused", f"{where}: {error.strerror or error}")
        else:
            return sock
        sock.close()
    raise recorded(watch, trouble, httpcore.ConnectTimeout if trouble.kind == "timeout" else httpcore.ConnectError)


def recorded(watch: Watch, failure: Failure, error: type[Exception]) -> Exception:
    """The error to raise, its reason written down first: the layers above would only keep its text."""
    watch.failure = failure
    return error(failure.message)


def _prepare(sock: socket.socket, watch: Watch, seconds: float) -> None:
    if seconds <= 0:
        raise TimeoutError
    sock.settimeout(seconds)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if watch.slow_read is not None:
        # Only a size set before the connection bounds the window that is announced to the peer.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, max(SLOW_BUFFER, int(watch.slow_read / SLOW_STEPS)))


_Addresses = list[tuple[Any, ...]]


def _resolve(host: str, port: int, watch: Watch) -> _Addresses:
    with contextlib.suppress(socket.gaierror, UnicodeError):
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    # getaddrinfo knows no timeout: it waits in a thread of its own, which we leave behind when it is late.
    answers: queue.SimpleQueue[_Addresses | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, name="gateproof-resolve", daemon=True).start()
    seconds, failure = watch.allow(f"resolving {host}", watch.limits.connect)
    try:
        answer = answers.get(timeout=max(seconds, 0))
    except queue.Empty:
        raise recorded(watch, failure, httpcore.ConnectTimeout) from None
    if isinstance(answer, list):
        return answer
    reason = getattr(answer, "strerror", None) or answer
    raise recorded(watch, Failure("resolve", f"{host}: {reason}"), httpcore.ConnectError)


class Stream(httpcore.NetworkStream):
    """A socket, plain or TLS, that belongs to one exchange."""

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        self._sock, self._watch = sock, watch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # the watch knows better
        watch = self._watch
        doing = "waiting for the response" if watch.first_byte is None else "reading the response"
        data = self._receive(self._pace(max_bytes), doing)
        watch.last_read = time.monotonic()
        if not data:
            watch.ended_by_peer = True
        elif watch.first_byte is None:
            watch.first_byte = watch.last_read
        return data

    def _receive(self, max_bytes: int, doing: str) -> bytes:
        seconds, failure = self._watch.allow(doing, self._watch.limits.read, may_hang_up=True)
        try:
            self._set_timeout(seconds)
            return self._sock.recv(max_bytes)
        except TimeoutError as error:
            raise recorded(self._watch, failure, httpcore.ReadTimeout) from error
        except ssl.SSLError as error:
            raise recorded(self._watch, Failure("tls", _reason(error)), httpcore.ReadError) from error
        except OSError as error:
            reason = f"{doing}: {error.strerror or error}"
            raise recorded(self._watch, Failure("cut", reason), httpcore.ReadError) from error

    def _pace(self, max_bytes: int) -> int:
        rate = self._watch.slow_read
        if rate is None:
            return max_bytes
        piece = max(1, int(rate / SLOW_STEPS))
        seconds, _ = self._watch.allow("reading slowly", piece / rate, may_hang_up=True)
        time.sleep(max(seconds, 0))
        return min(piece, max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  # the watch knows better
        rest = memoryview(buffer)
        while rest:
            if self._watch.sent is not None and self._refused_early():
                # Read the refusal while it is there: writing on would make the peer's reset destroy it.
                raise httpcore.WriteError("refused before all was sent")
            rest = rest[self._send(rest[:WRITE_PIECE]) :]
            self._watch.sent = time.monotonic()

    def _send(self, piece: memoryview) -> int:
        seconds, failure = self._watch.allow("sending the request", self._watch.limits.read)
        try:
            self._set_timeout(seconds)
            return self._sock.send(piece)
        except TimeoutError as error:
            raise recorded(self._watch, failure, httpcore.WriteTimeout) from error
        except OSError as error:
            reason = f"sending the request: {error.strerror or error}"
            raise recorded(self._watch, Failure("cut", reason), httpcore.WriteError) from error

    def _refused_early(self) -> bool:
        if isinstance(self._sock, ssl.SSLSocket):
            return False
        try:
            # MSG_DONTWAIT would not do: Python waits out the socket's own timeout all the same.
            self._sock.setblocking(False)
            return _REFUSAL.match(self._sock.recv(10, socket.MSG_PEEK)) is not None
        except OSError:
            return False

    def _set_timeout(self, seconds: float) -> None:
        if seconds <= 0:
            raise TimeoutError
        self._sock.settimeout(seconds)

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  # the watch knows better
    ) -> Stream:
        seconds, failure = self._watch.allow("shaking hands (TLS)", self._watch.limits.connect)
        try:
            self._set_timeout(seconds)
            return Stream(ssl_context.wrap_socket(self._sock, server_hostname=server_hostname), self._watch)
        except TimeoutError as error:
            self.close()
            raise recorded(self._watch, failure, httpcore.ConnectTimeout) from error
        except (OSError, ValueError) as error:
            self.close()
            raise recorded(self._watch, Failure("tls", _reason(error)), httpcore.ConnectError) from error

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._sock if isinstance(self._sock, ssl.SSLSocket) else None
        if info == "is_readable":  # asked of a kept connection: readable while idle means that the peer has closed it
            return bool(select.select([self._sock], [], [], 0)[0])
        return {"socket": self._sock}.get(info)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {error.verify_message}"
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)


class Backend(httpcore.NetworkBackend):
    """Makes the one connection of one exchange, elsewhere than the URL says if so told."""

    def __init__(self, watch: Watch, connect_to: tuple[str, int] | None) -> None:
        self._watch, self._connect_to = watch, connect_to

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # the watch knows better
        local_address: str | None = None,  # noqa: ARG002  # not offered
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002  # we set our own
    ) -> Stream:
        host, port = self._connect_to or (host, port)
        return Stream(dial(host, port, self._watch), self._watch)
