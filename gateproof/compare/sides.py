"""One number of a run as it is published, and what every metric is: pure words about intervals."""

from __future__ import annotations

from typing import Literal

from gateproof.compare.model import Scale, Side, Unit
from gateproof.gate.metrics import Metric, shown
from gateproof.report.statistics import Interval

MANY = 3.0
"""The ratio from which a change is told as a multiple: "+240 %" is harder to read than "3.4 times"."""


def side_of(each: Interval) -> Side:
    effective = round(each.effective, 1)
    return Side(value=each.estimate, low=each.low, high=each.high, samples=each.samples, effective=effective)


def scale_of(metric: Metric) -> Scale:
    """Shares are often 0, and what a gateway adds is near it: that has no ratio."""
    if metric.kind == "share":
        return "points"
    return "seconds" if metric.kind == "overhead" else "ratio"


def better(metric: Metric) -> Literal["lower", "higher"]:
    return "higher" if metric.kind == "rate" else "lower"


def unit_of(metric: Metric) -> Unit:
    assert metric.unit in ("s", "share", "1/s"), metric.text
    return metric.unit


def moved(metric: Metric, before: float, after: float) -> str | None:
    """How far a number went; None where it has no ratio."""
    scale = scale_of(metric)
    if scale != "ratio":
        return amount(scale, after - before)
    return amount(scale, after / before) if before > 0 else None


def amount(scale: Scale, value: float) -> str:
    """`+12.0 %`, `3.4 times`, `+0.80 points`, `+1.2 ms`."""
    return " ".join(_parts(scale, value))


def span(scale: Scale, low: float | None, high: float | None) -> str:
    """The interval: `+8.1 to +16.2 %`; an end that nobody knows is a question mark."""
    ends = [None if end is None else _parts(scale, end) for end in (low, high)]
    units = {end[1] for end in ends if end is not None}
    if len(units) <= 1:
        return " to ".join("?" if end is None else end[0] for end in ends) + "".join(f" {unit}" for unit in units)
    return " to ".join("?" if end is None else " ".join(end) for end in ends)


def _parts(scale: Scale, value: float) -> tuple[str, str]:
    """Figure and unit."""
    if scale == "points":
        return _signed(value * 100, 2), "points"
    if scale == "seconds":
        figure, _, unit = shown("s", abs(value)).partition(" ")
        return ("-" if value < 0 else "+") + figure, unit
    if value >= MANY or value <= 1 / MANY:
        return f"{value:.3g}", "times"
    return _signed((value - 1) * 100, 1), "%"


def _signed(value: float, digits: int) -> str:
    """Never `-0.0`."""
    rounded = round(value, digits) + 0.0
    return f"{rounded:+.{digits}f}" if rounded else f"{0:.{digits}f}"
