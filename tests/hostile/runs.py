"""One run of the toy project against a rogue, watched from outside: its time, its memory, all that it said."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.plugin.toy import Project

HANG_GUARD = 100.0  # s after which a run is taken for hung


@dataclass(frozen=True)
class Ended:
    """What a run left behind."""

    project: Project
    status: int
    output: str
    wall: float
    peak: int
    """Largest resident size of any of its processes, in bytes."""

    @cached_property
    def rows(self) -> dict[str, dict[str, Any]]:
        """The results by requirement."""
        return {row["id"]: row for row in self.project.report["requirements"]}

    def everything(self) -> str:
        """All that it printed or wrote."""
        return self.output + self.project.everything_written()


def run(project: Project, *options: str, environment: dict[str, str] | None = None) -> Ended:
    command = [sys.executable, "-m", "pytest", "--target", "toy", *options]
    output = Path(project.path, "output.txt")
    started = time.monotonic()
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=project.path,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        status, peak = waited_for(process)
    text = output.read_bytes().decode("utf-8", "replace")
    return Ended(project, status, text, time.monotonic() - started, peak)


def waited_for(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Exit status and peak memory; ``wait4`` tells the latter of this child and its own children alone."""
    until = time.monotonic() + HANG_GUARD
    while time.monotonic() < until:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage.ru_maxrss * 1024
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise AssertionError(f"the run did not end within {HANG_GUARD:g} s")
