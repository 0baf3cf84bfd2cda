"""Does a run stay as it began? Windows of its log, and of what the servers say of themselves, tried for creep and jump.

Pure functions. A phase with a constant rate is cut into windows; a series of medians or shares comes of each metric;
the verdict compares its whole change over the phase with what is allowed, by interval and not by point: what cannot be
told apart from either is said to be undecided.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.compute as pc  # type: ignore[import-untyped]  # no types

from gateproof.load import trend as trends
from gateproof.load.log import Rows
from gateproof.load.metrics.samples import Sample
from gateproof.load.ranks import ranked
from gateproof.load.schedule import Phase
from gateproof.load.trend import Floats, Shift, Trend
from gateproof.load.wire.outcome import Outcome

CONFIDENCE = 0.99
"""Of intervals and tests: half a dozen series are tried in each phase, and a false alarm voids a run."""
ALLOWED = 0.05
"""Share of its level by which a series may change over a phase: what AIPerf calls excellent as a variation of runs."""
WINDOWS = 60
"""The most that a phase is cut into: enough for any trend that matters, few enough that each has many requests."""
REQUESTS = 20
"""The least that are due in a window, on average: the median of fewer is one request's luck."""
SHORTEST = 1.0
"""s; below, windows see single batches of the server."""
TAIL_REQUESTS = 200
"""The least that ended well in every window for its p95: ten lie beyond it."""
HOUR = 3600.0

FLOORS = {"s": 1e-3, "share": 0.005, "requests": 1.0, "bytes": 16 * 2**20, "MiB": 16.0, "files": 8.0}
"""By unit: changes that are no drift however small the level."""
SERVER = {"waiting": "requests", "memory": "bytes", "gpu_memory": "MiB", "files": "files"}
"""What of the servers is followed, by our word, and its unit."""


class Course(StrEnum):
    """What became of a series."""

    STEADY = "steady"
    DRIFTS = "drifts"
    SHIFTS = "shifts"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True)
class Series:
    """``values`` of windows around ``times``, in seconds from the start of the run. ``gating``: the clients' own."""

    name: str
    unit: str
    times: Floats
    values: Floats
    gating: bool = True


@dataclass(frozen=True, slots=True)
class Drift:
    """``trend`` per second. ``span`` is what lies between the first and the last window, in seconds."""

    name: str
    unit: str
    gating: bool
    course: Course
    windows: int
    span: float
    level: float | None = None
    trend: Trend | None = None
    shift: Shift | None = None
    shift_at: float | None = None

    @property
    def said(self) -> str:
        """``latency p50 drifts by 8.1 % per hour (6.0 to 10.2)``."""
        if self.trend is None or self.level is None:
            return f"{self.name}: cannot tell: {self.windows} windows with values, {trends.LEAST} needed"
        if self.course is Course.SHIFTS and self.shift is not None and self.shift_at is not None:
            before, after = (_amount(value, self.unit) for value in (self.shift.before, self.shift.after))
            return f"{self.name} shifts from {before} to {after} at {self.shift_at:.0f} s"
        factor, unit = (100 / self.level, " %") if self.level > 0 else (1.0, f" {self.unit}")
        low, high = sorted((self.trend.low * factor * HOUR, self.trend.high * factor * HOUR))
        rate = f"{self.trend.slope * factor * HOUR:+.3g}{unit} per hour ({low:+.3g} to {high:+.3g})"
        match self.course:
            case Course.DRIFTS:
                return f"{self.name} drifts by {rate}"
            case Course.STEADY:
                return f"{self.name} is steady: {rate}"
            case _:
                return f"{self.name}: cannot tell: {rate} is too wide for {self.span:.0f} s"

    def to_plain(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "series": self.name,
            "unit": self.unit,
            "verdict": self.course.value,
            "windows": self.windows,
            "span_s": self.span,
            "level": self.level,
            "said": self.said,
        }
        if self.trend is not None:
            told["per_hour"] = {
                "slope": self.trend.slope * HOUR,
                "low": self.trend.low * HOUR,
                "high": self.trend.high * HOUR,
                "confidence": CONFIDENCE,
                "p": self.trend.p,
                "inflation": self.trend.inflation,
            }
        if self.shift is not None:
            told["shift"] = {"at_s": self.shift_at, "before": self.shift.before, "after": self.shift.after}
            told["shift"]["p"] = self.shift.p
        return told


@dataclass(frozen=True, slots=True)
class PhaseDrift:
    """One phase, in windows of ``width`` seconds."""

    phase: str
    width: float
    series: tuple[Drift, ...]

    @property
    def unsteady(self) -> list[str]:
        """What refutes that the phase is steady, of what clients see; what was too short to be tested does so, too."""
        gating = [each for each in self.series if each.gating]
        refuted = [each for each in gating if each.trend is None or each.course in (Course.DRIFTS, Course.SHIFTS)]
        return [f"{self.phase}: {each.said}" for each in refuted] or ([] if gating else [f"{self.phase}: no data"])

    @property
    def undecided(self) -> list[str]:
        """What was tested, and scatters too much to be called steady or not."""
        gating = [each for each in self.series if each.gating and each.trend is not None]
        return [each.name for each in gating if each.course is Course.UNKNOWN]

    def to_plain(self) -> dict[str, Any]:
        return {
            "phase": self.phase,
            "window_s": self.width,
            "steady": False if self.unsteady else None if self.undecided else True,
            "series": [each.to_plain() for each in self.series],
        }


