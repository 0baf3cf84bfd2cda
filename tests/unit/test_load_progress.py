"""The line that a person sees: sums of what all workers told, and what got lost on the way."""

from __future__ import annotations

from typing import Any

import pytest

from gateproof.load.histogram import Histogram
from gateproof.load.progress import Progress
from gateproof.load.recorder import LIVE

MS = 1_000_000  # ns


def news(sequence: int, *ttft: int, in_flight: int = 0, **outcomes: int) -> dict[str, Any]:
    live = {name: Histogram() for name in LIVE}
    for value in ttft:
        live["ttft"].add(value)
    plain = {name: histogram.to_plain() for name, histogram in live.items()}
    counted = {word.replace("_", " "): count for word, count in outcomes.items()}
    return {"sequence": sequence, "live": plain, "outcomes": counted, "in_flight": in_flight}


def test_the_line_sums_what_all_workers_told() -> None:
    progress = Progress()
    progress.hear("a", news(1, 100 * MS, ok=1, in_flight=5))
    progress.hear("b", news(1, 300 * MS, 300 * MS, ok=2, server_error=1, in_flight=1))
    progress.hear("a", news(2, ok=3, in_flight=2))
    assert progress.line() == "6 ok, 1 server error, 3 open; TTFT 300.0 (p99 300.0), TPOT –, slip p99 – ms"


@pytest.mark.parametrize(
    ("numbers", "lost"),
    [([1, 2, 3], 0), ([1, 2, 5], 2), ([2], 1), ([1, 2, 1, 2], 0), ([1, 2, 2], 1)],
    ids=["none", "two", "the first", "another run", "another run's first"],
)
def test_a_report_that_is_missing_shows(numbers: list[int], lost: int) -> None:
    progress = Progress()
    for number in numbers:
        progress.hear("a", news(number))
    assert progress.lost == lost
    assert ("were lost" in progress.line()) == bool(lost)
