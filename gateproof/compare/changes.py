"""What became of a number from one run to another, and how sure that is.

Two bars. Each interval that is shown holds on its own with ``CONFIDENCE`` at each end. A change is called worse or
better only where it also holds with the chance of error divided by the number of comparisons (Bonferroni): else, of a
dozen numbers that did not change, one would be called worse in every ninth comparison. What clears only the first bar
is called "perhaps".
"""

from __future__ import annotations

import math

from gateproof.compare.model import Change, Verdict
from gateproof.compare.numbers import COMPARED, OVERHEAD, Measured
from gateproof.compare.sides import amount, better, scale_of, side_of, span, unit_of
from gateproof.gate.metrics import Metric, shown
from gateproof.report.statistics import CONFIDENCE, Interval, least_for_quantile, ratio_of

LEAST = 1.001
"""The ratio below which no change is called worse or better, however sure it is: nobody acts on a thousandth, and the
whole microseconds of the log round by as much at gaps of a millisecond."""
_NOT_THERE = Interval(0.0, None, None, 0, 0.0, "")

Pair = tuple[Interval, Interval]


def changes(baseline: Measured, candidate: Measured) -> list[Change]:
    """Of every number that at least one of the runs has, in a fixed order."""
    overhead = baseline.report.overhead is not None or candidate.report.overhead is not None
    metrics = (*COMPARED, *OVERHEAD) if overhead else COMPARED
    found = [change(metric, baseline, candidate, comparisons=len(metrics)) for metric in metrics]
    return [each for each in found if each.baseline is not None or each.candidate is not None]


def change(metric: Metric, baseline: Measured, candidate: Measured, *, comparisons: int) -> Change:
    """``comparisons`` is how many are made at once."""
    sure = 1 - (1 - CONFIDENCE) / comparisons
    alone, together = (_pair(metric, baseline, candidate, confidence) for confidence in (CONFIDENCE, sure))
    one, other = alone
    moved = _moved(metric, alone)
    verdict: Verdict = "no change seen" if _both_zero(alone) else _verdict(metric, moved, _moved(metric, together))
    return Change(
        metric=metric.text,
        unit=unit_of(metric),
        better=better(metric),
        baseline=side_of(one) if one.samples else None,
        candidate=side_of(other) if other.samples else None,
        scale=scale_of(metric),
        change=None if moved is None else moved.estimate,
        low=None if moved is None else moved.low,
        high=None if moved is None else moved.high,
        verdict=verdict,
        said=_said(metric, alone, moved, verdict, comparisons),
    )


def difference_of(candidate: Interval, baseline: Interval) -> Interval:
    """Candidate minus baseline, of shares or of durations: both intervals joined by the squares of their ends'
    distances (MOVER; of shares it is method 10 of Newcombe 1998, Statistics in Medicine 17)."""

    def joined(above: Interval, below: Interval) -> float | None:
        if above.high is None or below.low is None:
            return None
        return math.hypot(above.high - above.estimate, below.estimate - below.low)

    estimate = candidate.estimate - baseline.estimate
    down, up = joined(baseline, candidate), joined(candidate, baseline)
    return Interval(
        estimate,
        None if down is None else estimate - down,
        None if up is None else estimate + up,
        min(candidate.samples, baseline.samples),
        min(candidate.effective, baseline.effective),
        f"{candidate.method}, joined by MOVER",
    )


def _pair(metric: Metric, baseline: Measured, candidate: Measured, confidence: float) -> Pair:
    found = (each.interval(metric, confidence) for each in (baseline, candidate))
    one, other = (each or _NOT_THERE for each in found)
    return one, other


def _moved(metric: Metric, pair: Pair) -> Interval | None:
    """None where one of the runs has no such number, or one that has no ratio."""
    one, other = pair
    if not one.samples or not other.samples:
        return None
    if scale_of(metric) != "ratio":
        return difference_of(other, one)
    return ratio_of(other, one) if one.estimate > 0 and other.estimate > 0 else None


def _both_zero(pair: Pair) -> bool:
    """Nothing has no ratio to nothing, and yet it is the same."""
    return all(each.samples and not each.estimate and not each.low and each.high == 0 for each in pair)


def _verdict(metric: Metric, alone: Interval | None, together: Interval | None) -> Verdict:
    if alone is None or together is None:
        return "cannot tell"
    least = LEAST if scale_of(metric) == "ratio" else 0.0
    up, down = ("better", "worse") if better(metric) == "higher" else ("worse", "better")
    for interval, perhaps in ((together, ""), (alone, "perhaps ")):
        if interval.low is not None and interval.low > least:
            return _word(perhaps + up)
        if interval.high is not None and interval.high < (1 / least if least else 0.0):
            return _word(perhaps + down)
    return "cannot tell" if alone.low is None or alone.high is None else "no change seen"


def _word(text: str) -> Verdict:
    words: dict[str, Verdict] = {
        "worse": "worse",
        "better": "better",
        "perhaps worse": "perhaps worse",
        "perhaps better": "perhaps better",
    }
    return words[text]


# --- words ---


def _said(metric: Metric, pair: Pair, moved: Interval | None, verdict: Verdict, comparisons: int) -> str:
    if moved is None:
        return f"{verdict}: {_nothing(metric, pair)}"
    scale = scale_of(metric)
    values = " → ".join(shown(metric.unit, each.estimate) for each in pair)
    if moved.low is None and moved.high is None:
        return f"{verdict}: {values}; {_too_few(metric, moved)}"
    told = f"{amount(scale, moved.estimate)} ({span(scale, moved.low, moved.high)}), {values}"
    if verdict == "cannot tell":
        return f"cannot tell: {told}; {_too_few(metric, moved)}"
    if verdict.startswith("perhaps"):
        by_chance = f"by chance one number in {1 / (1 - CONFIDENCE):.0f} looks so, {comparisons} were compared"
        return f"{verdict}: {told}; {by_chance}"
    return f"{verdict}: {told}"


def _nothing(metric: Metric, pair: Pair) -> str:
    sides = list(zip(("baseline", "candidate"), pair, strict=True))
    absent = [side for side, each in sides if not each.samples]
    if absent:
        return f"the {absent[0]} has no {metric.name}"
    zero = [side for side, each in sides if not each.estimate]
    nothing = shown(metric.unit, 0.0)
    return f"{nothing} in both" if len(zero) == len(sides) else f"{nothing} in the {zero[0]}, which has no ratio"


def _too_few(metric: Metric, moved: Interval) -> str:
    worth = round(moved.effective)
    few = f"the {moved.samples:,} values are too few"
    few += f", worth {worth:,} independent ones" if worth < moved.samples else ""
    if metric.share is None or metric.kind == "overhead":
        return few
    return f"{few}; {least_for_quantile(max(metric.share, 1 - metric.share)):,} are needed"
