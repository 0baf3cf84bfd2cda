"""From what was scraped to numbers over the counted phases: pure, and never finer than what the servers tell.

A histogram knows between which edges a quantile lies, and nothing more: both edges are told. A counter that falls was
begun again, as Prometheus reckons it (https://prometheus.io/docs/prometheus/latest/querying/functions/#increase),
without its extrapolation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from gateproof.load.metrics.exposition import Buckets
from gateproof.load.metrics.samples import Sample, Samples, added

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
MOST_SERIES = 100
"""Of one source; what is beyond is counted and left out."""

Span = tuple[float, float]
"""Seconds of the run."""


@dataclass(frozen=True, slots=True)
class Level:
    """A gauge: each sample counts as much as any other."""

    samples: int
    low: float
    mean: float
    high: float
    last: float


@dataclass(frozen=True, slots=True)
class Growth:
    """A counter: by how much it grew in ``seconds``, with so many new beginnings."""

    increase: float
    seconds: float
    resets: int

    @property
    def rate(self) -> float | None:
        return self.increase / self.seconds if self.seconds else None


@dataclass(frozen=True, slots=True)
class Spread:
    """A histogram: what was added to it."""

    buckets: Buckets
    seconds: float
    resets: int

    @property
    def mean(self) -> float | None:
        """Exact, if the histogram has a sum."""
        if self.buckets.sum is None or not self.buckets.count:
            return None
        return self.buckets.sum / self.buckets.count

    def quantile(self, share: float) -> tuple[float, float] | None:
        """The edges between which it lies, the lower one outside; None where nothing was added."""
        return quantile_bounds(self.buckets, share)


@dataclass(frozen=True, slots=True)
class Seen:
    """One series over the counted phases; None where too few samples lie in them."""

    source: str
    word: str
    name: str
    labels: str
    kind: str
    told: Level | Growth | Spread | None


def quantile_bounds(buckets: Buckets, share: float) -> tuple[float, float] | None:
    if not buckets.count:
        return None
    wanted = max(1.0, math.ceil(share * buckets.count))
    place = next(i for i, count in enumerate(buckets.counts) if count >= wanted)
    low = buckets.edges[place - 1] if place else min(0.0, buckets.edges[0])
    return low, buckets.edges[place]


def seen(samples: Iterable[Sample], spans: Sequence[Span]) -> list[Seen]:
    """Every series, in the order of source, word and labels."""
    series: dict[tuple[str, str, str, str, str], list[Sample]] = {}
    for each in samples:
        series.setdefault((each.source, each.word, each.name, each.labels, each.kind), []).append(each)
    return [Seen(*key, _told(key[-1], found, spans)) for key, found in sorted(series.items())]


def _told(kind: str, found: list[Sample], spans: Sequence[Span]) -> Level | Growth | Spread | None:
    ordered = sorted(found, key=lambda each: each.at)
    if kind == "gauge":
        return _level([each.value for each in ordered if any(start <= each.at / 1e9 < end for start, end in spans)])
    runs = [run for span in spans if len(run := _around(ordered, span)) > 1]
    if not runs:
        return None
    seconds = sum(run[-1].at - run[0].at for run in runs) / 1e9
    steps = [pair for run in runs for pair in pairwise(run)]
    return _spread(steps, seconds) if kind == "histogram" else _growth(steps, seconds)


def _level(values: list[float]) -> Level | None:
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return None
    return Level(len(known), min(known), sum(known) / len(known), max(known), known[-1])


def _around(ordered: list[Sample], span: Span) -> list[Sample]:
    """From the last sample before the span, if any, to the last one in it."""
    start, end = span[0] * 1e9, span[1] * 1e9
    before = [each for each in ordered if each.at <= start][-1:]
    return before + [each for each in ordered if start < each.at <= end]


def _growth(steps: list[tuple[Sample, Sample]], seconds: float) -> Growth:
    resets = sum(new.value < old.value for old, new in steps)
    grown = sum(new.value - old.value if new.value >= old.value else new.value for old, new in steps)
    return Growth(grown, seconds, resets)


def _spread(steps: list[tuple[Sample, Sample]], seconds: float) -> Spread | None:
    resets = 0
    total: Buckets | None = None
    for old, new in steps:
        if old.buckets is None or new.buckets is None:
            continue
        grown = _grown(old.buckets, new.buckets)
        resets += grown is None
        step = new.buckets if grown is None else grown
        total = step if total is None else added(total, step)
    return None if total is None else Spread(total, seconds, resets)


def _grown(old: Buckets, new: Buckets) -> Buckets | None:
    """None where the histogram was begun again, or has other edges now."""
    if old.edges != new.edges or any(now < then for then, now in zip(old.counts, new.counts, strict=True)):
        return None
    total = None if old.sum is None or new.sum is None else new.sum - old.sum
    return Buckets(new.edges, tuple(now - then for then, now in zip(old.counts, new.counts, strict=True)), total)


def summary(samples: Samples, spans: Sequence[Span]) -> dict[str, Any]:
    """By source: scrapes, gaps with their reasons, and every series."""
    told = seen(samples.samples, spans)
    names = sorted({*samples.scrapes, *(gap.source for gap in samples.gaps)})
    return {
        "sources": {name: _source(name, samples, [each for each in told if each.source == name]) for name in names},
        "unreadable": list(samples.unreadable),
    }


def _source(name: str, samples: Samples, told: list[Seen]) -> dict[str, Any]:
    reasons = Counter(gap.reason for gap in samples.gaps if gap.source == name)
    return {
        "scrapes": samples.scrapes.get(name, 0),
        "gaps": dict(reasons.most_common()),
        "series": [_plain(each) for each in told[:MOST_SERIES]],
        "series_left_out": max(0, len(told) - MOST_SERIES),
    }


def _plain(each: Seen) -> dict[str, Any]:
    head = {"word": each.word, "name": each.name, "labels": each.labels, "kind": each.kind}
    match each.told:
        case Level(count, low, mean, high, last):
            return {**head, "samples": count, "min": low, "mean": mean, "max": high, "last": last}
        case Growth(increase, seconds, resets) as growth:
            return {**head, "increase": increase, "per_second": growth.rate, "window_s": seconds, "resets": resets}
        case Spread(buckets, seconds, resets) as spread:
            bounds = {name: spread.quantile(share) for name, share in QUANTILES.items()}
            return {
                **head,
                "count": buckets.count,
                "mean": spread.mean,
                "quantile_bounds": {name: None if b is None else [b[0], finite(b[1])] for name, b in bounds.items()},
                "window_s": seconds,
                "resets": resets,
            }
        case _:
            return {**head, "missing": "fewer samples in the counted phases than are needed"}


def finite(value: float) -> float | None:
    """JSON has no infinity: an open end is null."""
    return value if math.isfinite(value) else None


def in_short(told: Mapping[str, Any]) -> list[str]:
    """A line for each source."""
    return [_line(name, source) for name, source in told["sources"].items()]


def _line(name: str, source: Mapping[str, Any]) -> str:
    gaps = sum(source["gaps"].values())
    parts = [f"{source['scrapes']} scrapes"]
    if gaps:
        parts.append(f"{gaps} gaps ({next(iter(source['gaps']))})")
    for word in ("running", "waiting", "kv_cache"):
        found = [each for each in source["series"] if each["word"] == word and "mean" in each]
        if found:
            mean, high = sum(each["mean"] for each in found), sum(each["max"] for each in found)
            parts.append(f"{word.replace('_', ' ')} {mean:.3g} (at most {high:.3g})")
    hits, queries, preempted = (_increase(source, word) for word in ("prefix_hits", "prefix_queries", "preemptions"))
    if hits is not None and queries:
        parts.append(f"prefix hits {hits / queries:.0%}")
    if preempted is not None:
        parts.append(f"{preempted:.0f} preemptions")
    return f"{name}: " + ", ".join(parts) + "."


def _increase(source: Mapping[str, Any], word: str) -> float | None:
    found = [each["increase"] for each in source["series"] if each["word"] == word and "increase" in each]
    return sum(found) if found else None
