"""How many samples it takes to decide, from the interval of those that there are. Pure."""

from __future__ import annotations

import math
from statistics import NormalDist

from gateproof.report.binomial import clopper_pearson
from gateproof.report.statistics import Interval

MOST_GROWTH = 1e6  # times as many samples: nobody makes so many
NORMAL = NormalDist()


def growth_to_decide(interval: Interval, bound: float) -> float | None:
    """By how much the samples must grow until the interval no longer reaches the bound, as it narrows with their square
    root; None where the estimate lies on the bound, or an end is not known."""
    end = interval.high if bound > interval.estimate else interval.low
    if end is None or interval.estimate == bound:
        return None
    return ((end - interval.estimate) / (bound - interval.estimate)) ** 2


def share_growth_to_decide(interval: Interval, bound: float, confidence: float) -> float | None:
    """The same of a share, whose interval narrows faster than that near 0 and 1; None beyond ``MOST_GROWTH``."""
    least, most = 1.0, 1.0

    def decided(growth: float) -> bool:
        number = growth * interval.effective
        low, high = clopper_pearson(interval.estimate * number, number, confidence)
        return not low < bound < high

    while not decided(most):
        least, most = most, 2 * most
        if most > MOST_GROWTH:
            return None
    while most / least > 1.01:
        middle = math.sqrt(least * most)
        least, most = (least, middle) if decided(middle) else (middle, most)
    return most


def growth_to_catch(
    ratio: Interval, bound: float, caught: float, power: float, confidence: float, *, upper: bool
) -> float | None:
    """By how much the samples must grow until a true ratio of ``caught`` is found to break ``bound`` with a chance of
    ``power``: both quantiles of the normal must fit between the two, on a log scale. ``upper`` for a bound from above.
    """
    near = ratio.low if upper else ratio.high
    if near is None:
        return None
    error = math.log(near / ratio.estimate) / NORMAL.inv_cdf(confidence)
    needed = NORMAL.inv_cdf(confidence) + NORMAL.inv_cdf(power)
    return (needed * error / math.log(caught / bound)) ** 2
