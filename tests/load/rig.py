"""Whole load runs, as a person starts them, against a server of these tests' own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WITHIN = 60.0  # s; a hang guard: a run of these tests takes ten at most, and Locust seconds to start
LOOK = 0.02  # s
WELL = ("trust.slip_p99=10s", "trust.lag_p99=10s", "trust.cpu=100")
"""How late a busy machine makes us is no matter here."""


@dataclass(frozen=True)
class Rig:
    """``folder`` holds the file of targets and the reports."""

    folder: Path
    runs: list[Run] = field(default_factory=list)

    def targets(self, port: int, **more: Any) -> None:
        """One target, ``t``."""
        entry = {
            "stack": "openai",
            "base_url": f"http://127.0.0.1:{port}/v1",
            "models": {"chat": "m"},
            "load": {"allowed": True},
            **more,
        }
        (self.folder / "targets.yaml").write_text(json.dumps({"targets": {"t": entry}}))

    def start(
        self,
        rate: float,
        seconds: float,
        *settings: str,
        words: Sequence[str] = (),
        before: Callable[[], None] | None = None,
    ) -> Run:
        """A run at a constant rate; ``before`` happens in its process before it starts."""
        chosen = [
            *("--target", "t", "--report-dir", str(self.folder / "reports")),
            *self._set("arrivals.kind=constant", f"arrivals.rate={rate}", *WELL, *settings),
            *self._set(f"phases=[{{name: only, duration: {seconds}s}}]"),
        ]
        return self.command(*chosen, *words, before=before)

    def resume(self, run: Path, *words: str) -> Run:
        return self.command("--resume", str(run), *words)

    def command(self, *words: str, before: Callable[[], None] | None = None) -> Run:
        """``gateproof load`` with the file of targets."""
        said = self.folder / "said.txt"
        with said.open("wb") as out:
            process = subprocess.Popen(
                [
                    Path(sys.executable).with_name("gateproof"),
                    "load",
                    *words,
                    "--targets",
                    self.folder / "targets.yaml",
                ],
                cwd=ROOT,
                stdout=out,
                stderr=subprocess.STDOUT,
                preexec_fn=before,  # noqa: PLW1509 - nothing else runs here
            )
        self.runs.append(Run(process, said, self.folder / "reports" / "t" / "load"))
        return self.runs[-1]

    def report(self, run: Path) -> int:
        """``gateproof report``: its exit code."""
        words = [str(Path(sys.executable).with_name("gateproof")), "report", str(run)]
        return subprocess.run(words, cwd=ROOT, check=False, timeout=WITHIN, stdout=subprocess.DEVNULL).returncode

    @staticmethod
    def _set(*settings: str) -> list[str]:
        return [word for setting in settings for word in ("--set", setting)]


@dataclass(frozen=True)
class Run:
    process: subprocess.Popen[bytes]
    said: Path
    reports: Path

    @property
    def folder(self) -> Path:
        return (self.reports / "latest").resolve()

    @property
    def text(self) -> str:
        return self.said.read_text()

    def code(self) -> int:
        """When it has ended."""
        try:
            return self.process.wait(WITHIN)
        finally:
            self.process.kill()

    def report(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return told

    def logs(self, workers: int = 1) -> None:
        """Wait until a part of each worker's log is there."""
        until(lambda: all(any(self.reports.glob(f"latest/log/worker-{n}-*.parquet")) for n in range(workers)))

    def loading(self) -> list[int]:
        """Locust's processes, the master first: it has forked the others."""
        return [pid for pid in processes(self.said.parent) if pid != self.process.pid]

    def kill(self) -> None:
        """As when the machine loses its power: whatever belongs to the run is gone at once."""
        for pid in processes(self.said.parent):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


def processes(folder: Path) -> list[int]:
    """Those that were started with something in ``folder``, in the order of their start."""
    return sorted(int(each.name) for each in Path("/proc").glob("[0-9]*") if str(folder) in _words(each))


def _words(process: Path) -> str:
    try:
        return (process / "cmdline").read_text()
    except OSError:  # it has just ended
        return ""


def until(true: Callable[[], bool], within: float = WITHIN) -> None:
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end, f"not so within {within:g} s"
        time.sleep(LOOK)


@dataclass(frozen=True)
class Served:
    """A server and its port."""

    process: subprocess.Popen[str]
    port: int

    def streams(self, number: int) -> None:
        """Wait until it has begun so many more."""
        assert self.process.stdout is not None
        for _ in range(number):
            assert self.process.stdout.readline(), "the server has ended"


@contextmanager
def serving(mode: str = "well", certificate: Path | None = None) -> Iterator[Served]:
    words = [sys.executable, "-m", "tests.load.server", mode, *([str(certificate)] if certificate else [])]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Served(process, int(process.stdout.readline()))
        finally:
            process.kill()


def listening(port: int) -> None:
    """Wait until somebody listens there."""

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return True
        return False

    until(answers)
