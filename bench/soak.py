"""Memory over a million requests: what is held after the first 50,000 is held at the end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # no types

from bench.clients import ROOT, command, unary
from bench.processes import BenchError, Machine, sink, started
from bench.rows import Row
from gateproof.load.log import FOLDER

REQUESTS, SETTLED = 1_000_000, 50_000
CLIENTS = 32
GOAL = 5.0  # % by which memory may grow
LOOK = 0.25  # s between two looks
LONGEST = 900.0  # s
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Log:
    """How many requests the log of a running run holds; each segment is looked at once."""

    folder: Path
    rows: int = 0
    _seen: set[str] = field(default_factory=set)

    def look(self) -> int:
        for file in self.folder.glob(f"reports/sink/load/latest/{FOLDER}/worker-*.parquet"):
            if file.name not in self._seen:
                self._seen.add(file.name)
                self.rows += _rows(file)
        return self.rows


def flat_memory(machine: Machine, work: Path) -> list[Row]:
    """Resident memory of all processes of the client, from 50,000 requests on."""
    log, samples = Log(work), []
    with (
        sink(machine, 1, 1) as serving,
        started(machine, command(serving, work, unary(CLIENTS, REQUESTS)), ROOT) as process,
    ):
        begun = time.monotonic()
        while process.poll() is None and log.look() < REQUESTS:  # behind the last request the report is made
            samples.append((log.rows, resident(process.pid)))
            if time.monotonic() - begun > LONGEST:
                raise BenchError(f"{log.rows:,} requests in {LONGEST:g} s")
            time.sleep(LOOK)
        seconds = time.monotonic() - begun
    settled = [held for rows, held in samples if rows >= SETTLED]
    if log.rows < REQUESTS or not settled:
        raise BenchError(f"the run ended after {log.rows:,} of {REQUESTS:,} requests")
    first, last = settled[0], settled[-1]
    detail = f"{first / 2**20:.0f} MiB, then {last / 2**20:.0f} MiB; {REQUESTS:,} requests in {seconds:.0f} s"
    return [Row("memory growth over 1,000,000 requests", (last / first - 1) * 100, GOAL, "<=", "%", detail)]


def resident(pid: int) -> int:
    """Bytes, of a process and all below it."""
    return sum(_resident(each) for each in _family(pid))


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return
    for child in children:
        yield from _family(int(child))


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _rows(file: Path) -> int:
    try:
        return int(pq.read_metadata(file).num_rows)
    except (pa.ArrowException, OSError):
        return 0
