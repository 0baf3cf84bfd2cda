"""Trend and shift tests: right on what can be reckoned by hand, honest about false alarms, able to see what matters."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateproof.load import trend as trends
from gateproof.load.trend import LEAST, Floats, shift, trend

SEED = 20_261_121
RUNS = 500
RISK = 0.01
# Of so many runs without a trend, at most so many may seem to have one: the risk and three standard errors. The seeds
# are fixed, so a test that passes once passes always.
FALSE_ALARMS = RISK + 3 * (RISK * (1 - RISK) / RUNS) ** 0.5

DISTINCT = st.lists(st.integers(-1000, 1000), min_size=LEAST, max_size=30, unique=True)


def times(number: int) -> Floats:
    return np.arange(number, dtype=np.float64)


def correlated(number: int, phi: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """A first-order autoregressive process, past its beginning."""
    noise = generator.normal(size=number + 100)
    for index in range(1, len(noise)):
        noise[index] += phi * noise[index - 1]
    return noise[100:]


def test_the_variance_of_kendalls_s_is_that_of_all_orders() -> None:
    """Exact for five values: over every order of them, with and without ties."""
    for values in ([1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 1.0, 2.0, 3.0, 3.0]):
        found = np.array([trends._kendall(trends._slopes(times(5), np.array(order))) for order in permutations(values)])
        assert trends._variance(np.array(values)) == pytest.approx(found.var())


def test_a_straight_line_has_its_slope_and_no_doubt() -> None:
    found = trend(times(20), 3.0 + 0.5 * times(20), 0.99)
    assert (found.slope, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert found.p < 1e-6


def test_what_never_changes_has_no_trend_and_no_shift() -> None:
    flat = np.full(20, 7.0)
    found = trend(times(20), flat, 0.99)
    assert (found.slope, found.low, found.high, found.p, shift(flat).p) == (0.0, 0.0, 0.0, 1.0, 1.0)


def test_one_outlier_moves_no_slope() -> None:
    values = 0.5 * times(30)
    values[7] = 1e6
    assert trend(times(30), values, 0.99).slope == pytest.approx(0.5)


@settings(deadline=None)
@given(values=DISTINCT, factor=st.integers(1, 9), offset=st.integers(-50, 50))
def test_units_and_offsets_change_the_slope_and_nothing_else(values: list[int], factor: int, offset: int) -> None:
    plain = np.array(values, dtype=np.float64)
    one, other = (trend(times(len(plain)), each, 0.99) for each in (plain, factor * plain + offset))
    assert (other.slope, other.low, other.high) == pytest.approx(
        (factor * one.slope, factor * one.low, factor * one.high)
    )
    assert other.p == pytest.approx(one.p)


@settings(deadline=None)
@given(values=DISTINCT)
def test_a_series_read_backwards_has_the_opposite_slope(values: list[int]) -> None:
    plain = np.array(values, dtype=np.float64)
    one, back = (trend(times(len(plain)), each, 0.99) for each in (plain, plain[::-1]))
    assert (back.slope, back.low, back.high) == pytest.approx((-one.slope, -one.high, -one.low), abs=1e-9)
    assert one.low <= one.slope <= one.high


@pytest.mark.parametrize("number", [LEAST, 30, 60])
def test_independent_values_raise_no_more_false_alarms_than_asked_for(number: int) -> None:
    generator = np.random.default_rng(SEED)
    series = [generator.lognormal(size=number) for _ in range(RUNS)]
    alarms = sum(trend(times(number), each, 1 - RISK).p < RISK for each in series) / RUNS
    shifts = sum(shift(each).p < RISK for each in series) / RUNS
    assert (alarms <= FALSE_ALARMS, shifts <= FALSE_ALARMS) == (True, True), (alarms, shifts)


@pytest.mark.parametrize(
    ("number", "phi", "most"), [(30, 0.6, 0.04), (60, 0.3, 0.03), (60, 0.6, 0.04), (60, 0.8, 0.06)]
)
def test_autocorrelated_values_raise_few(number: int, phi: float, most: float) -> None:
    """Uncorrected, a tenth to a third of such series seem to have a trend at a risk of one in a hundred."""
    generator = np.random.default_rng(SEED)
    series = [correlated(number, phi, generator) for _ in range(RUNS)]
    found = [trend(times(number), each, 1 - RISK) for each in series]
    alarms = sum(each.p < RISK for each in found) / RUNS
    outside = sum(not each.low <= 0 <= each.high for each in found) / RUNS
    shifts = sum(shift(each).p < RISK for each in series) / RUNS
    assert (alarms <= most, outside <= most, shifts <= most) == (True, True, True), (alarms, outside, shifts)


def test_the_correction_is_what_holds_them_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trends, "inflation", lambda _: 1.0)
    generator = np.random.default_rng(SEED)
    alarms = sum(trend(times(60), correlated(60, 0.6, generator), 1 - RISK).p < RISK for _ in range(RUNS)) / RUNS
    assert alarms > 0.15


def test_intervals_hold_the_true_slope_as_often_as_they_say() -> None:
    generator = np.random.default_rng(SEED)
    held = 0
    for _ in range(RUNS):
        found = trend(times(40), 0.05 * times(40) + generator.standard_t(3, size=40), 0.95)
        held += found.low <= 0.05 <= found.high
    assert held / RUNS >= 0.95 - 3 * (0.05 * 0.95 / RUNS) ** 0.5


def test_a_creep_of_two_deviations_over_the_series_is_seen() -> None:
    generator = np.random.default_rng(SEED)
    slope = 2 / 60
    seen = sum(trend(times(60), slope * times(60) + generator.normal(size=60), 1 - RISK).p < RISK for _ in range(RUNS))
    assert seen / RUNS > 0.85


def test_a_jump_of_two_deviations_is_seen_where_it_is() -> None:
    generator = np.random.default_rng(SEED)
    found = [shift(generator.normal(size=60) + 2 * (times(60) >= 40)) for _ in range(RUNS)]
    assert sum(each.p < RISK for each in found) / RUNS > 0.95
    assert np.median([each.at for each in found]) == pytest.approx(40, abs=1)
    assert np.median([each.change for each in found]) == pytest.approx(2, abs=0.2)


def test_equal_values_share_a_rank() -> None:
    assert trends._ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


@pytest.mark.parametrize(
    "values",
    [np.ones(LEAST - 1), np.full(LEAST, np.nan)],
    ids=["too few", "unknown"],
)
def test_what_cannot_be_tested_is_refused(values: Floats) -> None:
    with pytest.raises(ValueError):
        trend(times(len(values)), values, 0.99)
