"""A server on a raw socket that answers each connection with whatever a test writes, however wrong."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Handler = Callable[[socket.socket, bytes], None]


@dataclass
class Server:
    port: int
    requests: list[bytes] = field(default_factory=list)
    listener: socket.socket | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Listen no more; what is open stays so."""
        if self.listener is not None:
            with contextlib.suppress(OSError):
                # close() alone does not wake a thread that waits in accept().
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()


@contextlib.contextmanager
def serving(
    handler: Handler, *, tls: ssl.SSLContext | None = None, read_body: bool = True, first_bytes_only: bool = False
) -> Iterator[Server]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener.getsockname()[1], listener=listener)
    threads: list[threading.Thread] = []

    def serve(sock: socket.socket) -> None:
        # A handler that writes to a client which has gone is what these tests are about.
        with contextlib.suppress(OSError), contextlib.closing(sock):
            sock.settimeout(5)
            with contextlib.ExitStack() as stack:
                peer = stack.enter_context(tls.wrap_socket(sock, server_side=True)) if tls else sock
                request = peer.recv(65536) if first_bytes_only else _request(peer, read_body)
                server.requests.append(request)
                handler(peer, request)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                threads.append(threading.Thread(target=serve, args=(sock,), daemon=True))
                threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        server.close()
        acceptor.join(5)
        for thread in threads:
            thread.join(5)


def _request(sock: socket.socket, read_body: bool) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data and (more := sock.recv(65536)):
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    if read_body and b"transfer-encoding: chunked" in head.lower():
        while not body.endswith(b"0\r\n\r\n") and (more := sock.recv(65536)):
            body += more
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while read_body and lengths and len(body) < int(lengths[0]) and (more := sock.recv(65536)):
        body += more
    return head + b"\r\n\r\n" + body


def answer(body: bytes = b"", *headers: str, status: str = "200 OK") -> Handler:
    """One complete response with a content length."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return writes("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def writes(*pieces: bytes) -> Handler:
    """These very bytes, then the end of the connection."""

    def handler(sock: socket.socket, request: bytes) -> None:
        for piece in pieces:
            sock.sendall(piece)

    return handler


def until_gone(sock: socket.socket) -> None:
    """Wait until the client closes."""
    with contextlib.suppress(OSError):
        while sock.recv(65536):
            pass
