"""What servers said of themselves over a run, in the bins of its plots. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gateproof.load.metrics.samples import Sample
from gateproof.load.page.series import Bins, Floats

NANOSECONDS = 1e-9
MILLISECOND_NAMES = ("_ms", "_milliseconds")


@dataclass(frozen=True, slots=True)
class Told:
    """One line of a plot: a value for each bin, NaN where nothing was said."""

    source: str
    word: str
    values: Floats

    @property
    def any(self) -> bool:
        return not bool(np.isnan(self.values).all())


def gauges(samples: Iterable[Sample], bins: Bins, words: Sequence[str], *, mean: bool = False) -> list[Told]:
    """The mean of each bin's scrapes; series that differ in labels alone are added up, or averaged (``mean``)."""
    scrapes: dict[tuple[str, str], dict[int, list[float]]] = {}
    for each in samples:
        if each.word in words and each.kind == "gauge":
            scrapes.setdefault((each.source, each.word), {}).setdefault(each.at, []).append(each.value)
    told = []
    for (source, word), at in sorted(scrapes.items(), key=lambda pair: (words.index(pair[0][1]), pair[0][0])):
        instants = np.array(sorted(at)) * NANOSECONDS
        values = np.array([(np.mean if mean else np.sum)(at[instant]) for instant in sorted(at)])
        told.append(Told(source, word, _means(bins, instants, values)))
    return [each for each in told if each.any]


def rates(samples: Iterable[Sample], bins: Bins, words: Sequence[str]) -> list[Told]:
    """Growth per second of counters, by bin."""
    told = []
    for (source, word), found in sorted(_series(samples, words, "counter").items()):
        each = np.array([_rate(bins, _joined([series])) for series in found])
        values = np.where(np.isnan(each).all(axis=0), np.nan, np.nansum(each, axis=0))
        told.append(Told(source, word, values))
    return [each for each in told if each.any]


def _rate(bins: Bins, steps: _Steps) -> Floats:
    return _ratio(bins.count(steps.at, steps.value), bins.count(steps.at, steps.seconds))


def ratio(samples: Sequence[Sample], bins: Bins, parts: str, of: str) -> list[Told]:
    """Growth of one counter over that of another, by bin."""
    found = {word: _steps(samples, [word], "counter") for word in (parts, of)}
    told = []
    for source, _ in sorted(found[of]):
        if (source, parts) in found[parts]:
            one, other = found[parts][source, parts], found[of][source, of]
            values = _ratio(bins.count(one.at, one.value), bins.count(other.at, other.value))
            told.append(Told(source, parts, values))
    return [each for each in told if each.any]


def means(samples: Iterable[Sample], bins: Bins, word: str) -> list[Told]:
    """Seconds: what histograms grew by in each bin, as sum over count: exact, where quantiles are not."""
    told = []
    for (source, _), steps in sorted(_steps(samples, [word], "histogram").items()):
        told.append(Told(source, word, _ratio(bins.count(steps.at, steps.total), bins.count(steps.at, steps.value))))
    return [each for each in told if each.any]


@dataclass(frozen=True, slots=True)
class _Steps:
    """From one scrape to the next: when, how much more, of sums how much, and how long it took."""

    at: Floats
    value: Floats
    total: Floats
    seconds: Floats


def _steps(samples: Iterable[Sample], words: Sequence[str], kind: str) -> dict[tuple[str, str], _Steps]:
    return {key: _joined(found) for key, found in _series(samples, words, kind).items()}


def _series(samples: Iterable[Sample], words: Sequence[str], kind: str) -> dict[tuple[str, str], list[list[Sample]]]:
    """By source and word: the samples of each series."""
    series: dict[tuple[str, str], dict[tuple[str, str], list[Sample]]] = {}
    for each in samples:
        if each.word in words and each.kind == kind:
            series.setdefault((each.source, each.word), {}).setdefault((each.name, each.labels), []).append(each)
    return {key: list(found.values()) for key, found in series.items()}


def _joined(found: list[list[Sample]]) -> _Steps:
    rows = [
        (_middle(old, new), *_growth(old, new), (new.at - old.at) * NANOSECONDS)
        for each in found
        for old, new in pairwise(sorted(each, key=lambda sample: sample.at))
    ]
    at, value, total, seconds = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return _Steps(at, value, total, seconds)


def _middle(old: Sample, new: Sample) -> float:
    return (old.at + new.at) / 2 * NANOSECONDS


def _growth(old: Sample, new: Sample) -> tuple[float, float]:
    """Of count and sum; what fell was begun again."""
    fell = new.value < old.value
    value = new.value if fell else new.value - old.value
    before, after = _sum(old), _sum(new)
    return value, after if fell else after - before


def _sum(sample: Sample) -> float:
    if sample.buckets is None or sample.buckets.sum is None:
        return 0.0 if sample.buckets is None else float("nan")
    return sample.buckets.sum * (1e-3 if sample.name.endswith(MILLISECOND_NAMES) else 1.0)


def _means(bins: Bins, at: Floats, values: Floats) -> Floats:
    inside = (at >= 0) & (at <= bins.length)
    return _ratio(bins.count(at[inside], values[inside]), bins.count(at[inside]))


def _ratio(one: Floats, other: Floats) -> Floats:
    found: Floats = np.divide(one, other, out=np.full(len(one), np.nan), where=other > 0)
    return found
