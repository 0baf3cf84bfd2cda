"""Whole load runs on the disk, made by the code that makes real ones, of latencies that a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateproof.load.histogram import Histogram
from gateproof.load.log import FOLDER, Writer
from gateproof.load.profile import Profile
from gateproof.load.run import LoadRun
from gateproof.load.verdict import WorkerSelf
from gateproof.targets.model import Target

MS = 1_000_000  # ns
TOKENS = 32
GAP_US = 10_000

Floats = NDArray[np.float64]
Latency = Callable[[np.random.Generator, int], Floats]
"""Milliseconds from when each of so many requests was due to its first token."""


def lognormal(median: float, spread: float = 0.3) -> Latency:
    return lambda random, number: median * np.exp(random.normal(0.0, spread, number))


def profile(**more: Any) -> Profile:
    plain: dict[str, Any] = {
        "name": "p",
        "arrivals": {"kind": "poisson", "rate": 40},
        "phases": [{"name": "warm-up", "duration": 5, "counted": False}, {"name": "steady", "duration": 60}],
    }
    return Profile.model_validate({**plain, **more})


def target(name: str = "mine", **more: Any) -> Target:
    plain = {"name": name, "stack": "openai", "base_url": "http://127.0.0.1:9", "models": {"chat": "m"}}
    return Target.model_validate({**plain, **more})


def made(
    root: Path,
    ttft: Latency,
    *,
    noise: int = 1,
    of: Profile | None = None,
    tested: Target | None = None,
    versions: Mapping[str, str] | None = None,
    failed: float = 0.0,
    lost_worker: bool = False,
) -> Path:
    """The folder of a run. ``failed`` is the share of requests that a status 500 ended; a lost worker makes it void."""
    run = LoadRun.create(root, tested or target(), of or profile(), 1, versions=versions)
    if not lost_worker:
        run.selves[0] = WorkerSelf(0, len(run.schedule), 0.1, Histogram())
    random = np.random.default_rng(noise)
    latencies = ttft(random, len(run.schedule))
    writer = Writer(run.folder / FOLDER, 0)
    for index, latency in enumerate(latencies):
        due, phase = int(run.schedule.times[index] * 1e9), int(run.schedule.phase[index])
        well = random.random() >= failed
        writer.add({**_row(due, float(latency), well=well), "index": index, "phase": phase}, _gaps(random, well))
    writer.flush()
    run.finish()
    return run.folder


def _row(due: int, latency: float, *, well: bool) -> dict[str, Any]:
    left = {"worker": 0, "part": 0, "scheduled": due, "dispatched": due + MS // 10, "sent": due + MS // 5}
    if not well:
        return {**left, "outcome": "server error", "status": 500, "ended": due + MS}
    first = due + int(latency * MS)
    last = first + (TOKENS - 1) * GAP_US * 1000
    instants = {"first_byte": first, "first_event": first, "first_token": first, "read_first_token": first}
    tokens = {"asked_input": 64, "prompt_tokens": 64, "asked_output": TOKENS, "completion_tokens": TOKENS}
    return {**left, **instants, **tokens, "last_token": last, "ended": last, "outcome": "ok", "status": 200}


def _gaps(random: np.random.Generator, well: bool) -> NDArray[np.int64]:
    number = TOKENS - 1 if well else 0
    return (GAP_US * np.exp(random.normal(0.0, 0.1, number))).astype(np.int64)
