"""A gateway process in front of an upstream that each test scripts byte by byte."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from gateproof.stack import config
from gateproof.stack.supervisor import Stack

PATIENCE = 5.0  # s that any single step of a test may take

USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}


@dataclass
class Request:
    """What the upstream got, and when the gateway hung up on it."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes
    hung_up: threading.Event = field(default_factory=threading.Event)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Peer:
    """The upstream's end of one connection, while one request is answered."""

    def __init__(self, sock: socket.socket, request: Request) -> None:
        self.sock, self.request = sock, request

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        self.send(b"0\r\n\r\n")

    def json(self, value: Any, status: int = 200) -> None:
        self.reply(json.dumps(value).encode(), status=status)

    def reply(self, body: bytes, *, status: int = 200, kind: str = "application/json", extra: str = "") -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{extra}content-length: {len(body)}\r\n\r\n"
        self.send(head.encode() + body)

    def stream_head(self, extra: str = "") -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{extra}transfer-encoding: chunked\r\n\r\n"
        self.send(head.encode())

    def wait_for_hang_up(self) -> None:
        self.sock.settimeout(PATIENCE)
        with contextlib.suppress(OSError):
            if self.sock.recv(1) == b"":
                self.request.hung_up.set()
            return
        self.request.hung_up.set()

    def cut(self) -> None:
        self.sock.shutdown(socket.SHUT_RDWR)


Script = Callable[[Peer], None]


def completion(peer: Peer) -> None:
    """The plain answer to a chat call."""
    model = json.loads(peer.request.body)["model"]
    message = {"role": "assistant", "content": "hi"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    peer.json(
        {"id": "c", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": USAGE}
    )


class Upstream:
    """A server whose answer is whatever `script` does; every request is kept."""

    def __init__(self) -> None:
        self.script: Script = completion
        self.requests: list[Request] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for sock in self._open:
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock, sock.makefile("rb") as reader:
            while line := reader.readline():
                parsed = http.client.parse_headers(reader)
                headers = [(name.lower(), value) for name, value in parsed.items()]
                body = reader.read(int(parsed.get("content-length", 0)))
                request = Request(line.decode().strip(), headers, body)
                if "/health" in request.line:
                    Peer(sock, request).reply(b"{}")
                    continue
                self.requests.append(request)
                self.script(Peer(sock, request))

    @property
    def last(self) -> Request:
        return self.requests[-1]


class Rig:
    """The gateway, two upstreams behind it, and a client."""

    def __init__(self, stack: Stack, a: Upstream, b: Upstream) -> None:
        line = stack.ready_line()
        self.url, self.control, self.a, self.b = line["gateway"], line["gateway_control"], a, b
        self.client = httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False)

    def fresh(self) -> None:
        """As at the start: nothing seen, nothing used, both upstreams well."""
        for upstream in (self.a, self.b):
            upstream.script = completion
            upstream.requests.clear()
        httpx.post(f"{self.control}/reset", trust_env=False)

    def post(self, path: str = "/v1/chat/completions", *, key: str = "sk-main", **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"}
        return self.client.post(path, json={"model": "m", **body}, headers=headers)

    def open(self, body: dict[str, Any], *, key: str = "sk-main") -> socket.socket:
        """A raw connection with one request sent."""
        host, port = self.url.removeprefix("http://").split(":")
        content = json.dumps(body).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        sock = socket.create_connection((host, int(port)), timeout=PATIENCE)
        sock.sendall(head.encode() + content)
        return sock


def eventually(holds: Callable[[], bool], within: float = PATIENCE) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.01)
    return holds()


@contextlib.contextmanager
def rig_with(**gateway: Any) -> Iterator[Rig]:
    """A running gateway with the given settings on top of two unlimited tenants and three models."""
    a, b = Upstream(), Upstream()
    settings = {
        "engines": {"a": a.url, "b": b.url},
        "keys": {"sk-main": "main", "sk-other": "other"},
        "tenants": {"main": {}, "other": {"models": ["m"]}},
        "models": {"m": {}, "alias": {"alias_of": "m"}, "chat-only": {"apis": ["chat"]}},
        "admin_key": "sk-admin",
    }
    for name, value in gateway.items():
        settings[name] = {**settings[name], **value} if isinstance(settings.get(name), dict) else value
    try:
        with Stack(config.Stack(engines=(), gateway=settings)) as stack:
            rig = Rig(stack, a, b)
            yield rig
            rig.client.close()
    finally:
        a.close()
        b.close()
