"""What a person sees while a run goes on, from what its workers tell."""

from __future__ import annotations

from typing import Any

from gateproof.load.histogram import Histogram
from gateproof.load.recorder import LIVE
from gateproof.load.wire.outcome import Outcome


class Progress:
    """Histograms and counts of all workers; each tells what was added since its last report.

    Reports are numbered from 1 in each run, so that one that was ``lost`` on its way shows. The report of the run is
    made of the logs, and misses nothing by it.
    """

    def __init__(self) -> None:
        self.live = {name: Histogram() for name in LIVE}
        self.outcomes: dict[str, int] = {}
        self.in_flight: dict[str, int] = {}
        self.lost = 0
        self._last: dict[str, int] = {}

    def hear(self, worker: str, told: dict[str, Any]) -> None:
        number, last = told["sequence"], self._last.get(worker, 0)
        self.lost += number - 1 - (last if number > last else 0)
        self._last[worker] = number
        for name, plain in told["live"].items():
            self.live[name].merge(Histogram.from_plain(plain))
        for word, count in told["outcomes"].items():
            self.outcomes[word] = self.outcomes.get(word, 0) + count
        self.in_flight[worker] = told["in_flight"]

    def line(self) -> str:
        """What came in, what went wrong, what is open, how long it takes (medians); it fits into a terminal."""
        wrong = {word: count for word, count in self.outcomes.items() if word != Outcome.OK}
        errors = "".join(f", {count} {word}" for word, count in wrong.items())
        lost = f"; {self.lost} reports of workers were lost" if self.lost else ""
        return (
            f"{self.outcomes.get(Outcome.OK.value, 0)} ok{errors}, {sum(self.in_flight.values())} open; "
            f"TTFT {self._shown('ttft', 0.5)} (p99 {self._shown('ttft', 0.99)}), "
            f"TPOT {self._shown('tpot', 0.5)}, slip p99 {self._shown('slip', 0.99)} ms{lost}"
        )

    def _shown(self, name: str, share: float) -> str:
        value = self.live[name].quantile(share)
        return "–" if value is None else f"{value / 1e6:.1f}"
