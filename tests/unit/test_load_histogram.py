"""Histograms keep three digits and add up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.load.histogram import Histogram, bucket_of, middle_of

VALUES = st.integers(0, 2**53 - 1)  # ns: a hundred days


def filled(values: list[int]) -> Histogram:
    """By many at once; the tests compare with one by one."""
    histogram = Histogram()
    histogram.extend(np.array(values, dtype=np.int64))
    return histogram


@given(value=VALUES)
def test_a_value_is_kept_to_three_digits(value: int) -> None:
    assert abs(middle_of(bucket_of(value)) - value) <= value / 2000


@given(value=VALUES, more=st.integers(0, 2**40))
def test_buckets_are_in_the_order_of_their_values(value: int, more: int) -> None:
    assert bucket_of(value) <= bucket_of(value + more)
    assert bucket_of(middle_of(bucket_of(value))) == bucket_of(value)


@given(values=st.lists(VALUES, min_size=1), share=st.floats(0, 1))
def test_a_quantile_is_that_of_the_values_themselves(values: list[int], share: float) -> None:
    histogram = filled(values)
    exact = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    assert histogram.quantile(share) == pytest.approx(exact, rel=1 / 1000)


@given(parts=st.lists(st.lists(st.integers(0, 2**50)), min_size=1, max_size=5))
def test_parts_that_travelled_add_up_to_the_whole(parts: list[list[int]]) -> None:
    whole, merged = Histogram(), Histogram()
    for part in parts:
        for value in part:
            whole.add(value)
        merged.merge(Histogram.from_plain(filled(part).to_plain()))
    assert merged.to_plain() == whole.to_plain()


def test_nothing_has_no_quantile() -> None:
    assert (Histogram().quantile(0.5), Histogram().mean) == (None, None)


def test_a_negative_duration_is_somebodys_bug() -> None:
    with pytest.raises(ValueError, match="negative"):
        Histogram().add(-1)
