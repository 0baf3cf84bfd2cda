"""From the log of a run to its numbers: a pure function, which may be run again at any time.

Latencies that a user feels count from when a request was due, so a late start is never hidden; service latencies
count from when the last of it was handed to the kernel. What was not measured is left out and counted, never taken
for 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.compute as pc  # type: ignore[import-untyped]  # no types
from numpy.typing import NDArray

from gateproof.load.gaps import Gaps, quantiles
from gateproof.load.log import Rows
from gateproof.load.ranks import ranked
from gateproof.load.schedule import Phase
from gateproof.load.wire.outcome import Outcome

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
MEASURED = (
    "scheduled",
    "dispatched",
    "connected",
    "sent",
    "first_byte",
    "first_event",
    "first_token",
    "last_token",
    "ended",
    "read_first_token",
    "outcome",
    "prompt_tokens",
    "completion_tokens",
)
"""Columns of a log that single numbers of a request come from."""

BEYOND = 10
"""Samples that must lie beyond a quantile for it to be told: below, it is one slow request's luck."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A distribution. ``start`` says from when it counts, ``missing`` how many requests could not give a value."""

    unit: str
    start: str
    count: int
    missing: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    quantiles: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Floats, *, unit: str, start: str, missing: int = 0) -> Metric:
        if not len(values):
            return cls(unit, start, 0, missing)
        known = told_of(len(values))
        told = ranked(values, list(known.values()))
        return cls(
            unit,
            start,
            len(values),
            missing,
            float(values.mean()),
            float(values.min()),
            float(values.max()),
            dict(zip(known, map(float, told), strict=True)),
        )


def told_of(count: int) -> dict[str, float]:
    """The quantiles that so many values can tell."""
    return {name: share for name, share in QUANTILES.items() if count * (1 - share) >= BEYOND or share == 0.5}


@dataclass(frozen=True, slots=True)
class Numbers:
    """What one run, or a part of it, comes to. ``window`` is its length in seconds."""

    window: float
    due: int
    dispatched: int
    outcomes: Mapping[str, int]
    metrics: Mapping[str, Metric]
    rates: Mapping[str, float | None]
    prompt_tokens: int
    completion_tokens: int

    @property
    def errors(self) -> int:
        """Requests that the target did not answer well; what we abandoned is not its doing."""
        return sum(count for word, count in self.outcomes.items() if word != Outcome.OK and not Outcome(word).ours)

    @property
    def error_share(self) -> float | None:
        judged = sum(count for word, count in self.outcomes.items() if not Outcome(word).ours)
        return self.errors / judged if judged else None


def numbers(rows: Rows, phases: Sequence[Phase], *, only: Sequence[int] | None = None) -> Numbers:
    """Of the requests that were due in the counted phases, or in those of ``only``."""
    chosen = list(only) if only is not None else [i for i, phase in enumerate(phases) if phase.counted]
    inside = pc.is_in(rows.table["phase"], pa.array(chosen, pa.int16()))
    table = rows.table.select(MEASURED).filter(inside)
    spans = [_span(phases, number) for number in chosen]
    window = sum(end - start for start, end in spans)
    words = table["outcome"].cast(pa.string())
    counted = {str(each["values"]): int(each["counts"]) for each in pc.value_counts(words).to_pylist()}
    good = table.filter(pc.equal(words, Outcome.OK.value))
    if Outcome.SKIPPED in counted:  # was never due
        table = table.filter(pc.not_equal(words, Outcome.SKIPPED.value))
    return Numbers(
        window=window,
        due=table.num_rows,
        dispatched=table.num_rows - table["dispatched"].null_count,
        outcomes=dict(sorted(counted.items(), key=lambda pair: (pair[0] != Outcome.OK, -pair[1]))),
        metrics={**_metrics(table, good), "gap": _gaps(rows, inside)},
        rates=_rates(rows, good, spans, window),
        prompt_tokens=int(pc.sum(table["prompt_tokens"]).as_py() or 0),
        completion_tokens=int(pc.sum(table["completion_tokens"]).as_py() or 0),
    )


