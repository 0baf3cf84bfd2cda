"""Two workers are one: the same schedule, each request once, also when one of them is killed in the middle."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]  # no types

from bench.clients import EXIT_VOID, ROOT, Ours, command, latest, open_loop, ours
from bench.processes import BenchError, Done, Machine, sink, started
from bench.rows import Row
from gateproof.load.log import FOLDER

RATE, SECONDS, TOKENS = 200.0, 8.0, 4
PATIENCE = 60.0  # s for a run to come to where it is to be disturbed, and to its end
LOOK = 0.05  # s between two looks


def two_workers(machine: Machine, work: Path) -> list[Row]:
    """The schedules and the requests of a run with one worker and of one with two."""
    machine = replace(machine, real_time=False)  # of two such processes on one processor, one would wait for the other
    runs = []
    for processes in (1, 2):
        with sink(machine, 20, 10) as serving:
            runs.append(ours(machine, serving, work, open_loop(RATE, SECONDS, TOKENS), processes))
    one, two = runs
    same = one.report["schedule"] == two.report["schedule"] and indices(one) == indices(two)
    once = indices(two) == list(range(len(indices(two))))
    detail = f"{len(indices(two)):,} requests, schedule {two.report['schedule']}"
    return [Row("two workers send what one does, each once", float(same and once), 1, ">=", "", detail)]


def one_killed(machine: Machine, work: Path) -> list[Row]:
    """A worker ended by SIGKILL in the middle: what it left is counted once, what it lost is named, the run is void."""
    machine = replace(machine, real_time=False)
    with (
        sink(machine, 20, 10) as serving,
        started(machine, command(serving, work, open_loop(RATE, SECONDS, TOKENS), 2), ROOT) as process,
    ):
        victim = _wait("a worker to be half through", lambda: _worker_of(work, process.pid))
        os.kill(victim, signal.SIGKILL)
        text, _ = process.communicate(timeout=PATIENCE)
        code = process.returncode
    run = latest(work, Done(code, text, 0.0, 0.0))
    found, reasons = indices(run), " ".join(run.report["verdict"]["reasons"])
    missing = run.report["spent"]["of_requests"] - len(found)
    named = missing > 0 and f"{missing} of " in reasons and "worker" in reasons
    honest = code == EXIT_VOID and named and len(found) == len(set(found))
    detail = f"exit {code}, {len(found):,} requests logged, {missing:,} named as missing"
    return [Row("a killed worker: void, nothing twice", float(honest), 1, ">=", "", detail)]


def indices(run: Ours) -> list[int]:
    """Every row of the log, those that stand there twice too."""
    files = sorted((run.folder / FOLDER).glob("worker-*.parquet"))
    return sorted(index for file in files for index in pq.read_table(file, columns=["index"])["index"].to_pylist())


def _worker_of(work: Path, wrapper: int) -> int | None:
    """A worker of the run, once the run's log has begun: the youngest descendant."""
    if not list(work.glob(f"reports/sink/load/latest/{FOLDER}/worker-*.parquet")):
        return None
    family = [wrapper]
    for pid in family:  # grows while it is read
        family += _children(pid)
    return family[-1] if len(family) > 2 else None


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except FileNotFoundError:
        return []


def _wait(what: str, look: Callable[[], Any]) -> Any:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if (found := look()) is not None:
            return found
        time.sleep(LOOK)
    raise BenchError(f"waited {PATIENCE:g} s for {what}")
