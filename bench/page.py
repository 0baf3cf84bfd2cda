"""How long the load page takes, and in how much memory: ``python -m bench.page [--requests N] [--tokens N]``.

Makes the log of a run that never was, 1,000,000 requests by default, and builds numbers and page from it in a process
of its own, whose time and peak memory are printed. Issue: under 20 s and 1 GB.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # no types
from numpy.typing import NDArray

from gateproof.load.log import FLUSH_ROWS, FOLDER, SCHEMA
from gateproof.load.profile import Profile
from gateproof.load.run import FACTS

RATE = 500.0  # requests/s
SEED = 5
WORKERS = 2
GOAL_SECONDS, GOAL_BYTES = 20.0, 1e9
FAILED = 0.01  # share of requests, each with an error text of its own


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--tokens", type=int, default=32, help="of each answer")
    parser.add_argument("--failed", type=float, default=FAILED, help="share of requests that fail")
    parser.add_argument("--keep", type=Path, help="make the run here and leave it")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure is not None:
        return _measure(asked.measure)
    with tempfile.TemporaryDirectory() as aside:
        folder = asked.keep or Path(aside) / "run"
        make_run(folder, asked.requests, asked.tokens, asked.failed)
        done = subprocess.run([sys.executable, "-m", "bench.page", "--measure", folder], check=False)
    return done.returncode


def make_run(folder: Path, requests: int, tokens: int, failed: float = FAILED) -> None:
    """A folder as a run leaves it; the same for the same arguments."""
    generator = np.random.default_rng(SEED)
    duration = requests / RATE
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    phases = [
        {"name": "warm-up", "duration": duration * 0.1, "counted": False},
        {"name": "steady", "duration": duration * 0.9},
    ]
    profile = {"name": "made up", "arrivals": {"kind": "constant", "rate": RATE}, "phases": phases}
    (folder / FACTS).write_text(json.dumps(_facts(Profile.model_validate(profile), requests)), encoding="utf-8")
    for worker in range(WORKERS):
        for segment, index in enumerate(_shares(np.arange(worker, requests, WORKERS))):
            table = _segment(generator, index, tokens, failed, duration * 0.1)
            file = folder / FOLDER / f"worker-{worker}-{segment:06}.parquet"
            pq.write_table(table, file, compression="zstd")


def _shares(index: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return np.array_split(index, range(FLUSH_ROWS, len(index), FLUSH_ROWS))


def _facts(profile: Profile, requests: int) -> dict[str, object]:
    return {
        "target": {
            "name": "made-up",
            "url": "http://127.0.0.1:1",
            "dialect": "vllm",
            "description": None,
            "versions": {},
        },
        "profile": profile.model_dump(mode="json"),
        "seed": profile.seed,
        "schedule": "",
        "workers": WORKERS,
        "prompts": [],
        "suite": {"version": "0", "command": None},
        "machine": {"system": "none", "python": "3", "cpus": 1, "usable_cpus": 1},
        "bound": {"requests": requests, "tokens": requests * 1000},
        "started": "2026-01-01T00:00:00+00:00",
    }


def _segment(
    generator: np.random.Generator, index: NDArray[np.int64], tokens: int, failed: float, warm: float
) -> pa.Table:
    number = len(index)
    scheduled = (index / RATE * 1e9).astype(np.int64)
    asked = generator.lognormal(5, 0.7, number).astype(np.int32) + 1
    dispatched = scheduled + generator.exponential(2e5, number).astype(np.int64)
    sent = dispatched + 50_000
    first = sent + (generator.lognormal(-2.5, 0.4, number) * 1e9 + asked * 2e5).astype(np.int64)
    gaps = generator.lognormal(9.5, 0.5, (number, tokens - 1)).astype(np.int32)  # us
    last = first + gaps.sum(axis=1, dtype=np.int64) * 1000
    bad = generator.random(number) < failed
    words = np.where(bad, np.where(index % 3 == 0, "server error", "cut"), "ok")
    details = [f"upstream {i} said: connection {i * 7919} lost" if b else None for i, b in zip(index, bad, strict=True)]
    none = pa.nulls(number, pa.int64())
    columns = {
        "index": index,
        "worker": (index % WORKERS).astype(np.int16),
        "phase": (scheduled / 1e9 >= warm).astype(np.int16),
        "part": np.zeros(number, np.int16),
        "scheduled": scheduled,
        "dispatched": dispatched,
        "connected": none,
        "secured": none,
        "sent": sent,
        **{name: pa.array(first, mask=bad) for name in ("first_byte", "first_event", "first_token", "first_visible")},
        "last_token": pa.array(last, mask=bad),
        "ended": last,
        "read_first_token": pa.array(first, mask=bad),
        "outcome": pa.array(words).dictionary_encode(),
        "detail": pa.array(details, pa.string()),
        "status": np.full(number, 200, np.int16),
        "reused": np.ones(number, bool),
        "events": np.full(number, tokens, np.int32),
        "bytes": np.full(number, tokens * 200, np.int64),
        "asked_input": asked,
        "asked_output": np.full(number, tokens, np.int32),
        "prompt_tokens": pa.array(asked, mask=bad),
        "completion_tokens": pa.array(np.full(number, tokens, np.int32), mask=bad),
        "cached_tokens": pa.nulls(number, pa.int32()),
    }
    offsets = pa.array(np.arange(number + 1, dtype=np.int32) * (tokens - 1))
    lists = pa.ListArray.from_arrays(offsets, pa.array(gaps.ravel()))
    arrays = [pa.array(columns[name]).cast(SCHEMA.field(name).type) for name in columns]
    return pa.Table.from_arrays([*arrays, lists], schema=SCHEMA)


def _measure(folder: Path) -> int:
    """Numbers and page from the log alone, as ``gateproof report`` does."""
    from gateproof.load.run import LoadRun  # noqa: PLC0415  # what is imported late counts as well

    begun = time.perf_counter()
    LoadRun.reopen(folder).finish()
    seconds, busy, peak = time.perf_counter() - begun, time.process_time(), _peak()
    files = {file.name: file.stat().st_size for file in sorted(folder.iterdir()) if file.is_file()}
    kept = seconds <= GOAL_SECONDS and peak <= GOAL_BYTES
    verdict = "kept" if kept else "MISSED"
    print(f"{seconds:.1f} s of {GOAL_SECONDS:g} ({busy:.1f} s of a processor)")
    print(f"{peak / 1e6:.0f} MB of {GOAL_BYTES / 1e6:.0f}: {verdict}")
    print(", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in files.items()))
    return 0 if kept else 1


def _peak() -> int:
    """Bytes that were resident at most. Not ``ru_maxrss``, which begins with what the parent had."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]  # Linux always has it


if __name__ == "__main__":
    sys.exit(main())
