"""Quantiles as ranks: a value that was measured, never one between two, and the same wherever it is told. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROUNDING = 1e-9
"""Of a share times a number: 0.9 of 10 must not become the tenth."""


def ranks_of(shares: ArrayLike, number: ArrayLike) -> Ints:
    """Which of so many ascending values, from 1 on, is the least that each share of all are not above."""
    reached = np.asarray(shares, dtype=np.float64) * np.asarray(number)
    ranks: Ints = np.maximum(np.ceil(reached - ROUNDING), 1).astype(np.int64)
    return ranks


def ranked(values: Floats, shares: Sequence[float]) -> Floats:
    """The quantiles of at least one value."""
    ordered: Floats = np.sort(values)
    return ordered[ranks_of(shares, len(values)) - 1]
