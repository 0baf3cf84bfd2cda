"""The parent of the stack: two engines and the gateway, each in its own process, none of which outlives it.

Each child has a pipe as standard input and ends at its end, so that even a killed supervisor leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any, Self

from gateproof.errors import LaunchError
from gateproof.stack import config
from gateproof.stack.process import LOOPBACK

START_TIMEOUT = 20.0  # s; a start takes half a second, a machine under full load twenty times that
POLL = 0.01  # s between looks at a starting child
WATCH = 0.2  # s between looks at the children while the stack runs
STOP_TIMEOUT = 2.0  # s until a child that ignores the end of its standard input is killed
LOG_TAIL = 2000  # characters of the log in an error message


class Reserved:
    """A port that nobody else gets before the child listens on it.

    Bound without SO_REUSEADDR, so that the kernel gives it to no other; the option set afterwards lets the child,
    and only one that asks for it by number, bind it too while nobody listens.
    """

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if port:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((LOOPBACK, port))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.number: int = self._socket.getsockname()[1]
        self.url = f"http://{LOOPBACK}:{self.number}"

    def free(self) -> None:
        self._socket.close()


class Stack:
    """The running stack; use as a context manager."""

    def __init__(self, settings: config.Stack) -> None:
        self.settings = settings
        self._log: IO[bytes] | None = open_log(settings.log)
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._ports: dict[str, Reserved] = {}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()

    def ready_line(self) -> dict[str, Any]:
        """Where everything is; what the supervisor prints."""
        engines = {
            name: {"url": self._ports[name].url, "control": self._ports[f"{name}_control"].url}
            for name in self.settings.engines
        }
        line: dict[str, Any] = {"engines": engines, "pids": {name: child.pid for name, child in self._children.items()}}
        if self.settings.gateway is not None:
            line["gateway"] = self._ports["gateway"].url
            line["gateway_control"] = self._ports["gateway_control"].url
        return line

    def dead(self) -> str | None:
        """The name of a child that has ended, if any has."""
        return next((name for name, child in self._children.items() if child.poll() is not None), None)

    def stop(self) -> None:
        """End all children: first by the end of their input, then by force."""
        for child in self._children.values():
            if child.stdin is not None:
                child.stdin.close()
        deadline = time.monotonic() + STOP_TIMEOUT
        for child in self._children.values():
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for port in self._ports.values():
            port.free()
        if self._log is not None:
            self._log.close()

    def _start(self) -> None:
        for name in self.settings.engines:
            models = [f"--model={model}" for model in self.settings.models]
            self._spawn(name, "gateproof.stack.engine", "--name", name, *models)
        if self.settings.gateway is not None:
            self._spawn("gateway", "gateproof.stack.gateway")
            self._tell("gateway", self.gateway_settings(self.settings.gateway))
        deadline = time.monotonic() + START_TIMEOUT
        for name in self._children:
            for port in (name, f"{name}_control"):
                self._wait_until_listening(name, self._ports[port].number, deadline)
        self._wear_on_engines()

    def gateway_settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The gateway's part of the configuration, with the places of the engines in it."""
        engines = {name: self._ports[name].url for name in self.settings.engines}
        faults = [*given.get("faults", ()), *self.settings.faults]
        return {**given, "engines": {**engines, **given.get("engines", {})}, "faults": faults}

    def _spawn(self, name: str, module: str, *arguments: str) -> None:
        for port in (name, f"{name}_control"):
            self._ports[port] = Reserved(self.settings.ports.get(port, 0))
        ports = ["--port", str(self._ports[name].number), "--control-port", str(self._ports[f"{name}_control"].number)]
        out = self._log if self._log is not None else sys.stderr
        self._children[name] = subprocess.Popen(
            [sys.executable, "-m", module, *arguments, *ports],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            start_new_session=True,  # Ctrl-C is for the supervisor, which ends its children in order
        )

    def _tell(self, name: str, value: Mapping[str, Any]) -> None:
        pipe = self._children[name].stdin
        assert pipe is not None
        pipe.write(json.dumps(value).encode() + b"\n")
        pipe.flush()

    def _wait_until_listening(self, name: str, port: int, deadline: float) -> None:
        child = self._children[name]
        while not answers(port):
            if child.poll() is not None or time.monotonic() > deadline:
                how = "ended" if child.poll() is not None else f"did not listen within {START_TIMEOUT:.0f} s"
                raise LaunchError(f"stack process {name} {how}{self._log_tail()}")
            time.sleep(POLL)

    def _log_tail(self) -> str:
        if self._log is None or self.settings.log is None:
            return ""
        return "\n" + Path(self.settings.log).read_text(errors="replace")[-LOG_TAIL:]

    def _wear_on_engines(self) -> None:
        if self.settings.faults:
            for name in self.settings.engines:
                put_json(self._ports[f"{name}_control"].number, "/faults", {"names": list(self.settings.faults)})


def open_log(path: str | None) -> IO[bytes] | None:
    """The file that all children write to; none means the supervisor's standard error."""
    return None if path is None else Path(path).open("ab")


def answers(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def put_json(port: int, path: str, value: object) -> None:
    """One small PUT; no HTTP client, which would cost a tenth of a second of start-up."""
    body = json.dumps(value).encode()
    head = f"PUT {path} HTTP/1.1\r\nhost: {LOOPBACK}\r\nconnection: close\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.create_connection((LOOPBACK, port), timeout=START_TIMEOUT) as connection:
        connection.sendall(head.encode() + body)
        reply = connection.recv(4096)
    if b" 200 " not in reply.split(b"\r\n", 1)[0]:
        raise LaunchError(f"the stack refused {path}: {reply[:200]!r}")


def run() -> int:
    """Read the configuration, start, tell where, and stay until standard input ends or a child dies."""
    signal.signal(signal.SIGTERM, _leave)
    settings = config.stack_from(json.loads(sys.stdin.buffer.readline() or b"{}"))
    with Stack(settings) as stack:
        print(json.dumps(stack.ready_line()), flush=True)
        while not at_end_of_input():
            if (name := stack.dead()) is not None:
                print(f"stack process {name} has ended", file=sys.stderr)
                return 1
    return 0


def at_end_of_input() -> bool:
    """Wait a moment for standard input; what it says is dropped, that it ends counts."""
    readable, _, _ = select.select([sys.stdin.fileno()], [], [], WATCH)
    return bool(readable) and not os.read(sys.stdin.fileno(), 4096)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
