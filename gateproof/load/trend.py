"""Does a series of window values creep, or jump? Rank statistics, which no outlier and no odd distribution misleads.

Mann (1945), Kendall (1975): the trend test. Theil (1950), Sen (1968): slope and interval. Hamed and Rao (1998),
J. Hydrol. 204: the variance of Kendall's S for autocorrelated values. Pettitt (1979), Appl. Statist. 28: one shift of
the level.

Values are medians or shares of windows, so most of the dependence between neighbouring requests is gone before a test
sees them. What is left, queues that fill and drain, caches that warm, is corrected for, and only ever towards caution:
negative autocorrelation, which would make the tests bolder, is not believed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST = 12
"""Values below which the normal approximation of Kendall's S is not used (Kendall 1975, section 4)."""
MOST_CORRELATED = 0.95
"""Of neighbouring values: above, there is no telling a random walk from a trend, whatever the formula says."""
ROUNDED = 9
"""Digits of residuals that are looked at; a double has six more."""


@dataclass(frozen=True, slots=True)
class Trend:
    """``slope`` per unit of time with its interval; ``p`` of there being no trend; ``inflation`` of S's variance."""

    slope: float
    low: float
    high: float
    p: float
    inflation: float
    values: int


@dataclass(frozen=True, slots=True)
class Shift:
    """The likeliest break: values from number ``at`` on have another median. ``p`` of there being none."""

    at: int
    before: float
    after: float
    p: float

    @property
    def change(self) -> float:
        return self.after - self.before


def trend(times: Floats, values: Floats, confidence: float) -> Trend:
    """Sen's slope, its interval, and the Mann-Kendall test, both with the corrected variance."""
    _check(times, values)
    slopes = np.sort(_slopes(times, values))
    slope = float(np.median(slopes))
    factor = inflation(values - slope * times)
    deviation = math.sqrt(_variance(values) * factor)
    low, high = _interval(slopes, deviation, confidence)
    return Trend(slope, low, high, _two_sided(_kendall(slopes), deviation), factor, len(values))


def _check(times: Floats, values: Floats) -> None:
    if len(times) != len(values) or len(values) < LEAST:
        raise ValueError(f"{len(values)} values at {len(times)} times; {LEAST} are needed")
    if np.isnan(values).any() or not (np.diff(times) > 0).all():
        raise ValueError("times must rise, and every value be known")


def _slopes(times: Floats, values: Floats) -> Floats:
    """Of all pairs."""
    first, second = np.triu_indices(len(values), 1)
    slopes: Floats = (values[second] - values[first]) / (times[second] - times[first])
    return slopes


def _kendall(slopes: Floats) -> float:
    """S: rising pairs minus falling ones."""
    return float(np.sign(slopes).sum())


def _variance(values: Floats) -> float:
    """Of Kendall's S where no trend is, with ties."""

    def part(number: NDArray[np.int64] | int) -> NDArray[np.int64] | int:
        return number * (number - 1) * (2 * number + 5)

    _, ties = np.unique(values, return_counts=True)
    return float(part(len(values)) - np.sum(part(ties))) / 18


def _interval(slopes: Floats, deviation: float, confidence: float) -> tuple[float, float]:
    """Sen's: the slopes that lie so many ranks from the middle, one more on each side for the discreteness."""
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * deviation
    low = math.floor((len(slopes) - reach) / 2) - 1
    high = math.ceil((len(slopes) + reach) / 2)
    return float(slopes[max(0, low)]), float(slopes[min(len(slopes) - 1, high)])


def _two_sided(statistic: float, deviation: float) -> float:
    """With the correction for continuity, since S moves in steps of two."""
    if not deviation or not statistic:
        return 1.0
    score = (abs(statistic) - 1) / deviation
    return min(1.0, 2 * (1 - NormalDist().cdf(score)))


def inflation(values: Floats) -> float:
    """Hamed and Rao's n/n*: by how much autocorrelation widens the variance of S; at least 1.

    Their sum over the lags, with the ranks' autocorrelation taken as that of a first-order process. Their own way,
    each lag as found and only where it is significant, lets two to three times as many false alarms through at 30
    windows; so does leaving out that a fit hides (2 + 4 phi) / n of the autocorrelation (Kendall 1954).
    """
    number = len(values)
    ranks = _ranks(_levelled(values)) - (number + 1) / 2
    power = float(ranks @ ranks)
    if not power:
        return 1.0
    found = float(ranks[1:] @ ranks[:-1]) / power
    phi = min(max(0.0, (number * found + 2) / (number - 4)), MOST_CORRELATED)
    lags = np.arange(1, number - 2)
    weights = (number - lags) * (number - lags - 1) * (number - lags - 2) * phi**lags
    return 1 + 2 * float(weights.sum()) / (number * (number - 1) * (number - 2))


def _levelled(left: Floats) -> Floats:
    """What a fit has left, without the rounding that would put an order into equal values."""
    centred = left - np.median(left)
    scale = np.abs(centred).max()
    return np.round(centred / scale, ROUNDED) if scale else centred


def _ranks(values: Floats) -> Floats:
    """From 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Floats = ((ends - counts + 1 + ends) / 2)[inverse]
    return ranks


def shift(values: Floats) -> Shift:
    """Pettitt's test, with the variance of its statistic corrected for what autocorrelation the two levels leave."""
    number = len(values)
    if number < LEAST:
        raise ValueError(f"{number} values; {LEAST} are needed")
    sums = np.cumsum(2 * _ranks(values) - number - 1)[:-1]
    at = int(np.argmax(np.abs(sums))) + 1
    before, after = float(np.median(values[:at])), float(np.median(values[at:]))
    left = np.concatenate([values[:at] - before, values[at:] - after])
    statistic = float(sums[at - 1]) ** 2 / inflation(left)
    return Shift(at, before, after, min(1.0, 2 * math.exp(-6 * statistic / (number**3 + number**2))))


def misfit_of_line(times: Floats, values: Floats, slope: float) -> float:
    """Sum of the distances from the line of that slope through the middle."""
    left = values - slope * times
    return float(np.abs(left - np.median(left)).sum())


def misfit_of_step(values: Floats, found: Shift) -> float:
    """Sum of the distances from the two levels."""
    return float(np.abs(values[: found.at] - found.before).sum() + np.abs(values[found.at :] - found.after).sum())
