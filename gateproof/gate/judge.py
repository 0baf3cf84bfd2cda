"""One bound of one gate on one run: kept, broken, or not decided, by the ends of an interval and never by a point.

A bound is kept when the far end of the interval keeps it, and broken when the near end breaks it. What lies between is
UNDECIDED, which is no pass. Each of the two errors has a chance of at most 1 - confidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gateproof.gate import words
from gateproof.gate.measure import LoadRun, Unmeasured
from gateproof.gate.metrics import Metric
from gateproof.gate.model import RATIOS, MetricGate, Placed, Side
from gateproof.gate.result import Row, Sample, Verdict
from gateproof.report.sample_size import growth_to_catch, growth_to_decide, share_growth_to_decide
from gateproof.report.statistics import FEWEST_BLOCKS, Interval, least_for_quantile, ratio_of

POWER = 0.999
"""With which a ratio gate plans to catch what must not go unnoticed. The plan rests on an estimate of the spread, which
is off by a tenth or two: with 0.999 planned, 0.99 is what comes of it (tests/simulation)."""

LEAST_EFFECTIVE = 50.0
"""Independent samples, of either run, below which no ratio is judged: so few cannot show how much neighbours resemble
each other, and one comparison in fifty was a false alarm at an autocorrelation of 0.8 (tests/simulation)."""


def judge(
    placed: Placed, gate: MetricGate, side: Side, bound: float, run: LoadRun | None, against: LoadRun | None
) -> Row:
    """``run`` is None where no run is given that the gate is about, ``against`` where no baseline is."""
    blank = _blank(placed, gate, side, bound, run)
    if run is None:
        of = f" of profile `{gate.profile}`" if gate.profile else ""
        newest = "the newest is reports/TARGET/load/latest"
        return _with(blank, Verdict.UNMEASURED, f"no load run{of} was given; {newest}")
    if side not in RATIOS:
        against = None
    elif against is None:
        return _with(blank, Verdict.UNMEASURED, "no baseline was given: --baseline RUN")
    for each, whose in ((run, "the run"), (against, "the baseline")):
        if each is not None and each.void:
            return _with(blank, Verdict.VOID, f"{whose} is void: {each.void[0]}")
    try:
        found = run.interval(gate.measured, gate)
        if against is None:
            row = _bounded(_measured(blank, found), gate, found, bound)
        else:
            row = _compared(_measured(blank, found), gate, found, against, bound)
        return _with_length(row, run.seconds(gate))
    except Unmeasured as error:
        return _with(blank, Verdict.UNMEASURED, str(error))


def _with_length(row: Row, seconds: float | None) -> Row:
    """Says how long such a run must be for the samples that are asked for; ``seconds`` is what it was."""
    if seconds is None or row.asks_for is None or row.measured is None or row.asks_for <= row.measured.samples:
        return row
    needed = words.length(seconds * row.asks_for / row.measured.samples)
    return row.model_copy(update={"said": f"{row.said}, {needed} of such a run"})


def decide(interval: Interval, bound: float, *, upper: bool) -> Verdict:
    """``upper``: the bound must not be exceeded; else it must be reached."""
    if upper:
        if interval.high is not None and interval.high <= bound:
            return Verdict.PASS
        return Verdict.FAIL if interval.low is not None and interval.low > bound else Verdict.UNDECIDED
    if interval.low is not None and interval.low >= bound:
        return Verdict.PASS
    return Verdict.FAIL if interval.high is not None and interval.high < bound else Verdict.UNDECIDED


def _bounded(row: Row, gate: MetricGate, found: Interval, bound: float) -> Row:
    metric = gate.measured
    verdict = decide(found, bound, upper=row.side == "max")
    told = f"{words.seen(row.unit, found, gate.confidence)}, {words.basis(found, metric)}"
    if verdict is not Verdict.UNDECIDED:
        return _with(row, verdict, told)
    needed, said = _to_decide(metric, found, bound, gate.confidence)
    return _with(row, verdict, f"{told}: {said}", needed)


def _to_decide(metric: Metric, found: Interval, bound: float, confidence: float) -> tuple[int | None, str]:
    if metric.share is not None and (found.low is None or found.high is None):
        least = least_for_quantile(max(metric.share, 1 - metric.share), confidence)
        if found.effective < least:
            enough = math.ceil(least * found.samples / found.effective)
            return enough, f"too few for {metric.statistic}, which needs {enough:,} samples"
    if found.low is None and found.high is None:
        return None, f"too few for an interval, which takes {FEWEST_BLOCKS} blocks as long as neighbours are alike"
    if metric.kind == "share":
        growth = share_growth_to_decide(found, bound, confidence)
    else:
        growth = growth_to_decide(found, bound)
    needed = None if growth is None else math.ceil(max(growth, 1.0) * found.samples)
    return needed, f"the bound of {words.in_unit(metric.unit, bound)} lies within; {words.samples(needed)}"


# --- ratios ---


def _compared(row: Row, gate: MetricGate, found: Interval, against: LoadRun, bound: float) -> Row:
    metric = gate.measured
    try:
        before = against.interval(metric, gate)
    except Unmeasured as error:
        return _with(row, Verdict.UNMEASURED, f"in the baseline: {error}")
    row = row.model_copy(update={"baseline": _sample(before)})
    if found.estimate <= 0 or before.estimate <= 0:
        zero = "the run" if found.estimate <= 0 else "the baseline"
        return _with(row, Verdict.UNDECIDED, f"{metric.text} of {zero} is 0, which has no ratio: name a max or a min")
    upper, caught = row.side == "max_ratio", gate.caught(bound)
    compared = compare(found, before, bound, caught, gate.confidence, upper=upper)
    ratio, asks = compared.ratio, compared.asks_for
    row = row.model_copy(update={"ratio": _sample(ratio)})
    values = f"{words.in_unit(metric.unit, found.estimate)} after {words.in_unit(metric.unit, before.estimate)}"
    told = f"{values}, a ratio of {words.seen('ratio', ratio, gate.confidence)}, {words.basis(ratio, metric)}"
    if ratio.effective < LEAST_EFFECTIVE:
        told += f": too few to compare, {LEAST_EFFECTIVE:g} independent ones are needed"
    elif compared.verdict is Verdict.UNDECIDED:
        told += f": the bound of {bound:g} lies within"
    plan = "" if asks is None else f"; the gate asks for about {asks:,} samples to catch a ratio of {caught:g}"
    return _with(row, compared.verdict, told + plan, asks)


@dataclass(frozen=True, slots=True)
class Compared:
    """``asks_for``: samples with which the ratio that must not go unnoticed is caught with ``POWER``."""

    verdict: Verdict
    ratio: Interval
    asks_for: int | None


def compare(
    found: Interval, before: Interval, bound: float, caught: float, confidence: float, *, upper: bool
) -> Compared:
    """Found over before, both above 0, against a bound on their ratio; never decided below ``LEAST_EFFECTIVE``."""
    ratio = ratio_of(found, before)
    growth = growth_to_catch(ratio, bound, caught, POWER, confidence, upper=upper)
    asks = None if growth is None else math.ceil(max(growth, LEAST_EFFECTIVE / ratio.effective) * ratio.samples)
    enough = ratio.effective >= LEAST_EFFECTIVE
    return Compared(decide(ratio, bound, upper=upper) if enough else Verdict.UNDECIDED, ratio, asks)


# --- rows ---


def _blank(placed: Placed, gate: MetricGate, side: Side, bound: float, run: LoadRun | None) -> Row:
    return Row(
        line=placed.line,
        gate=words.gate_in_words(gate, side, bound),
        level=gate.level,
        verdict=Verdict.UNMEASURED,
        subject=gate.metric,
        side=side,
        bound=bound,
        unit="ratio" if side in RATIOS else gate.measured.unit,
        confidence=None if gate.measured.kind == "count" else gate.confidence,
        run=None if run is None else str(run.folder),
        profile=gate.profile if run is None else run.profile,
        measured=None,
        said="",
        why=gate.why,
    )


def _with(row: Row, verdict: Verdict, said: str, asks_for: int | None = None) -> Row:
    return row.model_copy(update={"verdict": verdict, "said": said, "asks_for": asks_for})


def _measured(row: Row, found: Interval) -> Row:
    return row.model_copy(update={"measured": _sample(found)})


def _sample(found: Interval) -> Sample:
    return Sample(
        estimate=found.estimate,
        low=found.low,
        high=found.high,
        samples=found.samples,
        effective=found.effective,
        method=found.method,
    )
