"""Programs under measure: compiled, put on a processor of their own, and what they cost."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).parent
SERVER_CPU, CLIENT_CPU = 0, 1
LONGEST = 120.0  # s that one program may run; every case is meant to end far before
START = 5.0  # s in which the sink must listen
FIFO = 1  # the lowest real-time priority: above every ordinary process


class BenchError(Exception):
    """Nothing could be measured, and why."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where programs run. ``real_time`` (needs root) keeps other processes of the machine out of the figures."""

    programs: Path
    real_time: bool = False

    def on(self, cpu: int) -> contextlib.AbstractContextManager[None]:
        """What is started within runs on that processor, and so does all that it starts."""
        return _placed(cpu, real_time=self.real_time)


@dataclass(frozen=True, slots=True)
class Done:
    """A program that has ended: its exit code, what it said, and what it and its children cost."""

    code: int
    text: str
    cpu: float
    """Seconds of processor time, user and system."""
    seconds: float

    @property
    def end(self) -> str:
        """The last lines that it said."""
        return "\n".join(self.text.splitlines()[-8:])


def compiled(folder: Path) -> Path:
    """The C programs, built into ``folder``."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise BenchError("no C compiler: install one that is called `cc`")
    for source in SOURCES.glob("*.c"):
        done = subprocess.run(
            [compiler, "-O2", "-o", str(folder / source.stem), str(source)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BenchError(f"{source.name} does not compile:\n{done.stderr}")
    return folder


@contextlib.contextmanager
def _placed(cpu: int, *, real_time: bool) -> Iterator[None]:
    cpus, policy, priority = os.sched_getaffinity(0), os.sched_getscheduler(0), os.sched_getparam(0)
    if cpu not in cpus:
        raise BenchError(f"processor {cpu} is needed, and there are {sorted(cpus)}: server and client have one each")
    os.sched_setaffinity(0, {cpu})
    try:
        if real_time:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO))
        yield
    except PermissionError:
        raise BenchError("--real-time needs root") from None
    finally:
        os.sched_setscheduler(0, policy, priority)
        os.sched_setaffinity(0, cpus)


@dataclass
class Sink:
    """The server; ``truth`` is what it told at its end."""

    port: int
    process: subprocess.Popen[str]
    truth: dict[str, Any]


@contextlib.contextmanager
def sink(machine: Machine, ttft_ms: float, gap_ms: float) -> Iterator[Sink]:
    """A sink on its processor; its ``truth`` is there behind the block."""
    words = [str(machine.programs / "sse_sink"), "0", str(ttft_ms), str(gap_ms)]
    with machine.on(SERVER_CPU):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        told = process.stderr.readline()
        if not told.strip().isdigit():
            raise BenchError(f"the sink did not start: {told.strip()}")
        serving = Sink(int(told), process, {})
        yield serving
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=START)
        serving.truth.update(json.loads(out))
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def started(machine: Machine, words: Sequence[str], cwd: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A client on its processor, in a session of its own, which ends with the block."""
    with machine.on(CLIENT_CPU):
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ran(machine: Machine, words: Sequence[str], cwd: Path, **environment: str) -> Done:
    """Run a client to its end."""
    before, begun = _children(), time.monotonic()
    with started(machine, words, cwd, **environment) as process:
        try:
            text, _ = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            raise BenchError(f"still running after {LONGEST:g} s: {' '.join(words)}") from None
    return Done(process.returncode, text, _children() - before, time.monotonic() - begun)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
