"""Intervals of what was measured: how far the truth may lie from an estimate. Pure.

Values come in the order in which they were taken. Answers of a busy server resemble their neighbours, so ten thousand
may tell as much as two thousand independent ones: every interval here is widened by what the values' own
autocorrelation says, and never narrowed by it.

Each end of an interval stands alone: the truth lies below ``low`` with a chance of at most 1 - confidence, and above
``high`` with the same. A two-sided interval of 98 % has a confidence of 0.99 here.

Quantiles: order statistics, whose ranks are binomial whatever the distribution (David and Nagaraja 2003, *Order
Statistics*, 7.1), at the effective sample size (Woodruff 1952, JASA 47). Shares: Clopper and Pearson (1934), at the
effective sample size (Korn and Graubard 1998, Survey Methodology 24). Means: circular block bootstrap (Politis and
Romano 1992) with the block length of Politis and White (2004), corrected by Patton, Politis and White (2009). Ratios:
the two intervals on a log scale, joined by MOVER (Zou and Donner 2008, Statistics in Medicine 27), without draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from gateproof.report.binomial import clopper_pearson, quantile_ranks

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

CONFIDENCE = 0.99
"""Of each end: at most one verdict in a hundred is luck (project policy)."""

DRAWS = 2000
"""Bootstrap samples: twenty beyond an end of 99 %."""

SEED = 20_260_101
"""Of the bootstrap: the same values give the same interval."""

FEWEST_BLOCKS = 8
"""Blocks below which a bootstrap is a guess and no end is told."""

LEAST_CORRELATED = 5
"""Lags in a row without correlation that end the search for it (Politis and White 2004, section 3.2: K_N)."""

MOST_STRETCHES = 10_000
"""Values that a bootstrap draws from: longer series are averaged over equal stretches first, which costs nothing as
long as the blocks are longer than a stretch, and little where values are independent anyway."""

ROUNDING = 1e-6  # of a rank: 0.07 of 100 values is the 7th, whatever a double makes of the product
AT_ONCE = 2_000_000  # random starts in memory: 16 MB
NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its ends; an end is None where the values are too few to tell it at the confidence asked.

    ``samples`` are the values it rests on, ``effective`` what they are worth as independent ones.
    """

    estimate: float
    low: float | None
    high: float | None
    samples: int
    effective: float
    method: str


# --- dependence ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dependence:
    """How much neighbouring values resemble each other.

    ``inflation`` is the variance of the mean over that of independent values, at least 1; ``block`` the length of
    blocks, in values, that keeps what lies between neighbours.
    """

    inflation: float
    block: int


INDEPENDENT = Dependence(1.0, 1)


def dependence(values: Floats) -> Dependence:
    """By a flat-top window over the autocovariances up to where they are lost in noise (Politis and White 2004)."""
    number = len(values)
    if number < 4 * LEAST_CORRELATED:
        return INDEPENDENT
    lags = min(number - 1, math.ceil(math.sqrt(number)) + LEAST_CORRELATED)
    covariance = _autocovariance(values, 2 * lags)
    if covariance[0] <= 0:
        return INDEPENDENT
    width = 2 * _last_correlated(covariance[: lags + 1] / covariance[0], number)
    at = np.arange(min(width, len(covariance) - 1) + 1)
    window = np.clip(2 * (1 - at / max(width, 1)), 0.0, 1.0)
    both_sides = np.where(at == 0, 1.0, 2.0) * window * covariance[: len(at)]
    spectrum = float(both_sides.sum())
    if spectrum <= covariance[0]:
        return INDEPENDENT
    slope = float((both_sides * at).sum())
    block = (1.5 * (slope / spectrum) ** 2 * number) ** (1 / 3)
    longest = min(3 * math.sqrt(number), number / 3)
    return Dependence(spectrum / float(covariance[0]), max(1, math.ceil(min(block, longest))))


def _autocovariance(values: Floats, lags: int) -> Floats:
    centred = values - values.mean()
    size = 1 << (len(values) + lags).bit_length()
    spectrum = np.fft.rfft(centred, size)
    product = np.fft.irfft(spectrum * np.conj(spectrum), size)
    found: Floats = product[: min(lags + 1, len(values))] / len(values)
    return found


def _last_correlated(correlation: Floats, number: int) -> int:
    """The lag after which ``LEAST_CORRELATED`` in a row are within noise; at least 1, at most all that are there."""
    noise = 2 * math.sqrt(math.log10(number) / number)
    quiet = np.abs(correlation[1:]) < noise
    for lag in range(len(quiet) - LEAST_CORRELATED + 1):
        if quiet[lag : lag + LEAST_CORRELATED].all():
            return max(1, lag)
    return len(quiet)


def _effective(hits: Bools, lengths: Ints | None) -> float:
    """How many independent values a series of yes and no is worth; ``lengths`` joins values of one request."""
    share = float(hits.mean())
    if share in (0.0, 1.0):
        return float(len(hits))
    if lengths is None:
        return len(hits) / dependence(hits - np.float64(share)).inflation
    some = lengths[lengths > 0]
    starts = np.concatenate([[0], np.cumsum(some)[:-1]])
    sums = np.add.reduceat(hits, starts, dtype=np.float64) - share * some
    within = float((sums**2).sum()) / (len(hits) * share * (1 - share))
    return len(hits) / (max(1.0, within) * dependence(sums).inflation)


# --- quantiles ----------------------------------------------------------------------------------------------------


