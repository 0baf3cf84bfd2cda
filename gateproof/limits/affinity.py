"""Whether requests that have something in common land in one place more often than chance would have it."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Hashable, Sequence

from gateproof.limits.finding import Finding
from gateproof.limits.statistics import ALPHA

ROUNDS = 20_000
"""Random relabellings: twice what alpha asks for at least, so that p can fall below it."""


def together(groups: Sequence[Sequence[Hashable]]) -> int:
    """Pairs of one group that are in the same place."""
    return sum((group.count(place) - 1) * group.count(place) // 2 for group in groups for place in set(group))


def chance_of(groups: Sequence[Sequence[Hashable]], *, rounds: int = ROUNDS, seed: int = 0) -> float:
    """One-sided p: how often places dealt out at random leave as many pairs together.

    ``(b+1)/(m+1)``, which is never too small (Phipson and Smyth 2010).
    """
    places = [place for group in groups for place in group]
    ends = list(itertools.accumulate(map(len, groups), initial=0))
    parts = list(itertools.pairwise(ends))
    seen, lots, as_many = together(groups), random.Random(seed), 0
    for _ in range(rounds):
        lots.shuffle(places)
        as_many += together([places[begin:end] for begin, end in parts]) >= seen
    return (as_many + 1) / (rounds + 1)


def keeps_together(groups: Sequence[Sequence[Hashable]], *, alpha: float = ALPHA, rounds: int = ROUNDS) -> Finding:
    """More pairs of one group in the same place than chance explains; undecided when there is but one place."""
    sent, pairs = sum(map(len, groups)), sum(len(group) * (len(group) - 1) // 2 for group in groups)
    expected = (
        f"equal prefixes in one place more often than by chance "
        f"(permutation test, n = {sent}, α = {alpha:g}, {rounds} rounds)"
    )
    places = Counter(place for group in groups for place in group)
    told = ", ".join(f"{place} {count}" for place, count in places.most_common())
    if len(places) < 2:
        return Finding.undecided(expected, f"all {sent} requests were answered in one place ({told})")
    p = chance_of(groups, rounds=rounds)
    return Finding(p < alpha, expected, f"{together(groups)} of {pairs} pairs together, p = {p:.2g} ({told})")
