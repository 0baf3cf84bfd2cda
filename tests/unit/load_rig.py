"""A server of the tests' own that answers as a function says, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from gateproof.targets.model import Target

Answer = tuple[int, Any]


@dataclass(frozen=True)
class Heard:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Told:
    """``answer`` gets every request; what it returns is sent as JSON."""

    answer: Callable[[Heard], Answer]
    heard: list[Heard] = field(default_factory=list)
    url: str = ""

    def target(self, **more: Any) -> Target:
        entry = {"name": "t", "stack": "openai", "base_url": f"{self.url}/v1", "models": {"chat": "m"}}
        return Target.model_validate({**entry, **more})


@contextmanager
def serving(answer: Callable[[Heard], Answer]) -> Iterator[Told]:
    told = Told(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            heard = Heard(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, _body(content))
            told.heard.append(heard)
            status, answer = told.answer(heard)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer  # noqa: N815 - the names are http.server's

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _body(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content


def words(body: Any) -> int:
    """As a tokenizer with one token for each word."""
    if "messages" in body:
        return sum(len(message["content"].split()) for message in body["messages"])
    return len(body.get("prompt", body.get("input", "")).split())
