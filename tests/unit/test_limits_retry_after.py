"""Retry-After: its form, and whether it is true."""

from __future__ import annotations

import email.utils
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits import (
    History,
    Shot,
    parse_retry_after,
    retry_after_counts_down,
    retry_after_well_formed,
    truthful_after,
    truthful_before,
)
from gateproof.limits.interval import Interval
from tests.unit.limiters import patient

NOW = 1795201975.0  # Fri, 20 Nov 2026 19:12:55 GMT
DATE = "Fri, 20 Nov 2026 19:12:55 GMT"


def refusal(wait: str, at: float = 0.0) -> Shot:
    return Shot(at, at + 0.01, at + 0.01, 429, {"retry-after": wait, "date": DATE})


def shot(at: float, status: int) -> Shot:
    return Shot(at, at + 0.01, at + 0.01, status)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("60", 60.0),
        (" 7\t", 7.0),
        ("Fri, 20 Nov 2026 19:13:55 GMT", 60.0),
        ("Fri, 20 Nov 2026 19:12:00 GMT", 0.0),
        ("Thu, 31 Dec 2026 23:59:60 GMT", 3559625.0),
    ],
)
def test_both_forms_are_read(value: str, seconds: float) -> None:
    assert seconds == parse_retry_after(value, NOW)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "-1",
        "+1",
        "1.5",
        "1e3",
        "60s",
        "1, 2",
        "٣",
        "soon",
        "Sat, 20 Nov 2026 19:13:55 GMT",
        "Fri, 20 Nov 2026 19:13:55 UTC",
        "Fri, 31 Feb 2026 19:13:55 GMT",
        "Friday, 20-Nov-26 19:13:55 GMT",
        "2026-11-20T19:13:55Z",
    ],
)
def test_other_forms_are_not(value: str) -> None:
    assert parse_retry_after(value, NOW) is None
    assert retry_after_well_formed({"retry-after": value, "date": DATE}, 60.0).holds is False


@patient
@given(seconds=st.integers(0, 4_000_000_000))
def test_dates_are_read_as_the_standard_library_writes_them(seconds: int) -> None:
    assert seconds == parse_retry_after(email.utils.formatdate(seconds, usegmt=True), 0.0)


@patient
@given(st.text())
def test_any_text_is_read_without_an_exception(value: str) -> None:
    assert (parse_retry_after(value, NOW) or 0.0) >= 0.0


@pytest.mark.parametrize(
    ("value", "window", "holds"),
    [
        ("60", 60.0, True),
        ("61", 60.0, False),
        ("2", 1.5, True),
        ("Fri, 20 Nov 2026 19:13:55 GMT", 60.0, True),
        # a Date is cut to a second and may be one more old: 62 s after it may be 60 s from now
        ("Fri, 20 Nov 2026 19:13:57 GMT", 60.0, True),
        ("Fri, 20 Nov 2026 19:13:58 GMT", 60.0, False),
    ],
)
def test_it_promises_no_more_than_the_window(value: str, window: float, holds: bool) -> None:
    assert holds is retry_after_well_formed({"retry-after": value, "date": DATE}, window).holds


def test_nothing_to_judge_is_undecided() -> None:
    assert retry_after_well_formed({}, 60.0).holds is None
    assert retry_after_well_formed({"retry-after": DATE}, 60.0).holds is None
    assert retry_after_well_formed({"retry-after": DATE}, 60.0, now=Interval.exactly(NOW)).holds is True


@patient
@given(left=st.floats(0.01, 59.9))
def test_an_honest_limiter_tells_the_truth(left: float) -> None:
    """The rest of the window rounded up: admitted after it, refused before it, whenever it is asked."""
    told = refusal(str(math.ceil(left)))
    for asked in (left * 0.5, left + 0.01, math.ceil(left) + 1.02):
        later = shot(asked, 200 if asked >= left else 429)

        assert truthful_after(told, later).holds is not False
        assert truthful_before(told, later).holds is not False


def test_a_promise_that_is_not_kept_is_seen() -> None:
    assert truthful_after(refusal("2"), shot(3.1, 429)).holds is False
    assert truthful_after(refusal("Fri, 20 Nov 2026 19:12:57 GMT"), shot(3.1, 429)).holds is False
    assert truthful_after(refusal("2"), shot(3.1, 200)).holds is True


def test_a_wait_longer_than_needed_is_seen() -> None:
    assert truthful_before(refusal("60"), shot(30.0, 200)).holds is False
    assert truthful_before(refusal("60"), shot(30.0, 429)).holds is True


@pytest.mark.parametrize("later", [shot(2.5, 429), shot(3.1, 502), Shot(3.1)], ids=["early", "502", "none"])
def test_after_is_undecided_when_the_retry_proves_nothing(later: Shot) -> None:
    assert truthful_after(refusal("2"), later).holds is None


@pytest.mark.parametrize("later", [shot(1.1, 200), shot(0.5, 502), Shot(0.5)], ids=["late", "502", "none"])
def test_before_is_undecided_when_the_retry_proves_nothing(later: Shot) -> None:
    assert truthful_before(refusal("2"), later).holds is None


def test_without_a_promise_there_is_nothing_to_keep() -> None:
    assert truthful_after(shot(0.0, 429), shot(9.0, 200)).holds is None
    assert truthful_before(refusal("soon"), shot(0.1, 200)).holds is None


@patient
@given(end=st.floats(3.0, 60.0), asked=st.lists(st.floats(0.0, 2.9), min_size=2, max_size=8))
def test_an_honest_countdown_passes(end: float, asked: list[float]) -> None:
    history = History(refusal(str(math.ceil(end - at - 0.005)), at) for at in asked)

    assert retry_after_counts_down(history).holds is not False


@pytest.mark.parametrize(
    ("waits", "holds"),
    [
        ([(0.0, "60"), (2.5, "60")], False),
        ([(0.0, "5"), (0.1, "6")], False),
        ([(0.0, "60"), (0.1, "60")], None),
        ([(0.0, "60")], None),
        ([(0.0, "5"), (1.1, "4"), (2.2, "3")], True),
    ],
)
def test_a_constant_or_rising_wait_is_seen(waits: list[tuple[float, str]], holds: bool | None) -> None:
    assert holds is retry_after_counts_down(History(refusal(wait, at) for at, wait in waits)).holds
