"""The judge of weighted splits against splitters that are right, and wrong by as much as it promises to see."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateproof.limits.finding import Undecided
from gateproof.limits.split import DELTA, Split

SHARES = st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9])


def drawn(shares: Mapping[str, float], size: int, seed: int) -> Counter[str]:
    lots = random.Random(seed)
    return Counter(lots.choices(list(shares), list(shares.values()), k=size))


def verdict(split: Split, shares: Mapping[str, float], seed: int) -> bool:
    """As the check does it: the planned sample, and once more as much when in doubt."""
    counts = drawn(shares, split.trials, seed)
    if split.in_doubt(counts):
        counts += drawn(shares, split.trials, seed + 1)
    return bool(split.judge(counts))


@settings(deadline=None)  # the first example of each share plans it
@given(SHARES, st.integers(0, 2**32))
def test_a_right_split_is_not_refuted(share: float, seed: int) -> None:
    """With an alpha so small that not one of a hundred examples in a thousand runs meets a false alarm."""
    split = Split({"a": share, "b": 1 - share}, alpha=1e-9)
    assert verdict(split, split.shares, seed)


@settings(deadline=None)
@given(SHARES, st.sampled_from([-1, 1]), st.integers(0, 2**32))
def test_twice_the_planned_difference_is_refuted(share: float, side: int, seed: int) -> None:
    wrong = share + side * 2 * DELTA
    if 0 <= wrong <= 1:
        assert not verdict(Split({"a": share, "b": 1 - share}), {"a": wrong, "b": 1 - wrong}, seed)


def test_the_power_is_what_was_planned() -> None:
    """0.99 of 400 wrong splits are seen; fewer than 0.97 would be so rare (below 1e-3) that the plan must be wrong."""
    split = Split({"a": 70, "b": 30})
    seen = sum(not verdict(split, {"a": 0.6, "b": 0.4}, seed) for seed in range(400))
    assert seen >= 0.97 * 400


def test_the_plan_is_told() -> None:
    split = Split({"a": 70, "b": 30})
    assert split.trials > 862  # what a single look at the whole alpha would take
    assert str(split) == f"n = {split.trials}, α = 0.0001, effect ±0.1, power 0.99"
    assert split.most == 2 * split.trials


def test_three_backends_are_tested_each() -> None:
    split = Split({"a": 50, "b": 30, "c": 20})
    assert verdict(split, split.shares, 7)
    assert not verdict(split, {"a": 0.5, "b": 0.5, "c": 0.0}, 7)


def test_weight_zero_gets_nothing() -> None:
    split = Split({"a": 1, "b": 0})
    assert split.trials == split.most == 44  # 0.9 ** 44 < 0.01
    assert split.judge({"a": 44})
    assert not split.judge({"a": 43, "b": 1})


def test_an_unknown_backend_refutes() -> None:
    finding = Split({"a": 1, "b": 1}).judge({"a": 500, "b": 500, "c": 1})
    assert "c may have none" in finding.seen
    assert not finding


def test_too_small_a_sample_says_nothing() -> None:
    with pytest.raises(Undecided, match="were planned"):
        bool(Split({"a": 1, "b": 1}).judge({"a": 5, "b": 5}))


def test_doubt_is_neither_fit_nor_misfit() -> None:
    split = Split({"a": 1, "b": 1})
    half = split.trials // 2
    assert not split.in_doubt({"a": half, "b": half})
    assert split.in_doubt({"a": half + 45, "b": half - 45})
    assert not split.in_doubt({"a": split.trials, "b": 0})
