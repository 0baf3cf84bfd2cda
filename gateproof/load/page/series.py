"""From arrays to what a plot or a spreadsheet holds: values over time, distributions, samples. Pure numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateproof.load.gaps import quantiles
from gateproof.load.ranks import ranked, ranks_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WIDTHS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)  # s
MOST_BINS = 180
"""In a plot of some 900 px, a bin is then five of them wide."""

FEWEST_BINS = 12
PER_BIN = 10
"""Requests in a bin on the mean, where there are so many."""

PICTURE = 1
"""Values that must lie beyond a quantile of a bin for it to be drawn. Quantiles that are told need ten."""

BEYOND = 10
"""Values beyond which a percentile curve ends: further out it is a few requests' luck."""

CURVE_POINTS = 120
LENGTH_CLASSES, PER_CLASS = 24, 20  # most classes of length, and requests in one, for a p95 to be drawn
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: spreads neighbours (Knuth, TAOCP 3, section 6.4)


@dataclass(frozen=True, slots=True)
class Bins:
    """Equal stretches of a run of so many seconds, from its start on; the last may be cut short by its end."""

    width: float
    number: int
    length: float

    @classmethod
    def of(cls, duration: float, requests: int) -> Bins:
        """As narrow as a plot can show, and as there are requests to fill them."""
        most = min(max(requests / PER_BIN, FEWEST_BINS), MOST_BINS)
        width = next((each for each in WIDTHS if duration <= each * most), duration / MOST_BINS)
        return cls(width, max(1, math.ceil(duration / width - 1e-9)), duration)

    @property
    def edges(self) -> Floats:
        return np.arange(self.number + 1, dtype=np.float64) * np.float64(self.width)

    @property
    def middles(self) -> Floats:
        return self.edges[:-1] + self.width / 2

    @property
    def widths(self) -> Floats:
        """Seconds of the run that each bin holds."""
        return np.minimum(self.edges[1:], self.length) - self.edges[:-1]

    def place(self, at: Floats) -> Ints:
        """The bin of each instant, which must be known; what lies outside is in the first or the last."""
        return np.clip((at / self.width).astype(np.int64), 0, self.number - 1)

    def count(self, at: Floats, weights: Floats | None = None) -> Floats:
        """Instants, or the sum of their weights, in each bin."""
        known = ~np.isnan(at)
        chosen = None if weights is None else np.nan_to_num(weights[known])
        return np.bincount(self.place(at[known]), chosen, self.number).astype(np.float64)


def by_bin(bins: Bins, at: Floats, values: Floats, shares: Sequence[float]) -> list[Floats]:
    """A quantile of each bin's values for each share; NaN where too few values say it. 1.0 is the highest."""
    known = ~(np.isnan(at) | np.isnan(values))
    place, kept = bins.place(at[known]), values[known]
    order = np.lexsort((kept, place))
    ordered = kept[order]
    counts = np.bincount(place, minlength=bins.number)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return [_ranked(ordered, starts, counts, share) for share in shares]


def _ranked(ordered: Floats, starts: Ints, counts: Ints, share: float) -> Floats:
    enough = counts * (1 - share) >= (PICTURE if 0.5 < share < 1 else 0)
    told = (counts > 0) & enough
    ranks = ranks_of(share, counts) - 1
    found = np.full(len(counts), np.nan)
    found[told] = ordered[(starts + ranks)[told]]
    return found


def spread(bins: Bins, start: Floats, end: Floats, amount: Floats) -> Floats:
    """An amount that grew evenly from each start to each end, by bin; at once where both are the same."""
    known = ~(np.isnan(start) | np.isnan(end) | np.isnan(amount))
    start, end, amount = start[known], end[known], amount[known]
    at_once = end - start < 1e-9
    pace = amount[~at_once] / (end - start)[~at_once]
    grown = _grown(bins.edges, start[~at_once], pace) - _grown(bins.edges, end[~at_once], pace)
    return np.diff(grown) + bins.count(start[at_once], amount[at_once])


def _grown(edges: Floats, since: Floats, pace: Floats) -> Floats:
    """Sum over all of pace times the time since, at each edge."""
    order = np.argsort(since)
    since, pace = since[order], pace[order]
    number = np.searchsorted(since, edges)
    paces, offsets = (np.concatenate([[0.0], np.cumsum(each)]) for each in (pace, pace * since))
    return np.asarray(edges * paces[number] - offsets[number])


