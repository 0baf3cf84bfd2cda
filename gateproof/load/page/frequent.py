"""The most frequent of any number of things, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Thing = TypeVar("Thing", bound=Hashable)

KEPT = 1000
"""Different things that are counted; whatever is more than one in a thousand is surely among them."""


class Frequent(Generic[Thing]):
    """Misra and Gries 1982, merged as in Agarwal et al. 2012 ("Mergeable summaries", section 3).

    Counts are exact up to ``kept`` different things. Beyond, each is too low by at most ``missed``, which is no more
    than the ``total`` divided by ``kept`` + 1.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept, self._counts = kept, Counter[Thing]()
        self.total = self.missed = 0

    def add(self, counts: Mapping[Thing, int]) -> None:
        self._counts.update(counts)
        self.total += sum(counts.values())
        if len(self._counts) <= self._kept:
            return
        taken = sorted(self._counts.values(), reverse=True)[self._kept]
        self._counts = Counter({thing: count - taken for thing, count in self._counts.items() if count > taken})
        self.missed += taken

    def most(self, number: int) -> list[tuple[Thing, int]]:
        """The most frequent first; of equal ones the least first, whatever came when."""
        return sorted(self._counts.items(), key=lambda pair: (-pair[1], pair[0]))[:number]

    @property
    def different(self) -> int:
        return len(self._counts)
