"""Distributions of TTFT that servers have, as series in the order of the requests."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
World = Callable[[np.random.Generator, int], Floats]
"""So many values, in seconds."""

SPREAD = 0.3
"""Standard deviation of the logarithm: the p99 is then twice the median, as on a server with room to spare."""
MEDIAN = 0.2  # s
MISSES, MISS_FACTOR, MODE_SPREAD = 0.3, 4.0, 0.15
"""Bimodal: prompts that miss the prefix cache take four times as long."""
BLOCK = 32
"""Values that the recursion of a correlated series takes at once."""


def lognormal(random: np.random.Generator, number: int) -> Floats:
    return MEDIAN * np.exp(SPREAD * random.normal(size=number))


def bimodal(random: np.random.Generator, number: int) -> Floats:
    missed = random.random(number) < MISSES
    return MEDIAN * np.exp(MODE_SPREAD * random.normal(size=number)) * np.where(missed, MISS_FACTOR, 1.0)


def correlated(memory: float) -> World:
    """Lognormal, an AR(1) on the log scale: neighbours correlate by ``memory``, as behind a queue."""

    def world(random: np.random.Generator, number: int) -> Floats:
        return MEDIAN * np.exp(SPREAD * _autoregressive(random, number, memory))

    return world


def _autoregressive(random: np.random.Generator, number: int, memory: float) -> Floats:
    """Of variance 1. Block by block: each is its own noise through a triangular matrix, and what is left of the one
    before."""
    mixing, fading = _recursion(memory)
    blocks = math.ceil(number / BLOCK)
    noise = random.normal(size=(blocks, BLOCK)) * math.sqrt(1 - memory**2)
    own = noise @ mixing.T
    last, series = random.normal(), np.empty((blocks, BLOCK))
    for block in range(blocks):
        series[block] = own[block] + fading * last
        last = series[block, -1]
    return series.reshape(-1)[:number]


@cache
def _recursion(memory: float) -> tuple[Floats, Floats]:
    behind = np.subtract.outer(np.arange(BLOCK), np.arange(BLOCK))
    return np.where(behind >= 0, memory ** np.maximum(behind, 0), 0.0), memory ** np.arange(1, BLOCK + 1)


def quantile(share: float) -> float:
    """Of the lognormal worlds, whatever their correlation: s."""
    return MEDIAN * math.exp(SPREAD * NormalDist().inv_cdf(share))


WORLDS: Mapping[str, World] = {
    "lognormal": lognormal,
    "bimodal": bimodal,
    "autocorrelated, 0.6": correlated(0.6),
    "autocorrelated, 0.8": correlated(0.8),
}
EXACT = ("lognormal", "autocorrelated, 0.6", "autocorrelated, 0.8")
"""Those whose quantiles are known in closed form."""