@dataclass(frozen=True, slots=True)
class UnderWay:
    """How many were under way: on the mean and at most, by bin."""

    mean: Floats
    most: Floats


def under_way(bins: Bins, start: Floats, end: Floats) -> UnderWay:
    """Of what began; what never ended is under way until the last bin is over."""
    began = ~np.isnan(start)
    start = start[began]
    end = np.maximum(np.nan_to_num(end[began], nan=bins.length), start)
    present = spread(bins, start, end, end - start)
    at = np.concatenate([start, end])
    step = np.concatenate([np.ones(len(start)), -np.ones(len(end))])
    order = np.lexsort((step, at))  # who ends at the instant at which another begins has made room
    level = np.cumsum(step[order])
    place = bins.place(at[order])
    most = np.zeros(bins.number)
    np.maximum.at(most, place, level)
    carried = np.concatenate([[0.0], level])[np.searchsorted(at[order], bins.edges[:-1])]
    return UnderWay(present / bins.widths, np.maximum(most, carried))


@dataclass(frozen=True, slots=True)
class Curve:
    """Quantiles of a distribution: ``values[i]`` is not exceeded by the share ``shares[i]``."""

    shares: Floats
    values: Floats
    count: int


def curve(values: Floats) -> Curve:
    """Evenly over the logarithm of 1/(1-p), as far as the values tell."""
    ordered = np.sort(values[~np.isnan(values)])
    shares = _shares(len(ordered))
    ranks = ranks_of(shares, len(ordered)) - 1 if len(ordered) else np.empty(0, np.int64)
    return Curve(shares, ordered[ranks], len(ordered))


def curve_of_counts(values: Ints, counts: Ints) -> Curve:
    """The same of values that were counted."""
    number = int(counts.sum())
    shares = _shares(number)
    found = quantiles(values, counts, shares) if number else np.empty(0, np.int64)
    return Curve(shares, found.astype(np.float64), number)


def _shares(number: int) -> Floats:
    if not number:
        return np.empty(0)
    furthest = math.log10(max(2.0, number / BEYOND))
    marks = [mark for mark in (0.5, 0.9, 0.95, 0.99, 0.999) if math.log10(1 / (1 - mark)) <= furthest + 1e-9]
    even = 1 - 10 ** -np.linspace(0, furthest, CURVE_POINTS)
    return np.unique(np.concatenate([even, marks]))


def density(values: Floats, counts: Ints, per_decade: int = 20) -> tuple[Floats, Floats]:
    """Edges, evenly spaced on a log scale, and the share of all in each; values are above 0."""
    low, high = math.floor(math.log10(values[0]) * per_decade), math.floor(math.log10(values[-1]) * per_decade) + 1
    edges = 10 ** (np.arange(low, high + 1) / per_decade)
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return edges, np.bincount(place, counts, len(edges) - 1) / counts.sum()


def sample(index: Ints, number: int) -> Ints:
    """Places of at most so many entries, chosen by a hash of their index: whoever asks gets the same ones.

    Not every n-th: what repeats with the same period would be seen always or never.
    """
    if len(index) <= number:
        return np.arange(len(index))
    mixed = index.astype(np.uint64) * _MIX
    mixed ^= mixed >> np.uint64(32)
    mixed *= _MIX
    chosen: Ints = np.sort(np.argpartition(mixed, number)[:number])
    return chosen


def by_length(length: Floats, values: Floats, shares: Sequence[float]) -> tuple[Floats, list[Floats]]:
    """Quantiles of values over classes of length, with about equally many in each: middles, and values by share.

    Equal lengths are in one class.
    """
    classes = min(LENGTH_CLASSES, max(1, len(length) // PER_CLASS))
    edges = np.unique(np.quantile(length, np.arange(1, classes) / classes, method="higher"))
    place = np.searchsorted(edges, length)
    groups = [np.flatnonzero(place == each) for each in np.unique(place)]
    middles = np.array([float(np.median(length[each])) for each in groups])
    found = [np.array([ranked(values[each], [share])[0] for each in groups]) for share in shares]
    return middles, found


def plain(values: Floats) -> list[float | None]:
    """For JSON: four figures, and None for what is not known."""
    return [None if math.isnan(value) else float(f"{value:.4g}") for value in values.tolist()]