def judge(series: Series) -> Drift:
    """One series: jumps before it creeps, since whatever jumps seems to creep as well."""
    count = len(series.values)
    span = float(series.times[-1] - series.times[0]) if count else 0.0
    if count < trends.LEAST:
        return Drift(series.name, series.unit, series.gating, Course.UNKNOWN, count, span)
    level = float(np.median(series.values))
    allowed = max(ALLOWED * abs(level), FLOORS.get(series.unit, 0.0))
    found = trends.trend(series.times, series.values, CONFIDENCE)
    broken = trends.shift(series.values)
    at = float(series.times[broken.at - 1] + series.times[broken.at]) / 2
    course = _course(series, found, broken, allowed, span)
    return Drift(series.name, series.unit, series.gating, course, count, span, level, found, broken, at)


def _course(series: Series, found: Trend, broken: Shift, allowed: float, span: float) -> Course:
    risk = 1 - CONFIDENCE
    step = trends.misfit_of_step(series.values, broken)
    line = trends.misfit_of_line(series.times, series.values, found.slope)
    if broken.p < risk and abs(broken.change) > allowed and step < line:
        return Course.SHIFTS
    if found.p < risk and not found.low <= 0 <= found.high and abs(found.slope) * span > allowed:
        return Course.DRIFTS
    if max(abs(found.low), abs(found.high)) * span <= allowed:
        return Course.STEADY
    return Course.UNKNOWN


def drifts(rows: Rows, samples: Sequence[Sample], phases: Sequence[Phase]) -> list[PhaseDrift]:
    """Of every counted phase with a constant rate; ramps change by design."""
    told = []
    start = 0.0
    for number, phase in enumerate(phases):
        if phase.counted and phase.start == phase.end:
            table = rows.scalars.filter(pc.equal(rows.table["phase"], pa.scalar(number, pa.int16())))
            edges = _edges(start, phase.duration, table.num_rows)
            series = [*_of_requests(table, edges), *_of_servers(samples, edges)]
            told.append(PhaseDrift(phase.name, float(edges[1] - edges[0]), tuple(judge(each) for each in series)))
        start += phase.duration
    return told


def outside(
    gaps: Sequence[tuple[float, float]], rows: Rows, samples: Sequence[Sample]
) -> tuple[Rows, Sequence[Sample]]:
    """Requests that were due, and samples that were taken, outside of some seconds of the run."""
    table = rows.table
    for low, high in gaps:
        due = _seconds(table, "scheduled")
        table = table.filter(pa.array(~((due >= low) & (due < high))))
        samples = [each for each in samples if not low <= each.at / 1e9 < high]
    return replace(rows, table=table), samples


def _edges(start: float, duration: float, due: int) -> Floats:
    """Of windows of equal length, as many as their requests allow."""
    number = max(1, min(WINDOWS, due // REQUESTS, int(duration / SHORTEST)))
    return np.linspace(start, start + duration, number + 1)


def _of_requests(table: pa.Table, edges: Floats) -> Iterable[Series]:
    due = _seconds(table, "scheduled")
    words = table["outcome"].cast(pa.string()).to_pylist()
    good = np.array([word == Outcome.OK for word in words], dtype=bool)
    bad = np.array([word != Outcome.OK and not Outcome(word).ours for word in words], dtype=bool)
    tokens = table["completion_tokens"].cast(pa.float64()).to_numpy()
    first, ended = _seconds(table, "first_token"), _seconds(table, "ended")
    with np.errstate(divide="ignore", invalid="ignore"):
        paces = np.where(tokens > 1, (_seconds(table, "last_token") - first) / (tokens - 1), np.nan)
    judged = good | bad
    yield _windowed("errors", "share", due[judged], bad[judged].astype(np.float64), edges, np.mean)
    for name, values in (("ttft", first - due), ("tpot", paces), ("latency", ended - due)):
        known = good & ~np.isnan(values)
        if not known.any():
            continue
        yield _windowed(f"{name} p50", "s", due[known], values[known], edges, np.median)
        if np.histogram(due[known], edges)[0].min() >= TAIL_REQUESTS:
            yield _windowed(f"{name} p95", "s", due[known], values[known], edges, _p95)


def _of_servers(samples: Sequence[Sample], edges: Floats) -> Iterable[Series]:
    found: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for each in samples:
        if each.word in SERVER and each.kind == "gauge":
            found.setdefault((each.source, each.word, each.labels), []).append((each.at / 1e9, each.value))
    for (source, word, labels), points in sorted(found.items()):
        times, values = np.array(points).T
        name = f"{source} {word}" + (f" {{{labels}}}" if labels else "")
        yield _windowed(name, SERVER[word], times, values, edges, np.median, gating=False)


def _windowed(
    name: str, unit: str, at: Floats, values: Floats, edges: Floats, of: Any, *, gating: bool = True
) -> Series:
    """One value for each window that has any; NaN is no value."""
    inside = (at >= edges[0]) & (at < edges[-1]) & ~np.isnan(values)
    places = np.searchsorted(edges, at[inside], side="right") - 1
    kept = values[inside]
    filled = np.unique(places)
    middles = (edges[:-1] + edges[1:]) / 2
    told = np.array([float(of(kept[places == place])) for place in filled])
    return Series(name, unit, middles[filled], told, gating)


def _p95(values: Floats) -> float:
    return float(ranked(values, [0.95])[0])


def _seconds(table: pa.Table, name: str) -> Floats:
    values: Floats = table[name].cast(pa.float64()).to_numpy() / 1e9
    return values


def _amount(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value * 1e3:.3g} ms"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    return f"{value:.1%}" if unit == "share" else f"{value:.3g} {unit}"
