"""An engine in a process of its own, as the stack starts it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from gateproof.launch.ports import free_ports

START = 10.0  # s that a start may take on a busy machine
SEEN = 2.0  # s until the ledger must tell what happened


class Engine:
    """Calls to one engine and to its control port."""

    def __init__(self, port: int, control: int) -> None:
        self.port = port
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10)
        self.control = httpx.Client(base_url=f"http://127.0.0.1:{control}", trust_env=False, timeout=10)

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.http.post(path, json=body)

    def chat(self, prompt: str = "ping", **fields: Any) -> httpx.Response:
        return self.post("/v1/chat/completions", **chat_body(prompt, **fields))

    def complete(self, prompt: Any = "ping", **fields: Any) -> Any:
        return self.post("/v1/completions", model="chat-a", prompt=prompt, **fields).json()

    def seen(self, nonce: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control.get("/seen", params={"nonce": nonce}).json()["requests"]
        return found

    def ended(self, nonce: str) -> dict[str, Any]:
        """The one request with this nonce, once it has ended."""
        deadline = time.monotonic() + SEEN
        while (found := self.seen(nonce)) and found[0]["ended"] is None and time.monotonic() < deadline:
            time.sleep(0.01)
        (only,) = found
        return only

    def counters(self) -> dict[str, int]:
        found: dict[str, int] = self.control.get("/counters").json()
        return found


def chat_body(prompt: str = "ping", **fields: Any) -> dict[str, Any]:
    return {"model": "chat-a", "messages": [{"role": "user", "content": prompt}], **fields}


def ordered(prompt: str = "ping", **orders: Any) -> str:
    """A prompt with orders in it."""
    return f"{prompt} <<gateproof:{json.dumps(orders)}>>"


@contextmanager
def running_engine(*arguments: str, name: str = "a") -> Iterator[Engine]:
    port, control = free_ports(2)
    ports = ["--port", str(port), "--control-port", str(control)]
    command = [sys.executable, "-m", "gateproof.stack.engine", "--name", name, *ports, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        engine = Engine(port, control)
        try:
            wait_until_ready(engine, process)
            yield engine
        finally:
            engine.http.close()
            engine.control.close()
            process.kill()


def wait_until_ready(engine: Engine, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START
    while True:
        try:
            engine.control.get("/counters")
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def events(body: str) -> list[Any]:
    """The data of each event; JSON where it is."""
    lines = [line.removeprefix("data:").strip() for line in body.splitlines() if line.startswith("data:")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def contents(body: str) -> list[str]:
    """The pieces of content of a streamed chat."""
    deltas = [event["choices"][0]["delta"] for event in events(body) if event != "[DONE]" and event.get("choices")]
    return [delta["content"] for delta in deltas if delta.get("content")]
