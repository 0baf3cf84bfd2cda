"""Intervals cover what they say, whatever the distribution, and also where neighbours resemble each other."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateproof.report.statistics import (
    FEWEST_BLOCKS,
    MOST_STRETCHES,
    dependence,
    least_for_quantile,
    mean_interval,
    quantile_interval,
    ratio_interval,
    ratio_of,
    share_interval,
    student,
)

Floats = NDArray[np.float64]
Make = Callable[[np.random.Generator], Floats]

ROUNDS = 400
ALLOWED = 14
"""Misses of either end in 400 rounds at 99 %: 4 are due, and 14 or more come by luck once in ten thousand times."""
ALLOWED_DEPENDENT = 20
"""5 %: how much neighbours resemble each other is estimated too, and ends are a little too near (docs/gate.md)."""


def lots(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def independent(random: np.random.Generator, number: int = 400) -> Floats:
    return np.exp(0.5 * random.normal(size=number))


def correlated(random: np.random.Generator, number: int = 3000, memory: float = 0.7) -> Floats:
    noise = random.normal(size=number) * math.sqrt(1 - memory**2)
    series, last = np.empty(number), random.normal()
    for place in range(number):
        last = series[place] = memory * last + noise[place]
    return np.exp(0.5 * series)


WORLDS = [
    pytest.param(independent, ALLOWED, id="independent"),
    pytest.param(correlated, ALLOWED_DEPENDENT, id="correlated"),
]


@pytest.mark.parametrize(("make", "allowed"), WORLDS)
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_the_ends_of_a_quantile_miss_it_as_seldom_as_they_say(make: Make, allowed: int, share: float) -> None:
    random, truth = lots(), math.exp(0.5 * {0.5: 0.0, 0.95: 1.6448536}[share])
    found = [quantile_interval(make(random), share) for _ in range(ROUNDS)]
    assert sum(each.low is not None and each.low > truth for each in found) < allowed
    assert sum(each.high is not None and each.high < truth for each in found) < allowed


@pytest.mark.parametrize(("make", "allowed"), WORLDS)
def test_the_ends_of_a_mean_miss_it_as_seldom_as_they_say(make: Make, allowed: int) -> None:
    random, truth = lots(), math.exp(0.125)
    found = [mean_interval(make(random)) for _ in range(ROUNDS)]
    assert sum(each.low is not None and each.low > truth for each in found) < allowed
    assert sum(each.high is not None and each.high < truth for each in found) < allowed


def test_independent_values_are_worth_about_what_they_are() -> None:
    worth = [quantile_interval(independent(lots(seed)), 0.5).effective for seed in range(50)]
    assert np.median(worth) == pytest.approx(400, rel=0.03)


def test_values_like_their_neighbours_are_worth_less() -> None:
    """An AR(1) of 0.7 has a long-run variance of (1 + 0.7) / (1 - 0.7) times its own: 5.7."""
    log = np.log(correlated(lots(), 50_000))
    assert dependence(log).inflation == pytest.approx(1.7 / 0.3, rel=0.15)


def test_values_unlike_their_neighbours_are_worth_no_more() -> None:
    assert dependence(np.array([1.0, -1.0] * 500)).inflation == 1.0


def test_equal_values_depend_on_nothing() -> None:
    assert dependence(np.ones(500)).inflation == 1.0
    assert quantile_interval(np.full(500, 3.0), 0.5).high == 3.0


def test_the_values_of_one_request_count_as_one() -> None:
    """Ten equal gaps in each of 300 requests say as much as 300 gaps."""
    of_request = independent(lots(), 300)
    together = quantile_interval(np.repeat(of_request, 10), 0.5, lengths=np.full(300, 10))
    alone = quantile_interval(of_request, 0.5)
    assert together.effective == pytest.approx(alone.effective, rel=0.01)
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high), rel=0.02)


@pytest.mark.parametrize(("share", "number"), [(0.5, 7), (0.95, 90), (0.99, 459)], ids=["p50", "p95", "p99"])
def test_the_upper_end_needs_a_value_beyond_the_quantile(share: float, number: int) -> None:
    assert least_for_quantile(share) == number
    values = np.arange(1.0, number + 1)
    shuffled = lots().permutation(values)
    assert quantile_interval(shuffled, share).high == number
    assert quantile_interval(shuffled[:-1], share).high is None


@given(st.lists(st.floats(0.001, 1000.0), min_size=1, max_size=200), st.sampled_from([0.1, 0.5, 0.9, 0.99]))
def test_a_quantile_lies_between_its_ends_and_is_one_of_the_values(values: list[float], share: float) -> None:
    found = quantile_interval(np.array(values), share)
    assert found.estimate in values
    assert (found.low or 0.0) <= found.estimate <= (found.high or math.inf)


def test_a_rank_is_not_lost_to_rounding() -> None:
    assert quantile_interval(np.arange(1.0, 101.0), 0.07).estimate == 7.0


def test_a_mean_of_too_few_values_has_no_ends() -> None:
    found = mean_interval(np.arange(float(FEWEST_BLOCKS - 1)))
    assert (found.estimate, found.low, found.high) == (3.0, None, None)


def test_a_long_series_is_shortened_without_changing_what_comes_of_it() -> None:
    values = independent(lots(), 4 * MOST_STRETCHES)
    found = mean_interval(values)
    normal = 2.326 * values.std() / math.sqrt(len(values))
    assert found.estimate == pytest.approx(values.mean())
    assert found.high is not None
    assert found.high - found.estimate == pytest.approx(normal, rel=0.1)


def test_the_same_values_give_the_same_interval() -> None:
    values = independent(lots())
    assert mean_interval(values) == mean_interval(values)


def test_shares_of_runs_of_errors_are_worth_less_than_single_ones() -> None:
    single = share_interval(lots().random(3000) < 0.05)
    bursts = share_interval(np.repeat(lots().random(300) < 0.05, 10))
    assert bursts.effective < single.effective / 4
    assert share_interval(np.zeros(300, dtype=bool)).high == pytest.approx(1 - 0.01 ** (1 / 300))


def test_a_ratio_of_equal_worlds_covers_1_as_often_as_it_says() -> None:
    random = lots()
    found = [ratio_interval(independent(random), independent(random), 0.5) for _ in range(ROUNDS)]
    assert sum(each.low is not None and each.low > 1 for each in found) < ALLOWED
    assert sum(each.high is not None and each.high < 1 for each in found) < ALLOWED


def test_a_ratio_of_means_finds_the_true_one() -> None:
    found = ratio_interval(independent(lots(1), 4000), 1.3 * independent(lots(2), 4000))
    assert found.low is not None
    assert found.high is not None
    assert 1.2 < found.low < 1.3 < found.high < 1.4


def test_a_ratio_turns_round_with_its_sides() -> None:
    first, second = (quantile_interval(independent(lots(seed)), 0.5) for seed in (1, 2))
    there, back = ratio_of(first, second), ratio_of(second, first)
    assert there.low is not None
    assert back.high is not None
    assert there.low * back.high == pytest.approx(1.0)


def test_a_ratio_has_no_end_where_a_side_has_none() -> None:
    few, many = (quantile_interval(independent(lots(), number), 0.95) for number in (60, 400))
    assert ratio_of(few, many).high is None
    assert ratio_of(many, few).low is None


@pytest.mark.parametrize(
    "wrong",
    [
        partial(quantile_interval, np.empty(0), 0.5),
        partial(quantile_interval, np.ones(5), 1.0),
        partial(mean_interval, np.empty(0)),
        partial(share_interval, np.empty(0, dtype=bool)),
        partial(ratio_interval, np.zeros(50), np.ones(50), 0.5),
    ],
    ids=["no values", "no quantile", "no mean", "no share", "no ratio to 0"],
)
def test_what_has_no_answer_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="no "):
        wrong()


@pytest.mark.parametrize(("freedom", "quantile"), [(7, 2.998), (15, 2.602), (60, 2.390)], ids=["7", "15", "60"])
def test_students_quantile_is_that_of_the_tables(freedom: int, quantile: float) -> None:
    assert student(0.99, freedom) == pytest.approx(quantile, rel=3e-3)
