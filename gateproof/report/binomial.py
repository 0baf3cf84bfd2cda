"""Exact binomial answers: which order statistics bound a quantile, and which shares fit what was counted. Pure.

Clopper and Pearson (1934), Biometrika 26; David and Nagaraja (2003), *Order Statistics*, 7.1.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

TAIL_WIDTH = 12.0  # standard deviations of a binomial beyond which its chances are below the precision of a double
HALVINGS = 60  # of [0, 1]: below the precision of a double


@cache
def quantile_ranks(number: int, share: float, confidence: float) -> tuple[int | None, int | None]:
    """Of ``number`` independent values, the order statistics that bound a quantile: their ranks, counted from 1; None
    where even the outermost value is not far enough out."""
    middle, spread = number * share, math.sqrt(number * share * (1 - share))
    first = max(0, math.floor(middle - TAIL_WIDTH * spread - TAIL_WIDTH))
    last = min(number, math.ceil(middle + TAIL_WIDTH * spread + TAIL_WIDTH))
    count = np.arange(first, last)
    steps = np.log((number - count) / (count + 1)) + math.log(share / (1 - share))
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    chance = np.exp(logs - logs.max())
    chance /= chance.sum()
    at_most = np.cumsum(chance)
    beyond = 1 - confidence
    # the lower end l: fewer than l values at or below the quantile, chance of at most `beyond`; the upper likewise
    below = int(np.searchsorted(at_most, beyond, side="right"))
    low = first + below if below else None
    above = first + int(np.searchsorted(at_most, confidence, side="left")) + 1
    return low or None, above if above <= number else None


def clopper_pearson(hits: float, number: float, confidence: float) -> tuple[float, float]:
    """Shares with which as many hits, or as few, come up with a chance of 1 - confidence; need not be whole numbers."""
    beyond = 1 - confidence
    low = 0.0 if hits <= 0 else _inverse_beta(beyond, hits, number - hits + 1)
    high = 1.0 if hits >= number else _inverse_beta(confidence, hits + 1, number - hits)
    return low, high


def _inverse_beta(chance: float, a: float, b: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if incomplete_beta(middle, a, b) < chance else (low, middle)
    return (low + high) / 2


def incomplete_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b), by the continued fraction DLMF 8.17.22 (https://dlmf.nist.gov/8.17.E22), summed as Lentz does."""
    if not 0 < x < 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(1 - x, b, a)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    least, precision = 1e-300, 1e-15
    c, d = 1.0, 1 / max(1 - (a + b) * x / (a + 1), least)
    total = d
    for m in range(1, 100 + math.ceil(10 * math.sqrt(a + b))):  # converges in some multiple of sqrt(max(a, b))
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + term * d or least)
            c = 1 + term / c or least
            total *= c * d
        if abs(c * d - 1) < precision:
            break
    return math.exp(front) / a * total
