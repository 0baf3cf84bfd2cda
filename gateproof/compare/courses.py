"""Does a number creep or jump from run to run? One value per run, so that what differs between runs is in the test.

Creeping: Mann-Kendall, of ``gateproof.load.trend``. Jumping: Pettitt's statistic against all orders of the same values
(a permutation test): his own formula holds for long series, and sees nothing in fifteen runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from gateproof.compare.model import Course, Point
from gateproof.compare.model import Trend as Verdict
from gateproof.compare.sides import better, moved, unit_of
from gateproof.gate.metrics import Metric, shown
from gateproof.load.trend import LEAST, Floats, Shift, Trend, misfit_of_line, misfit_of_step, shift, trend
from gateproof.report.statistics import CONFIDENCE

TIME = "%Y-%m-%d %H:%M"
DAY = 86_400.0  # s
WEEK = 7.0  # days
ORDERS = 20_000
"""Random orders: the smallest chance that matters, 1 % over nine numbers, is twenty times what they can tell."""
AT_ONCE = 2_000_000  # values in memory: 16 MB
SEED = 1
"""Of the orders: the same runs give the same page."""


def courses(metrics: Sequence[Metric], points: Sequence[Point], offset: int) -> list[Course]:
    """Of every number that a run has; ``offset`` is the place of the first point in its track."""
    present = [metric for metric in metrics if any(metric.text in point.numbers for point in points)]
    return [_course(metric, points, offset, len(present)) for metric in present]


def _course(metric: Metric, points: Sequence[Point], offset: int, tested: int) -> Course:
    places = [number for number, point in enumerate(points) if metric.text in point.numbers]
    values = np.array([points[place].numbers[metric.text].value for place in places])
    times = np.array([points[place].run.started.timestamp() for place in places]) / DAY
    if len(values) < LEAST or not (np.diff(times) > 0).all():
        said = f"too few runs to see a trend: {len(values)}, {LEAST} are needed"
        return _told(metric, len(values), "too few runs", said)
    found, jump, by_chance = trend(times, values, CONFIDENCE), shift(values), chance_of_jump(values)
    smallest = min(found.p, by_chance)
    if smallest >= 1 - CONFIDENCE:
        return _told(metric, len(values), "no trend seen", f"no trend seen in {len(values)} runs")
    sure = smallest < (1 - CONFIDENCE) / tested  # all numbers are tried at once
    if misfit_of_step(values, jump) < misfit_of_line(times, values, found.slope):
        at = places[jump.at] + offset
        said = _jump(metric, jump, points[places[jump.at]])
        return _told(metric, len(values), _verdict(metric, jump.change, sure=sure), said, shape="jumps", at=at)
    said = _creep(metric, found, values)
    return _told(metric, len(values), _verdict(metric, found.slope, sure=sure), said, shape="creeps")


def chance_of_jump(values: Floats) -> float:
    """The share of all orders of the values in which their likeliest jump is as clear as here; of ``ORDERS`` drawn."""
    ordered = np.sort(values)
    ranks = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    centred = ranks - ranks.mean()
    clearness, generator = np.abs(np.cumsum(centred)).max(), np.random.default_rng(SEED)
    at_once, as_clear = max(1, AT_ONCE // len(values)), 0
    for done in range(0, ORDERS, at_once):
        drawn = generator.permuted(np.tile(centred, (min(at_once, ORDERS - done), 1)), axis=1)
        as_clear += int((np.abs(np.cumsum(drawn, axis=1)).max(axis=1) >= clearness).sum())
    return (1 + as_clear) / (1 + ORDERS)


def _told(
    metric: Metric,
    runs: int,
    verdict: Verdict,
    said: str,
    *,
    shape: Literal["creeps", "jumps"] | None = None,
    at: int | None = None,
) -> Course:
    return Course(
        metric=metric.text,
        unit=unit_of(metric),
        better=better(metric),
        verdict=verdict,
        shape=shape,
        at=at,
        runs=runs,
        said=said,
    )


def _verdict(metric: Metric, change: float, *, sure: bool) -> Verdict:
    if (change > 0) == (better(metric) == "higher"):
        return "better" if sure else "perhaps better"
    return "worse" if sure else "perhaps worse"


def _jump(metric: Metric, found: Shift, point: Point) -> str:
    before, after = (shown(metric.unit, value) for value in (found.before, found.after))
    by = f" ({far})" if (far := moved(metric, found.before, found.after)) else ""
    return f"jumps from {before} to {after}{by} with the run of {point.run.started:{TIME}}"


def _creep(metric: Metric, found: Trend, values: Floats) -> str:
    level = float(np.median(values))
    rate = moved(metric, level, level + found.slope * WEEK)
    return f"creeps by {rate} a week over {len(values)} runs"