def quantile_interval(
    values: Floats, share: float, *, confidence: float = CONFIDENCE, lengths: Ints | None = None
) -> Interval:
    """Of the value that ``share`` of all are not above. ``lengths`` tells how many values each request has given."""
    if not 0 < share < 1 or not len(values):
        raise ValueError(f"no quantile {share} of {len(values)} values")
    number = len(values)
    rank = max(1, math.ceil(share * number - ROUNDING))
    ordered = np.partition(values, rank - 1)
    estimate = float(ordered[rank - 1])
    effective = _effective(values <= estimate, lengths)
    low, high = quantile_ranks(max(1, math.floor(effective)), share, confidence)
    scale = number / max(1, math.floor(effective))
    wanted = [
        None if low is None else max(1, math.floor(low * scale)),
        None if high is None else min(number, math.ceil(high * scale)),
    ]
    places = [place - 1 for place in wanted if place is not None]
    if places:
        ordered.partition(places)
    ends = [None if place is None else float(ordered[place - 1]) for place in wanted]
    return Interval(estimate, ends[0], ends[1], number, effective, "order statistics")


def least_for_quantile(share: float, confidence: float = CONFIDENCE) -> int:
    """Independent values below which the upper end of a quantile is not known: the highest may still lie below it."""
    return math.ceil(math.log(1 - confidence) / math.log(share))


# --- shares -------------------------------------------------------------------------------------------------------


def share_interval(hits: Bools, *, confidence: float = CONFIDENCE) -> Interval:
    """Of the share of ``hits``, in the order in which they happened."""
    if not len(hits):
        raise ValueError("no share of nothing")
    share, effective = float(hits.mean()), _effective(hits, None)
    low, high = clopper_pearson(share * effective, effective, confidence)
    return Interval(share, low, high, len(hits), effective, "Clopper-Pearson")


# --- means --------------------------------------------------------------------------------------------------------


def mean_interval(values: Floats, *, confidence: float = CONFIDENCE) -> Interval:
    """Of the mean; no ends below ``FEWEST_BLOCKS`` blocks."""
    number = len(values)
    if not number:
        raise ValueError("no mean of nothing")
    estimate = float(values.mean())
    series = _shortened(values)
    found = dependence(series)
    blocks = math.ceil(len(series) / found.block)
    effective = number / found.inflation
    if blocks < FEWEST_BLOCKS:
        return Interval(estimate, None, None, number, effective, "block bootstrap")
    drawn = _drawn_means(series, found.block, blocks)
    beyond = NORMAL.cdf(-math.sqrt(blocks / (blocks - 1)) * student(confidence, blocks - 1))
    low, high = np.quantile(drawn, [beyond, 1 - beyond])
    return Interval(estimate, float(low), float(high), number, effective, "block bootstrap")


def _shortened(values: Floats) -> Floats:
    if len(values) <= MOST_STRETCHES:
        return values
    starts = np.linspace(0, len(values), MOST_STRETCHES, endpoint=False).astype(np.int64)
    means: Floats = np.add.reduceat(values, starts) / np.diff(np.append(starts, len(values)))
    return means


def _drawn_means(series: Floats, block: int, blocks: int) -> Floats:
    """Of ``DRAWS`` series, each as many blocks as there are, which begin anywhere; the end goes on at the start."""
    generator = np.random.Generator(np.random.Philox(key=SEED))
    sums = np.cumsum(np.concatenate([[0.0], series, series[:block]]))
    of_block = (sums[block:] - sums[:-block])[: len(series)]
    at_once = max(1, AT_ONCE // blocks)
    means = [
        of_block[generator.integers(0, len(series), size=(min(at_once, DRAWS - done), blocks))].mean(axis=1) / block
        for done in range(0, DRAWS, at_once)
    ]
    return np.concatenate(means)


def student(share: float, freedom: int) -> float:
    """Student's quantile, by the expansion in 1/freedom of Abramowitz and Stegun, 26.7.5: from 7 degrees on right to
    0.2 % at 99 %."""
    z = NORMAL.inv_cdf(share)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


# --- ratios -------------------------------------------------------------------------------------------------------


def ratio_of(candidate: Interval, baseline: Interval) -> Interval:
    """Of candidate over baseline, two independent samples, both above 0. ``effective`` is that of the smaller."""
    if candidate.estimate <= 0 or baseline.estimate <= 0:
        raise ValueError("no ratio of what is not above 0")
    ratio = math.log(candidate.estimate / baseline.estimate)
    down = _joined(candidate, baseline, upward=False)
    up = _joined(candidate, baseline, upward=True)
    return Interval(
        math.exp(ratio),
        None if down is None else math.exp(ratio - down),
        None if up is None else math.exp(ratio + up),
        min(candidate.samples, baseline.samples),
        min(candidate.effective, baseline.effective),
        f"{candidate.method}, joined by MOVER",
    )


def _joined(candidate: Interval, baseline: Interval, *, upward: bool) -> float | None:
    """How far the log of the ratio may lie off: the candidate to one side, the baseline to the other."""
    ends = (candidate.high, baseline.low) if upward else (candidate.low, baseline.high)
    if any(end is None or end <= 0 for end in ends):
        return None
    off = (math.log((end or 0.0) / each.estimate) for end, each in zip(ends, (candidate, baseline), strict=True))
    return math.hypot(*off)


def ratio_interval(
    baseline: Floats, candidate: Floats, share: float | None = None, *, confidence: float = CONFIDENCE
) -> Interval:
    """Candidate over baseline, of the quantile ``share``, or of the mean where that is None."""
    if share is None:
        return ratio_of(mean_interval(candidate, confidence=confidence), mean_interval(baseline, confidence=confidence))
    return ratio_of(
        quantile_interval(candidate, share, confidence=confidence),
        quantile_interval(baseline, share, confidence=confidence),
    )
