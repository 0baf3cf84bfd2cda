"""What a gateway adds, by stage: paired differences between the same requests through it and past it.

Pure: from what both ways took to differences with intervals. Requests of one block share their moment and are no
independent samples, so whole pairs of blocks are drawn for the bootstrap, not requests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from gateproof.load.interleave import Bools, Interleaved, Ints
from gateproof.load.ranks import ranked
from gateproof.report.statistics import student

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
"""Of each interval (project policy)."""

DRAWS = 2000
"""Bootstrap samples; the ends of an interval of 95 % need 1000 or more (Efron and Tibshirani 1993, section 14.5)."""

SEED = 20_260_101
"""Of the bootstrap: the same log gives the same interval."""

FEWEST_BLOCKS = 8
"""Pairs of blocks below which no interval is told: a bootstrap of so few is a guess."""

BEYOND = 10
"""Pairs that must lie beyond the p95 of a side for the tail's difference to be told."""

TAIL = 0.95

AT_ONCE = 1_000_000  # numbers that the bootstrap has in memory: some 20 MB


@dataclass(frozen=True, slots=True)
class Estimate:
    """A difference in seconds, gateway minus direct, with its interval; None where there are too few blocks."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def found(self) -> bool:
        """Whether it is surely not zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a request, from ``start`` on; ``pairs`` of which both sides have it, in ``blocks`` pairs of blocks.

    ``gateway`` and ``direct`` are the medians of the sides in seconds. ``median`` and ``mean`` are of the differences
    of pairs; ``tail`` is the difference of the sides' p95.
    """

    start: str
    pairs: int
    blocks: int
    gateway: float | None = None
    direct: float | None = None
    median: Estimate | None = None
    mean: Estimate | None = None
    tail: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Overhead:
    """``pairs`` were due in the counted phases; ``lost`` counts, by side, requests of them that did not end well."""

    pairs: int
    lost: Mapping[str, int]
    stages: Mapping[str, Stage]


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds that each request took for a stage, by index; NaN where it has none."""

    start: str
    values: Floats


def overhead(plan: Interleaved, counted: Bools, good: Bools, taken: Mapping[str, Taken]) -> Overhead:
    """``counted`` and ``good`` say by index which requests lie in a counted phase, and which ended well."""
    gateway, direct = plan.mates
    due = counted[gateway] & counted[direct]
    usable = due & good[gateway] & good[direct]
    blocks = plan.block[gateway]
    lost = {name: int((due & ~good[side]).sum()) for name, side in (("gateway", gateway), ("direct", direct))}
    stages = {
        name: stage(each.start, each.values[gateway[usable]], each.values[direct[usable]], blocks[usable])
        for name, each in taken.items()
    }
    return Overhead(int(due.sum()), lost, stages)


def stage(start: str, gateway: Floats, direct: Floats, block: Ints) -> Stage:
    """From the values of both sides by pair, and the pair of blocks in which each lies."""
    both = ~(np.isnan(gateway) | np.isnan(direct))
    gateway, direct, block = gateway[both], direct[both], block[both]
    names, place = np.unique(block, return_inverse=True)
    if not len(names):
        return Stage(start, 0, 0)
    drawn = _Drawn(place, len(names)) if len(names) >= FEWEST_BLOCKS else None
    difference = gateway - direct
    tail = None
    if len(gateway) * (1 - TAIL) >= BEYOND:
        tails = drawn.quantiles(gateway, TAIL) - drawn.quantiles(direct, TAIL) if drawn else None
        tail = _estimate(_quantile(gateway, TAIL) - _quantile(direct, TAIL), tails, len(names))
    return Stage(
        start,
        len(gateway),
        len(names),
        float(np.median(gateway)),
        float(np.median(direct)),
        _estimate(_quantile(difference, 0.5), drawn.quantiles(difference, 0.5) if drawn else None, len(names)),
        _estimate(float(difference.mean()), drawn.means(difference) if drawn else None, len(names)),
        tail,
    )


class _Drawn:
    """``DRAWS`` samples of as many blocks as there are, with replacement; ``place`` is the block of each value."""

    def __init__(self, place: Ints, blocks: int) -> None:
        generator = np.random.Generator(np.random.Philox(key=SEED))
        self._place, self._blocks = place, blocks
        self._times: Floats = generator.multinomial(blocks, np.full(blocks, 1 / blocks), size=DRAWS).astype(np.float64)

    def means(self, values: Floats) -> Floats:
        sums, counts = (np.bincount(self._place, each, self._blocks) for each in (values, None))
        found: Floats = (self._times @ sums) / (self._times @ counts)
        return found

    def quantiles(self, values: Floats, share: float) -> Floats:
        """Of each sample, the least value that ``share`` of it is not above."""
        order = np.argsort(values)
        ordered, place = values[order], self._place[order]
        found = []
        for times in np.array_split(self._times, math.ceil(DRAWS * len(values) / AT_ONCE)):
            reached = np.cumsum(times[:, place], axis=1)
            found.append(ordered[np.argmax(reached >= share * reached[:, -1:], axis=1)])
        return np.concatenate(found)


def _quantile(values: Floats, share: float) -> float:
    return float(ranked(values, [share])[0])


def _estimate(value: float, drawn: Floats | None, blocks: int) -> Estimate:
    """The percentile interval, expanded for few blocks (Hesterberg 2015, "What teachers should know about the
    bootstrap", https://arxiv.org/abs/1411.5279): without it, it is too narrow by about sqrt(1 - 1/n) and by normal
    in place of Student's quantiles."""
    if drawn is None:
        return Estimate(value)
    outside = NormalDist().cdf(-math.sqrt(blocks / (blocks - 1)) * student((1 + CONFIDENCE) / 2, blocks - 1))
    low, high = np.quantile(drawn, [outside, 1 - outside])
    return Estimate(value, float(low), float(high))
