"""Folders of load runs that never were, for the tests of their pages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.page import make_run
from gateproof.load.log import FOLDER
from gateproof.load.metrics.exposition import Buckets
from gateproof.load.metrics.samples import FOLDER as SERVER
from gateproof.load.metrics.samples import Sample, SampleWriter
from gateproof.load.run import LoadRun

SECOND = 1_000_000_000  # ns
REQUESTS, TOKENS = 3000, 8
SCRAPES = 6  # a second apart

HOSTILE = (
    "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1><svg/onload=window.hacked=1>"
    "'\"><!-- --><style>body{display:none}</style>{{ 7*7 }} ${window.hacked=1}{a}{b0}\u202etxt.exe\x00\x1b[31m"
)


def run_of(folder: Path, *, requests: int = REQUESTS, failed: float = 0.05, servers: bool = True) -> dict[str, Any]:
    """Make a run and its report; what the workers say of themselves is not there, so it is VOID."""
    make_run(folder, requests, TOKENS, failed)
    if servers:
        scrape(folder)
    return LoadRun.reopen(folder).finish()


def scrape(folder: Path, source: str = "upstream") -> None:
    """What a server could have said: gauges, counters, and a histogram with a mean of 80 ms."""
    writer = SampleWriter(folder / SERVER)
    for second in range(SCRAPES):
        at = second * SECOND
        named: dict[str, Any] = {"source": source, "at": at, "labels": "model_name=m"}
        count = 100.0 * second
        edges = Buckets((0.05, 0.1, math.inf), (0.0, count, count), 0.08 * count)
        page = [
            Sample(word="running", name="running", kind="gauge", value=3.0 + second, **named),
            Sample(word="waiting", name="waiting", kind="gauge", value=0.0, **named),
            Sample(word="kv_cache", name="kv", kind="gauge", value=0.25, **named),
            Sample(word="preemptions", name="preempted", kind="counter", value=2.0 * second, **named),
            Sample(word="prefix_hits", name="hits", kind="counter", value=30.0 * second, **named),
            Sample(word="prefix_queries", name="queries", kind="counter", value=40.0 * second, **named),
            Sample(word="ttft", name="ttft_seconds", kind="histogram", value=count, buckets=edges, **named),
        ]
        writer.page(source, at, SECOND // 100, page)
    writer.flush()


def with_overhead(told: Mapping[str, Any], name: str = "ttft") -> dict[str, Any]:
    """The report, as if it had been of a run against the backend itself."""

    def estimate(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 0.001, "high": value + 0.001}

    few: dict[str, Any] = {"value": 0.0005, "low": None, "high": None}
    stage = {"start": "sent", "pairs": 400, "blocks": 12, "gateway": 0.012, "direct": 0.01}
    stages = {
        name: {**stage, "median": estimate(0.002), "mean": estimate(0.003), "tail": estimate(0.004)},
        "connect": {**stage, "median": few, "mean": few, "tail": None},
    }
    return {**told, "overhead": {"unit": "s", "pairs": 400, "lost": {"gateway": 1, "direct": 0}, "stages": stages}}


def search_of(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of a search over three runs, of which the last is not there any more."""
    runs = []
    for number, (rate, judgement) in enumerate([(8.0, "met"), (16.0, "not met"), (12.0, "void")]):
        name = f"run-{number}"
        if number < 2:
            told = run_of(folder / name, requests=600)
        runs.append({"rate": rate, "length_s": 5.0, "judgement": judgement, "why": [f"why {rate:g}"], "folder": name})
    place = folder / "run-0-search"
    place.mkdir()
    found = {"unit": "requests/s", "met": 8.0, "not_met": 16.0, "limited_by_us": False, "complete": True}
    return place, {**told, "saturation": {**found, "objectives": ["ttft within 500 ms for 95 %"], "runs": runs}}


def valid(told: Mapping[str, Any]) -> dict[str, Any]:
    return {**told, "verdict": {"verdict": "VALID", "reasons": [], "notes": ["a note"]}}


def spoilt(folder: Path) -> Path:
    """One segment of the log cut short."""
    file = min((folder / FOLDER).glob("worker-*.parquet"))
    file.write_bytes(file.read_bytes()[:-100])
    return file