def _span(phases: Sequence[Phase], number: int) -> tuple[float, float]:
    start = sum(phase.duration for phase in phases[:number])
    return start, start + phases[number].duration


def _metrics(table: pa.Table, good: pa.Table) -> dict[str, Metric]:
    """Latencies of what went well; slip of all that left."""

    def between(start: str, end: str, rows: pa.Table = good) -> Metric:
        values = _seconds(rows, end) - _seconds(rows, start)
        known = values[~np.isnan(values)]
        return Metric.of(known, unit="s", start=start, missing=len(values) - len(known))

    return {
        "ttft": between("scheduled", "first_token"),
        "ttft_service": between("sent", "first_token"),
        "first_byte": between("sent", "first_byte"),
        "first_event": between("sent", "first_event"),
        "latency": between("scheduled", "ended"),
        "latency_service": between("sent", "ended"),
        "connect": between("dispatched", "connected"),
        "slip": between("scheduled", "dispatched", table),
        "read_delay": between("first_token", "read_first_token"),
        "tpot": _tpot(good),
        "prompt_tokens": _tokens(good, "prompt_tokens"),
        "completion_tokens": _tokens(good, "completion_tokens"),
    }


def _tpot(good: pa.Table) -> Metric:
    """Seconds per output token after the first, of each request: (last token - first token) / (tokens - 1)."""
    tokens = _column(good, "completion_tokens")
    spans = _seconds(good, "last_token") - _seconds(good, "first_token")
    usable = (tokens > 1) & ~np.isnan(spans)
    return Metric.of(spans[usable] / (tokens[usable] - 1), unit="s", start="first_token", missing=int((~usable).sum()))


def _gaps(rows: Rows, inside: pa.ChunkedArray) -> Metric:
    """Seconds between events with a token, as they came: events that arrived together have none between them."""
    good = pc.equal(rows.table["outcome"].cast(pa.string()), Outcome.OK.value)
    values, counts = Gaps.of(rows.table["gaps"], pc.and_(inside, good).to_numpy()).distinct()
    count, start = int(counts.sum()), "token before"
    if not count:
        return Metric("s", start, 0, 0)
    known = told_of(count)
    told = quantiles(values, counts, np.array(list(known.values()))) / 1e6
    mean = float(values @ counts) / count / 1e6
    low, high = float(values[0]) / 1e6, float(values[-1]) / 1e6
    return Metric("s", start, count, 0, mean, low, high, dict(zip(known, map(float, told), strict=True)))


def _tokens(good: pa.Table, name: str) -> Metric:
    values = _column(good, name)
    known = values[~np.isnan(values)]
    return Metric.of(known, unit="tokens", start="", missing=len(values) - len(known))


def _rates(rows: Rows, good: pa.Table, spans: Sequence[tuple[float, float]], window: float) -> dict[str, float | None]:
    """Per second of the window: requests that ended well in it, and tokens, spread over when they came."""
    if not window:
        return {"requests": None, "output_tokens": None}
    ended = _seconds(rows.table, "ended")
    fine = pc.equal(rows.table["outcome"].cast(pa.string()), Outcome.OK.value).to_numpy(zero_copy_only=False)
    inside = _inside(ended[fine], spans)
    tokens = _column(good, "completion_tokens")
    return {"requests": float(inside.sum()) / window, "output_tokens": float(np.nansum(tokens)) / window}


def _inside(instants: Floats, spans: Sequence[tuple[float, float]]) -> Bools:
    found = np.zeros(len(instants), dtype=bool)
    for start, end in spans:
        found |= (instants >= start) & (instants < end)
    return found


def _column(table: pa.Table, name: str) -> Floats:
    values: Floats = table[name].cast(pa.float64()).to_numpy()
    return values


def _seconds(table: pa.Table, name: str) -> Floats:
    return _column(table, name) / 1e9
