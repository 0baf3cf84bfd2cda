"""A number that is known only so well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Interval:
    """A number known to lie between ``low`` and ``high``, both included."""

    low: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Self:
        return cls(value, value)

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    @property
    def slack(self) -> float:
        """How far the truth may lie from the middle."""
        return (self.high - self.low) / 2

    def shifted(self, by: float) -> Interval:
        return Interval(self.low + by, self.high + by)

    def within(self, other: Interval) -> Interval | None:
        """What both allow; None when they contradict each other."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Interval(low, high) if low <= high else None

    def __str__(self) -> str:
        return f"{self.middle:.3f} s ± {self.slack:.3f} s"
