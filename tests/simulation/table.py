"""Does the gate keep what docs/gate.md promises? ``python -m tests.simulation.table`` prints the table there.

Everything at the shipped defaults: the gate is the one on the TTFT of load/gates/release.yaml. Each round is what a
user does: a first pair of runs, the number of samples that the gate asks for, and a pair of runs of that size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gateproof.gate.judge import Compared, compare, decide
from gateproof.gate.model import MetricGate, read_gates
from gateproof.gate.result import Verdict
from gateproof.report.statistics import quantile_interval
from tests.simulation.worlds import EXACT, WORLDS, Floats, World, quantile

RELEASE = Path(__file__).parents[2] / "load" / "gates" / "release.yaml"
SEED = 5
PILOT = 2000
"""Samples of the first pair of runs."""
REGRESSION = 1.10
ROUNDS = 1000
SHORT_ROUNDS = 2000
SHORT = (50, 100, 300, 1000)
"""Samples of runs that are shorter than what the gate asks for."""
ON_THE_BOUND = 500
"""Samples of a run whose true quantile is the bound itself."""
QUANTILES = {"p50": 0.5, "p95": 0.95}


def shipped() -> tuple[MetricGate, float]:
    """The gate on the ratio of the median TTFT, and its bound."""
    gates = [each.gate for each in read_gates(RELEASE).placed if isinstance(each.gate, MetricGate)]
    (gate,) = [gate for gate in gates if gate.metric == "ttft.p50" and gate.max_ratio]
    return gate, float(gate.max_ratio or 0)


GATE, BOUND = shipped()


def judged(before: Floats, found: Floats) -> Compared:
    share = GATE.measured.share
    assert share is not None
    intervals = [quantile_interval(values, share, confidence=GATE.confidence) for values in (found, before)]
    return compare(intervals[0], intervals[1], BOUND, GATE.caught(BOUND), GATE.confidence, upper=True)


@dataclass
class Line:
    """What became of the rounds in one world."""

    world: str
    asked: list[int] = field(default_factory=list)
    same: Counter[Verdict] = field(default_factory=Counter)
    slower: Counter[Verdict] = field(default_factory=Counter)
    short: dict[int, Counter[Verdict]] = field(default_factory=dict)
    on_the_bound: dict[str, Counter[Verdict]] = field(default_factory=dict)


def simulated(name: str, world: World) -> Line:
    """All rounds in one world, from fixed seeds of its own."""
    line, lots = Line(name), np.random.Generator(np.random.Philox(key=[SEED, list(WORLDS).index(name)]))
    for _ in range(ROUNDS):
        asked = judged(world(lots, PILOT), world(lots, PILOT)).asks_for
        assert asked is not None
        line.asked.append(asked)
        line.same[judged(world(lots, asked), world(lots, asked)).verdict] += 1
        line.slower[judged(world(lots, asked), REGRESSION * world(lots, asked)).verdict] += 1
    for number in SHORT:
        rounds = (judged(world(lots, number), world(lots, number)) for _ in range(SHORT_ROUNDS))
        line.short[number] = Counter(each.verdict for each in rounds)
    if name in EXACT:
        line.on_the_bound = {each: _on_the_bound(world, lots, share) for each, share in QUANTILES.items()}
    return line


def _on_the_bound(world: World, lots: np.random.Generator, share: float) -> Counter[Verdict]:
    """A gate whose ``max`` is the true quantile: both verdicts are luck."""
    found = (
        quantile_interval(world(lots, ON_THE_BOUND), share, confidence=GATE.confidence) for _ in range(SHORT_ROUNDS)
    )
    return Counter(decide(each, quantile(share), upper=True) for each in found)


def rendered(lines: list[Line]) -> str:
    """Markdown, as it stands in docs/gate.md."""
    return "\n".join([*_at_the_size(lines), "", *_shorter(lines), "", *_exactly(lines), ""])


def _at_the_size(lines: list[Line]) -> Iterator[str]:
    yield "| TTFT | samples asked for | same: FAIL | same: PASS | 10 % slower: FAIL | 10 % slower: PASS | rounds |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for line in lines:
        counts = [
            line.same[Verdict.FAIL],
            line.same[Verdict.PASS],
            line.slower[Verdict.FAIL],
            line.slower[Verdict.PASS],
        ]
        told = " | ".join(f"{count / ROUNDS:.1%}" for count in counts)
        yield f"| {line.world} | {int(np.median(line.asked)):,} | {told} | {ROUNDS:,} |"


def _shorter(lines: list[Line]) -> Iterator[str]:
    yield "| same: FAIL | " + " | ".join(f"{number:,} samples" for number in SHORT) + " |"
    yield "|---|" + "---:|" * len(SHORT)
    for line in lines:
        told = " | ".join(f"{line.short[number][Verdict.FAIL] / SHORT_ROUNDS:.2%}" for number in SHORT)
        yield f"| {line.world} | {told} |"


def _exactly(lines: list[Line]) -> Iterator[str]:
    cells = [f"{name}: {verdict}" for name in QUANTILES for verdict in (Verdict.FAIL, Verdict.PASS)]
    yield f"| bound = truth, {ON_THE_BOUND} samples | " + " | ".join(cells) + " |"
    yield "|---|" + "---:|" * len(cells)
    for line in [line for line in lines if line.on_the_bound]:
        counts = [line.on_the_bound[name][verdict] for name in QUANTILES for verdict in (Verdict.FAIL, Verdict.PASS)]
        yield f"| {line.world} | " + " | ".join(f"{count / SHORT_ROUNDS:.1%}" for count in counts) + " |"


def every_line() -> list[Line]:
    return [simulated(name, world) for name, world in WORLDS.items()]


if __name__ == "__main__":
    print(rendered(every_line()))
