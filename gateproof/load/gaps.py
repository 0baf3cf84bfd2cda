"""Gaps between tokens, counted: an hour of streams has a hundred million of them, too many to have in memory at once.

They are whole microseconds, so that counting them loses nothing: quantiles are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no types
from numpy.typing import NDArray

from gateproof.load.ranks import ranks_of

Ints = NDArray[np.int64]

COUNTED = 1 << 22
"""us, some 4 s: shorter gaps are counted one by one, 32 MB in all; longer ones are rare and kept as they are."""

AT_ONCE = 1 << 15
"""Rows whose lists are flattened together: 26 MB where each has 200 gaps."""


class Gaps:
    """A distribution of microseconds, to which more can be added."""

    def __init__(self) -> None:
        self._counts = np.zeros(0, dtype=np.int64)
        self._longer: list[Ints] = []

    @classmethod
    def of(cls, lists: pa.ChunkedArray, chosen: NDArray[np.bool_]) -> Gaps:
        """Of the rows that are ``chosen``; ``lists`` is the column ``gaps`` of a log."""
        gaps = cls()
        for values in _flattened(lists, chosen):
            gaps.add(values)
        return gaps

    def add(self, values: NDArray[np.int32]) -> None:
        """Negative ones count as 0: two stamps of one instant that were brought onto one clock."""
        values = np.maximum(values, 0)
        longer = values >= COUNTED
        if longer.any():
            self._longer.append(values[longer].astype(np.int64))
            values = values[~longer]
        counts = np.bincount(values, minlength=len(self._counts))
        counts[: len(self._counts)] += self._counts
        self._counts = counts

    def distinct(self) -> tuple[Ints, Ints]:
        """The values, ascending, and how often each came."""
        longer, times = np.unique(np.concatenate([*self._longer, np.empty(0, np.int64)]), return_counts=True)
        short = np.flatnonzero(self._counts)
        return np.concatenate([short, longer]), np.concatenate([self._counts[short], times])


def quantiles(values: Ints, counts: Ints, shares: NDArray[np.float64]) -> Ints:
    """Of each value repeated as often as it was counted, by ``ranks_of``."""
    ranks = np.cumsum(counts)
    found: Ints = values[np.searchsorted(ranks, ranks_of(shares, ranks[-1]), side="left")]
    return found


def _flattened(lists: pa.ChunkedArray, chosen: NDArray[np.bool_]) -> Iterator[Any]:
    start = 0
    for chunk in lists.chunks:
        for offset in range(0, len(chunk), AT_ONCE):
            rows = chunk.slice(offset, AT_ONCE)
            mask = chosen[start + offset : start + offset + len(rows)]
            yield rows.filter(pa.array(mask)).flatten().to_numpy()
        start += len(chunk)
