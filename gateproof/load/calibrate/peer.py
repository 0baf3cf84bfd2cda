"""A server that knows when it wrote each event: ``python -m gateproof.load.calibrate.peer``, in a process of its own.

It prints its port. A POST is answered with an event stream as its headers ask; ``GET /instants`` tells when every event
of every stream went out, and forgets it. One thread, one epoll set, no gevent: nothing is shared with what is measured.
"""

from __future__ import annotations

import heapq
import json
import select
import socket
import time
from dataclasses import dataclass, field

INDEX, TOKENS, FIRST_US, GAP_US = b"x-index", b"x-tokens", b"x-first-us", b"x-gap-us"
"""Headers of a request: its number, its tokens, microseconds to the first and between the others."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
READ = 64 * 1024
STDIN = 0  # a pipe that nobody writes to
BACKLOG = 4096
IDLE = 0.2  # s between two looks at nothing


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _event(finish: str | None) -> bytes:
    choice = {"index": 0, "delta": {"content": " word"}, "logprobs": None, "finish_reason": finish}
    whole = {
        "id": "chatcmpl-0",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "m",
        "choices": [choice],
    }
    return _chunk(b"data: %s\n\n" % json.dumps(whole).encode())


TOKEN, LAST = _event(None), _event("length")


def _end(tokens: int) -> bytes:
    usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1}
    data = b"data: %s\n\ndata: [DONE]\n\n" % json.dumps({"choices": [], "usage": usage}).encode()
    return _chunk(data) + b"0\r\n\r\n"


@dataclass(eq=False)
class Stream:
    """One answer under way. ``before`` and ``after`` each write of an event: ns of the monotonic clock."""

    sock: socket.socket
    index: int
    left: int
    gap: int
    before: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)


class Peer:
    """``serve`` runs until the standard input ends: with whoever has started it, whatever ends that."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)
        self._epoll.register(STDIN, select.EPOLLIN)
        self._socks: dict[int, socket.socket] = {}
        self._unread: dict[int, bytes] = {}
        self._due: list[tuple[int, int, Stream]] = []
        self._streams: list[Stream] = []

    def serve(self) -> None:
        while True:
            wait = (self._due[0][0] - time.monotonic_ns()) / 1e9 if self._due else IDLE
            for fd, _ in self._epoll.poll(max(0.0, wait)):
                if fd == STDIN:
                    return
                if fd == self._listener.fileno():
                    self._accept()
                else:
                    self._read(fd)
            self._write_due()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socks[sock.fileno()] = sock
            self._epoll.register(sock, select.EPOLLIN)

    def _read(self, fd: int) -> None:
        sock = self._socks[fd]
        try:
            data = sock.recv(READ)
        except ConnectionError:
            data = b""
        if not data:
            self._epoll.unregister(fd)
            del self._socks[fd]
            self._unread.pop(fd, None)
            sock.close()
            return
        data = self._unread.pop(fd, b"") + data
        head, end, _ = data.partition(b"\r\n\r\n")  # requests have no body here
        if not end:
            self._unread[fd] = data
        elif head.startswith(b"GET"):
            self._tell(sock)
        else:
            self._begin(sock, head)

    def _begin(self, sock: socket.socket, head: bytes) -> None:
        asked = {name.lower(): value for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n"))}
        stream = Stream(sock, int(asked[INDEX]), int(asked[TOKENS]), int(asked[GAP_US]) * 1000)
        sock.send(HEAD)
        self._streams.append(stream)
        due = time.monotonic_ns() + int(asked[FIRST_US]) * 1000
        heapq.heappush(self._due, (due, stream.index, stream))

    def _write_due(self) -> None:
        now = time.monotonic_ns()
        while self._due and self._due[0][0] <= now:
            due, index, stream = self._due[0]
            try:
                self._write(stream)
            except OSError:  # who asked is gone
                stream.left = 0
            if stream.left:
                heapq.heapreplace(self._due, (due + stream.gap, index, stream))
            else:
                heapq.heappop(self._due)

    def _write(self, stream: Stream) -> None:
        stream.left -= 1
        event = TOKEN if stream.left else LAST
        stream.before.append(time.monotonic_ns())
        stream.sock.send(event)
        stream.after.append(time.monotonic_ns())
        if not stream.left:
            stream.sock.send(_end(len(stream.before)))

    def _tell(self, sock: socket.socket) -> None:
        told = {stream.index: [stream.before, stream.after] for stream in self._streams}
        self._streams = []
        data = json.dumps(told).encode()
        sock.setblocking(True)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data))
        sock.sendall(data)
        sock.setblocking(False)


if __name__ == "__main__":
    peer = Peer()
    print(peer.port, flush=True)
    peer.serve()
