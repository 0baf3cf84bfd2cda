"""Statistics against numbers from elsewhere (R 4.3, SciPy 1.13), and against their own definitions."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits.statistics import (
    Plan,
    binomial_interval,
    binomial_test,
    chi_square,
    per_check,
    permutation_test,
    planned_trials,
    same_distribution,
    shares_hold,
)
from tests.unit.limiters import patient


@pytest.mark.parametrize(
    ("successes", "trials", "share", "p"),
    [
        (7, 10, 0.5, 0.34375),
        (3, 10, 0.7, 0.0105920784),
        (0, 10, 0.5, 0.001953125),
        (10, 10, 1.0, 1.0),
        (9, 10, 1.0, 0.0),
    ],
)
def test_the_exact_test(successes: int, trials: int, share: float, p: float) -> None:
    """binom.test(successes, trials, share)$p.value"""
    assert binomial_test(successes, trials, share) == pytest.approx(p)


def test_the_exact_interval() -> None:
    """binom.test(7, 10, conf.level = 0.95)$conf.int"""
    assert binomial_interval(7, 10, alpha=0.05) == pytest.approx((0.3475471, 0.9332605), abs=1e-6)
    assert binomial_interval(0, 10, alpha=0.05) == pytest.approx((0.0, 0.3084971), abs=1e-6)
    assert binomial_interval(10, 10, alpha=0.05) == pytest.approx((0.6915029, 1.0), abs=1e-6)


@patient
@given(trials=st.integers(1, 60), share=st.floats(0.05, 0.95), alpha=st.sampled_from([0.05, 1e-3]))
def test_a_true_share_is_refuted_no_more_often_than_alpha(trials: int, share: float, alpha: float) -> None:
    refuted = [count for count in range(trials + 1) if binomial_test(count, trials, share) < alpha]
    chance = math.fsum(math.comb(trials, n) * share**n * (1 - share) ** (trials - n) for n in refuted)

    assert chance <= alpha * (1 + 1e-9)


@pytest.mark.parametrize(
    ("share", "delta", "alpha", "power"), [(0.7, 0.1, 1e-4, 0.99), (0.5, 0.2, 1e-3, 0.9), (0.9, 0.1, 1e-3, 0.9)]
)
def test_a_planned_sample_has_the_power_that_was_asked_for(
    share: float, delta: float, alpha: float, power: float
) -> None:
    """And none of nine tenths of its size has: so little is what the search may skip."""
    trials = planned_trials(share, delta, alpha=alpha, power=power)

    def least_power(size: int) -> float:
        seen = [n for n in range(size + 1) if binomial_test(n, size, share) < alpha]
        others = [other for other in (share - delta, share + delta) if other <= 1.0]
        return min(
            math.fsum(math.exp(log_chance(n, size, other)) for n in seen) if other < 1.0 else float(size in seen)
            for other in others
        )

    assert least_power(trials) >= power
    assert least_power(int(0.85 * trials)) < power


def log_chance(count: int, trials: int, share: float) -> float:
    ways = math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
    return ways + count * math.log(share) + (trials - count) * math.log(1 - share)


def test_a_plan_judges_and_says_what_it_is() -> None:
    plan = Plan(0.7, 0.1)

    assert str(plan) == "n = 862, α = 0.0001, effect ±0.1, power 0.99"
    assert plan.judge(603, 862, "from a").holds is True
    assert plan.judge(517, 862, "from a").holds is False
    assert plan.judge(3, 5, "from a").seen == "3 of 5 from a (0.600): fewer than were planned"
    assert per_check(plan, 4).alpha == pytest.approx(2.5e-5)


@pytest.mark.parametrize(("share", "delta"), [(0.5, 0.0), (1.5, 0.1), (0.5, 0.9)])
def test_a_plan_without_sense_is_refused(share: float, delta: float) -> None:
    with pytest.raises(ValueError, match="share"):
        planned_trials(share, delta)


@pytest.mark.parametrize(
    ("counts", "statistic", "p"),
    [([10, 20, 30], 10.0, 0.006737947), ([16, 18, 16, 14, 12, 12], 2.0, 0.8491450), ([20, 20, 20, 20], 0.0, 1.0)],
)
def test_pearsons_test(counts: list[int], statistic: float, p: float) -> None:
    """scipy.stats.chisquare(counts)"""
    found = chi_square(counts, [1 / len(counts)] * len(counts))

    assert (found.statistic, found.p) == pytest.approx((statistic, p), rel=1e-6)


def test_shares_of_several_backends() -> None:
    assert shares_hold([50, 30, 20], [0.5, 0.3, 0.2]).holds is True
    assert shares_hold([20, 30, 50], [0.5, 0.3, 0.2], names=["a", "b", "c"]).holds is False
    assert shares_hold([3, 2, 1], [0.5, 0.3, 0.2]).holds is None
    assert shares_hold([300, 700], [0.7, 0.3]).holds is False
    assert shares_hold([0, 0], [0.7, 0.3]).holds is None


def test_a_permutation_test_over_all_splits_and_over_drawn_ones() -> None:
    low, high = [1.0, 2.0, 3.0, 4.0, 5.0], [11.0, 12.0, 13.0, 14.0, 15.0]

    assert permutation_test(low, high) == pytest.approx(permutation_test(low, high, rounds=251, seed=7), abs=0.05)
    assert permutation_test(low, low) == 1.0
    assert permutation_test(low, high, rounds=200, seed=1) == permutation_test(low, high, rounds=200, seed=1)


def test_two_samples_of_one_kind_differ_by_chance_only() -> None:
    lots = random.Random(5)
    usual, slower = [lots.gauss(1.0, 0.1) for _ in range(40)], [lots.gauss(1.4, 0.1) for _ in range(40)]

    assert same_distribution(usual[:20], usual[20:], what="seconds").holds is True
    assert same_distribution(usual, slower, what="seconds").holds is False
    assert same_distribution(usual[:3], slower[:3]).holds is None
