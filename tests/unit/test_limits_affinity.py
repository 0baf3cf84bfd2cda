"""The permutation test of affinity against routers that have it, and that have not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits.affinity import chance_of, keeps_together, together
from gateproof.limits.finding import Undecided

FEW = 500  # rounds, enough to tell 0.05 from 0.5


def dealt(seed: int, keeps: float, groups: int = 12, size: int = 4) -> list[list[str]]:
    """Places of a router that keeps to the place of a group with this probability, and else draws one."""
    lots = random.Random(seed)
    homes = [lots.choice("ab") for _ in range(groups)]
    return [[home if lots.random() < keeps else lots.choice("ab") for _ in range(size)] for home in homes]


def test_pairs_are_counted() -> None:
    assert together([["a", "a", "b"], ["b", "b"], ["a"]]) == 2


@given(st.integers(0, 2**32))
def test_a_router_with_affinity_is_believed(seed: int) -> None:
    groups = dealt(seed, keeps=1.0)
    if len({place for group in groups for place in group}) > 1:
        assert chance_of(groups, rounds=FEW) <= 2 / (FEW + 1)


def test_a_router_without_is_not() -> None:
    """p is uniform at best: of 100 at most 20 are below 0.1 but once in a thousand."""
    low = sum(chance_of(dealt(seed, keeps=0.0), rounds=FEW) < 0.1 for seed in range(100))
    assert low <= 20


def test_the_finding_tells_the_numbers() -> None:
    finding = keeps_together(dealt(3, keeps=1.0))
    assert finding
    assert "72 of 72 pairs together" in finding.seen
    assert "n = 48, α = 0.0001" in finding.expected


def test_one_place_says_nothing() -> None:
    with pytest.raises(Undecided, match="one place"):
        bool(keeps_together([["a", "a"], ["a", "a"]]))
