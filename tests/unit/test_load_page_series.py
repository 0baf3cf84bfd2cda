"""Numbers over time and distributions of a load page: against the same, reckoned the slow way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateproof.load.gaps import COUNTED, Gaps, quantiles
from gateproof.load.page import series
from gateproof.load.page.frequent import Frequent
from gateproof.load.page.series import Bins

BINS = Bins(10.0, 6, 55.0)
instants = st.floats(0, 54.9)
spans = st.lists(st.tuples(instants, st.floats(0, 30)), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("duration", "requests", "width", "number"),
    [
        (15.0, 30, 2, 8),
        (125.0, 870, 2, 63),
        (15.0, 10_000, 0.5, 30),
        (3600.0, 10**6, 30, 120),
        (86_400 * 30, 10**6, 86_400 / 6, 180),
    ],
)
def test_bins_are_as_narrow_as_a_plot_and_the_requests_allow(
    duration: float, requests: int, width: float, number: int
) -> None:
    bins = Bins.of(duration, requests)

    assert (bins.width, bins.number) == (width, number)
    assert bins.number <= series.MOST_BINS


def test_the_last_bin_is_as_long_as_what_the_run_has_of_it() -> None:
    assert BINS.widths.tolist() == [10, 10, 10, 10, 10, 5]


def test_a_value_of_the_last_instant_is_in_the_last_bin() -> None:
    assert Bins(10.0, 2, 20.0).count(np.array([0.0, 20.0])).tolist() == [1, 1]


@given(st.lists(st.tuples(instants, st.floats(0, 9)), min_size=1, max_size=300))
def test_quantiles_by_bin_are_those_of_each_bin(pairs: list[tuple[float, float]]) -> None:
    at, values = np.array(pairs).T

    middle, highest = series.by_bin(BINS, at, values, [0.5, 1.0])

    for number in range(BINS.number):
        inside = values[BINS.place(at) == number]
        told = [math.nan, math.nan] if not len(inside) else np.quantile(inside, [0.5, 1.0], method="inverted_cdf")
        np.testing.assert_array_equal([middle[number], highest[number]], told)


@pytest.mark.parametrize(("count", "told"), [(19, False), (20, True)])
def test_a_quantile_of_a_bin_is_drawn_where_a_value_lies_beyond(count: int, told: bool) -> None:
    found = series.by_bin(BINS, np.zeros(count), np.arange(count, dtype=float), [0.95])[0]

    assert bool(np.isnan(found[0])) is not told


@given(spans)
def test_what_grows_evenly_adds_up_and_lies_where_it_grew(pairs: list[tuple[float, float]]) -> None:
    start, length = np.array(pairs).T
    end = np.minimum(start + length, BINS.length)
    amount = np.ones(len(start))

    found = series.spread(BINS, start, end, amount)

    assert found.sum() == pytest.approx(len(start), rel=1e-6)
    slow = np.zeros(BINS.number)
    for begun, ended in zip(start, end, strict=True):
        inside = np.clip(np.minimum(ended, BINS.edges[1:]) - np.maximum(begun, BINS.edges[:-1]), 0, None)
        at_once = ended - begun < 1e-9
        slow += np.eye(BINS.number)[BINS.place(np.array([begun]))[0]] if at_once else inside / (ended - begun)
    np.testing.assert_allclose(found, slow, atol=1e-5)


@given(spans)
def test_the_most_under_way_is_the_most_at_any_instant(pairs: list[tuple[float, float]]) -> None:
    start, length = np.array(pairs).T
    end = np.minimum(start + length, BINS.length)

    found = series.under_way(BINS, start, end)

    slow = max(int(((start <= at) & (end > at)).sum()) for at in start)
    assert found.most.max() in {slow, slow + 1}  # one that took no time at all counts for that instant
    assert (found.mean <= found.most + 1e-9).all()


def test_what_never_ended_stays_under_way() -> None:
    found = series.under_way(BINS, np.array([12.0]), np.array([np.nan]))

    assert found.most.tolist() == [0, 1, 1, 1, 1, 1]
    assert found.mean.tolist() == pytest.approx([0, 0.8, 1, 1, 1, 1])


@given(st.lists(st.integers(0, 50), min_size=1, max_size=400))
def test_a_curve_of_counts_is_that_of_the_values(values: list[int]) -> None:
    distinct, counts = np.unique(np.array(values), return_counts=True)

    one, other = series.curve(np.array(values, dtype=float)), series.curve_of_counts(distinct, counts)

    assert one.values.tolist() == other.values.tolist()
    assert one.shares.tolist() == other.shares.tolist()


def test_a_curve_ends_where_ten_values_lie_beyond() -> None:
    found = series.curve(np.arange(1000.0))

    assert found.shares[-1] == pytest.approx(0.99)
    assert found.values[-1] == np.quantile(np.arange(1000.0), 0.99, method="inverted_cdf")


def test_shares_of_a_density_add_up_and_hold_the_values() -> None:
    values, counts = np.array([0.001, 0.002, 0.5]), np.array([5, 3, 2])

    edges, shares = series.density(values, counts)

    assert shares.sum() == pytest.approx(1)
    assert edges[0] <= 0.001
    assert edges[-1] >= 0.5
    assert shares[0] == pytest.approx(0.5)


def test_a_sample_depends_on_the_indices_alone() -> None:
    index = np.arange(10_000)
    shuffled = np.random.default_rng(1).permutation(index)

    chosen, other = index[series.sample(index, 100)], shuffled[series.sample(shuffled, 100)]

    assert len(chosen) == 100
    assert sorted(chosen.tolist()) == sorted(other.tolist())


@pytest.mark.parametrize("period", [2, 3, 5, 10, 64])
def test_a_sample_sees_all_of_what_repeats(period: int) -> None:
    found = series.sample(np.arange(100_000), 2000) % period

    shares = np.bincount(found, minlength=period) / 2000
    # five standard deviations of a fair draw
    assert np.abs(shares - 1 / period).max() < 5 * math.sqrt((1 / period) / 2000)


def test_lengths_that_fill_several_classes_are_one() -> None:
    length = np.concatenate([np.full(900, 64.0), np.full(100, 512.0)])
    middles, (half,) = series.by_length(length, np.arange(1000.0), [0.5])

    assert middles.tolist() == [64, 512]
    assert half.tolist() == [449, 949]


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.integers(-5, 300) | st.sampled_from([COUNTED, COUNTED + 7]), max_size=60), min_size=1),
    st.floats(0, 1),
)
def test_quantiles_of_gaps_are_exact(lists: list[list[int]], share: float) -> None:
    gaps = Gaps()
    for each in lists:
        gaps.add(np.array(each, dtype=np.int32))
    everything = np.maximum(np.concatenate([np.array(each, dtype=np.int64) for each in lists]), 0)

    values, counts = gaps.distinct()

    assert int(counts.sum()) == len(everything)
    assert int(values @ counts) == everything.sum()
    if len(everything) and abs(len(everything) * share % 1) > 1e-6:  # on a rank, rounding decides
        told = quantiles(values, counts, np.array([share]))[0]
        assert told == np.quantile(everything, share, method="inverted_cdf")


def test_the_most_frequent_are_exact_while_there_are_few() -> None:
    found = Frequent[str](kept=3)
    found.add({"a": 1, "b": 5})
    found.add({"a": 1, "c": 2})

    assert (found.most(2), found.total, found.missed) == ([("b", 5), ("a", 2)], 9, 0)


def test_the_most_frequent_of_a_million_different_things_are_found_in_bounded_memory() -> None:
    found = Frequent[str](kept=100)
    for start in range(0, 1_000_000, 10_000):
        found.add({"often": 500} | {f"text {number}": 1 for number in range(start, start + 10_000)})

    (name, count), *_ = found.most(1)
    assert name == "often"
    assert 50_000 - found.missed <= count <= 50_000
    assert found.different <= 100
    assert found.missed <= found.total / 101
