"""Requests asked together, and how many of them may be admitted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from gateproof.limits.history import History, Shot


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests asked together. All were decided between ``start`` and ``end``, the first of them by ``first``."""

    start: float
    end: float
    first: float
    asked: int
    admitted: int
    stray: int = 0
    """Neither admitted nor refused: each may or may not have been counted. Not among ``asked``."""

    @classmethod
    def of(cls, shots: Sequence[Shot]) -> Self:
        known = [shot for shot in shots if not shot.other]
        return cls(
            start=min(shot.sent for shot in shots),
            end=max(shot.decided for shot in shots),
            first=min(shot.decided for shot in shots),
            asked=len(known),
            admitted=sum(shot.admitted for shot in shots),
            stray=len(shots) - len(known),
        )


@dataclass(frozen=True, slots=True)
class Range:
    """From ``least`` to ``most``."""

    least: int
    most: int

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.least <= number <= self.most

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.least, self.most + 1))


Permitted = frozenset[int]
"""How many of a batch may be admitted: one number where the timing decides."""


def clamp(low: int, high: int, asked: int) -> Range:
    return Range(min(max(low, 0), asked), min(max(high, 0), asked))


def in_words(permitted: Permitted) -> str:
    low, high = min(permitted), max(permitted)
    if low == high:
        return str(low)
    whole = len(permitted) == high - low + 1
    return f"{low} to {high}" if whole else " or ".join(map(str, sorted(permitted)))


def batches(history: History) -> list[Batch]:
    """A history cut into requests that overlapped, in order."""
    groups: list[list[Shot]] = []
    until = -math.inf
    for shot in history:
        if not groups or shot.sent > until:
            groups.append([])
        groups[-1].append(shot)
        until = max(until, shot.decided)
    return [Batch.of(group) for group in groups]
