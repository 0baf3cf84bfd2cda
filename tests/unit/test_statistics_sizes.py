"""Binomial answers against tables and plain sums, and how many samples it takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.report.binomial import clopper_pearson, incomplete_beta, quantile_ranks
from gateproof.report.sample_size import growth_to_catch, growth_to_decide, share_growth_to_decide
from gateproof.report.statistics import Interval, quantile_interval, share_interval


def at_most(count: int, number: int, share: float) -> float:
    return math.fsum(math.comb(number, k) * share**k * (1 - share) ** (number - k) for k in range(count + 1))


@given(st.integers(1, 60), st.floats(0.02, 0.98), st.data())
def test_the_incomplete_beta_is_a_binomial_tail(number: int, share: float, data: st.DataObject) -> None:
    """P(at least k of n) = I_p(k, n - k + 1), DLMF 8.17.5."""
    count = data.draw(st.integers(1, number))
    assert incomplete_beta(share, count, number - count + 1) == pytest.approx(
        1 - at_most(count - 1, number, share), abs=1e-12
    )


@pytest.mark.parametrize(
    ("hits", "number", "low", "high"),
    [(5, 100, 0.01643, 0.11284), (0, 100, 0.0, 0.03622), (100, 100, 0.96378, 1.0)],
    ids=["5 of 100", "none", "all"],
)
def test_clopper_and_pearson_as_in_their_tables(hits: int, number: int, low: float, high: float) -> None:
    assert clopper_pearson(hits, number, 0.975) == pytest.approx((low, high), abs=1e-5)


@given(st.integers(1, 80), st.sampled_from([0.5, 0.9, 0.95, 0.99]), st.sampled_from([0.9, 0.99]))
def test_ranks_are_the_nearest_that_keep_the_confidence(number: int, share: float, confidence: float) -> None:
    low, high = quantile_ranks(number, share, confidence)
    beyond = 1 - confidence + 1e-9
    # the l-th value lies above the quantile when fewer than l are at or below it
    assert at_most((low or 0) - 1, number, share) <= beyond
    assert at_most(low or 0, number, share) > beyond - 2e-9
    upper = high if high is not None else number + 1
    assert 1 - at_most(upper - 1, number, share) <= beyond
    assert 1 - at_most(upper - 2, number, share) > beyond - 2e-9


def test_ranks_of_a_million_values_are_those_of_the_normal() -> None:
    low, high = quantile_ranks(1_000_000, 0.99, 0.99)
    off = 2.326 * math.sqrt(1_000_000 * 0.99 * 0.01)
    assert (low, high) == (pytest.approx(990_000 - off, abs=3), pytest.approx(990_000 + off, abs=3))


def interval(estimate: float, low: float | None, high: float | None) -> Interval:
    return Interval(estimate, low, high, 100, 100.0, "made up")


@pytest.mark.parametrize(
    ("bound", "growth"), [(11.0, 4.0), (9.5, 16.0), (12.0, 1.0)], ids=["above", "below", "at the end"]
)
def test_samples_grow_with_the_square_of_what_is_too_wide(bound: float, growth: float) -> None:
    assert growth_to_decide(interval(10.0, 8.0, 12.0), bound) == pytest.approx(growth)


def test_no_growth_decides_for_a_value_on_the_bound() -> None:
    assert growth_to_decide(interval(10.0, 8.0, 12.0), 10.0) is None
    assert growth_to_decide(interval(10.0, 8.0, None), 11.0) is None


def test_so_many_more_samples_decide_a_share() -> None:
    few = share_interval(np.zeros(50, dtype=bool))
    growth = share_growth_to_decide(few, 0.01, 0.99)
    assert growth is not None
    assert share_interval(np.zeros(math.ceil(50 * growth), dtype=bool)).high <= 0.01  # type: ignore[operator]
    assert share_interval(np.zeros(math.floor(48 * growth), dtype=bool)).high > 0.01  # type: ignore[operator]


def test_no_number_of_samples_decides_a_share_on_its_bound() -> None:
    assert share_growth_to_decide(interval(0.1, 0.05, 0.2), 0.1, 0.99) is None


@pytest.mark.parametrize(
    ("bound", "caught", "upper"), [(1.05, 1.10, True), (0.95, 0.90, False)], ids=["slower", "fewer"]
)
def test_the_size_that_catches_holds_both_quantiles_of_the_normal(bound: float, caught: float, upper: bool) -> None:
    """At the size asked for, the end of an estimate that is unlucky to ``power`` still lies beyond the bound."""
    error, z = 0.05, 2.3263
    ratio = interval(1.0, math.exp(-z * error), math.exp(z * error))
    growth = growth_to_catch(ratio, bound, caught, 0.99, 0.99, upper=upper)
    assert growth is not None
    assert error / math.sqrt(growth) * 2 * z == pytest.approx(abs(math.log(caught / bound)), rel=1e-3)


def test_without_an_end_there_is_no_size_to_ask_for() -> None:
    assert growth_to_catch(interval(1.0, None, 1.2), 1.05, 1.1, 0.99, 0.99, upper=True) is None


def test_an_interval_that_decides_needs_no_more() -> None:
    values = np.random.default_rng(1).permutation(np.linspace(1.0, 2.0, 500))
    growth = growth_to_decide(quantile_interval(values, 0.5), 5.0)
    assert growth is not None
    assert growth < 1
