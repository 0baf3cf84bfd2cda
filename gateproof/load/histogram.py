"""Mergeable histograms with three significant digits over the full range, for live views and for the master.

Buckets are linear within each power of two, as in HdrHistogram (Gil Tene, http://hdrhistogram.org): a value is known to
better than one part in a thousand, and the histograms of any number of workers add up to that of one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gateproof.load.ranks import ranks_of

SUB_BITS = 10
"""Buckets in each power of two: 2^10 of them keep every value to within 2^-11 of itself, under 0.05 %."""
_HALF = 1 << SUB_BITS


class Histogram:
    """Counts of non-negative integers (nanoseconds, tokens); negative ones are refused, they are somebody's bug."""

    __slots__ = ("count", "counts", "highest", "lowest", "total")

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.count = self.total = self.highest = 0
        self.lowest: int | None = None

    def add(self, value: int, times: int = 1) -> None:
        if value < 0:
            raise ValueError(f"{value} is negative")
        self.counts[bucket_of(value)] += times
        self.count += times
        self.total += value * times
        self.highest = max(self.highest, value)
        self.lowest = value if self.lowest is None else min(self.lowest, value)

    def extend(self, values: NDArray[np.int64]) -> None:
        """Many at once, at a fraction of the price."""
        if not len(values):
            return
        lowest, highest = int(values.min()), int(values.max())
        if lowest < 0:
            raise ValueError(f"{lowest} is negative")
        buckets, times = np.unique(buckets_of(values), return_counts=True)
        for bucket, count in zip(buckets.tolist(), times.tolist(), strict=True):
            self.counts[bucket] += count
        self.count += len(values)
        self.total += int(values.sum())
        self.highest = max(self.highest, highest)
        self.lowest = lowest if self.lowest is None else min(self.lowest, lowest)

    def merge(self, other: Histogram) -> None:
        self.counts.update(other.counts)
        self.count += other.count
        self.total += other.total
        self.highest = max(self.highest, other.highest)
        if other.lowest is not None:
            self.lowest = other.lowest if self.lowest is None else min(self.lowest, other.lowest)

    def quantile(self, share: float) -> float | None:
        """The value that ``share`` of all are not above: the middle of its bucket, within the values seen."""
        if not self.count:
            return None
        wanted = int(ranks_of(share, self.count))
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= wanted:
                assert self.lowest is not None
                return float(min(max(middle_of(bucket), self.lowest), self.highest))
        raise AssertionError("the counts do not add up")

    @property
    def mean(self) -> float | None:
        return self.total / self.count if self.count else None

    def to_plain(self) -> dict[str, object]:
        """For a message between processes: only numbers and lists."""
        return {
            "counts": dict(self.counts),
            "count": self.count,
            "total": self.total,
            "highest": self.highest,
            "lowest": self.lowest,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, object]) -> Histogram:
        histogram = cls()
        histogram.counts.update({int(bucket): int(times) for bucket, times in plain["counts"].items()})  # type: ignore[attr-defined]
        histogram.count, histogram.total = int(plain["count"]), int(plain["total"])  # type: ignore[call-overload]
        histogram.highest = int(plain["highest"])  # type: ignore[call-overload]
        histogram.lowest = None if plain["lowest"] is None else int(plain["lowest"])  # type: ignore[call-overload]
        return histogram


def bucket_of(value: int) -> int:
    """Exact up to 2^(SUB_BITS + 1); above, the leading SUB_BITS + 1 bits and the exponent."""
    shift = max(0, value.bit_length() - SUB_BITS - 1)
    return ((shift + 1) << SUB_BITS) + (value >> shift) - _HALF


def buckets_of(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """``bucket_of`` for many values below 2^53, beyond which a float cannot tell how many bits they have."""
    bits = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    shift = np.maximum(0, bits - SUB_BITS - 1)
    buckets: NDArray[np.int64] = ((shift + 1) << SUB_BITS) + (values >> shift) - _HALF
    return buckets


def middle_of(bucket: int) -> int:
    if bucket < 2 * _HALF:
        return bucket
    shift = (bucket >> SUB_BITS) - 1
    start = ((bucket & (_HALF - 1)) + _HALF) << shift
    return start + ((1 << shift) - 1) // 2
