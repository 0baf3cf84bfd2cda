"""Clock facts under skew: what is claimed to be known is true, however far the clocks are apart."""

from __future__ import annotations

import math
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits import (
    Clock,
    History,
    Interval,
    Limit,
    Shot,
    admits_at_most,
    observed_phase,
    retry_after_counts_down,
    retry_after_well_formed,
    truthful_after,
    truthful_before,
)
from tests.unit.limiters import Aligned, patient, play

WALL = 1_795_201_975.25  # our wall clock less our monotonic one

skews = st.floats(-600.0, 600.0)
# when it is sent, the way there and back, and by how much the server's Date is behind its own clock
answers = st.lists(
    st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 0.4), st.floats(0.0, 0.4), st.floats(0.0, 1.0)),
    min_size=1,
    max_size=12,
)


def dated(plan: list[tuple[float, float, float, float]], skew: float) -> History:
    shots = []
    for sent, there, back, stale in plan:
        date = formatdate(math.floor(sent + there + WALL + skew - stale), usegmt=True)
        shots.append(Shot(sent, sent + there + back, sent + there + back, 200, {"date": date}))
    return History(shots)


@patient
@given(skew=skews, plan=answers)
def test_the_true_offset_is_always_within(skew: float, plan: list[tuple[float, float, float, float]]) -> None:
    clock = Clock.of(dated(plan, skew), wall=WALL)

    assert clock.offset is not None
    assert clock.offset.low <= skew + 1e-6
    assert clock.offset.high >= skew - 1e-6


def test_several_answers_narrow_it() -> None:
    one = Clock.of(dated([(0.0, 0.01, 0.01, 0.0)], 60.0), wall=WALL)
    many = Clock.of(dated([(number * 0.73, 0.01, 0.01, 0.0) for number in range(12)], 60.0), wall=WALL)

    assert one.offset is not None
    assert many.offset is not None
    assert many.offset.slack < 0.7 < one.offset.slack
    assert str(many).startswith("clock 60.")


def test_servers_that_contradict_each_other_tell_nothing() -> None:
    one, other = dated([(0.0, 0.01, 0.01, 0.0)], 0.0), dated([(1.0, 0.01, 0.01, 0.0)], 30.0)

    assert Clock.of([*one, *other], wall=WALL).offset is None
    assert Clock.of([Shot(0.0, 0.1, 0.1, 200)], wall=WALL).server(0.0) is None


@patient
@given(skew=skews, limit=st.integers(1, 5), extra=st.integers(0, 6), start=st.floats(0.0, 60.0))
def test_an_aligned_window_under_skew_is_never_judged_wrongly(
    skew: float, limit: int, extra: int, start: float
) -> None:
    """Windows lie on the limiter's clock; of that we know what its Date headers tell."""
    promised = Limit(limit, 60.0, "fixed", True)
    known = Clock.of(dated([(number * 0.73, 0.01, 0.01, 0.5) for number in range(9)], skew), wall=WALL).boundary(
        promised
    )
    right = Aligned(limit, 60.0, phase=(-WALL - skew) % 60.0)
    history = play(right, [(100.0 + start + number * 0.2, 0.01, 0.01) for number in range(2 * limit + extra)])

    assert known is not None
    assert admits_at_most(promised, history, boundary=known).holds is not False


@patient
@given(skew=skews)
def test_one_too_many_is_seen_in_the_middle_of_a_window_of_theirs(skew: float) -> None:
    promised = Limit(3, 60.0, "fixed", True)
    known = Clock.of(dated([(number * 0.73, 0.01, 0.01, 0.5) for number in range(9)], skew), wall=WALL).boundary(
        promised
    )
    begin = (-WALL - skew) % 60.0 + 60.0
    history = play(Aligned(4, 60.0, phase=begin), [(begin + 20.0 + number * 0.2, 0.01, 0.01) for number in range(6)])

    assert admits_at_most(promised, history, boundary=known).holds is False
    assert admits_at_most(promised, history).holds is None


def refusal(at: float, left: float, skew: float, stale: float = 0.0) -> Shot:
    """A 429 whose Retry-After is a date of the server's clock, rounded up."""
    now = at + WALL + skew
    headers = {
        "retry-after": formatdate(math.ceil(now + left), usegmt=True),
        "date": formatdate(math.floor(now - stale), usegmt=True),
    }
    return Shot(at, at, at, 429, headers)


@patient
@given(skew=skews, left=st.floats(0.5, 60.0), stale=st.floats(0.0, 1.0), asked=st.floats(0.0, 70.0))
def test_a_date_that_is_true_is_never_refuted_under_skew(skew: float, left: float, stale: float, asked: float) -> None:
    told = refusal(0.0, left, skew, stale)
    later = Shot(asked, asked, asked, 200 if asked >= left else 429)

    assert retry_after_well_formed(told.headers, 60.0).holds is True
    assert truthful_after(told, later).holds is not False
    assert truthful_before(told, later).holds is not False
    assert retry_after_counts_down(History([told, refusal(0.4 * left, 0.6 * left, skew, stale)])).holds is not False


@patient
@given(skew=skews)
def test_a_date_that_is_false_is_seen_under_skew(skew: float) -> None:
    assert truthful_after(refusal(0.0, 5.0, skew), Shot(9.5, 9.5, 9.5, 429)).holds is False
    assert truthful_before(refusal(0.0, 30.0, skew), Shot(20.0, 20.0, 20.0, 200)).holds is False
    assert retry_after_well_formed(refusal(0.0, 99.0, skew).headers, 60.0).holds is False
    moving = History([refusal(0.0, 60.0, skew), refusal(10.0, 60.0, skew)])
    assert retry_after_counts_down(moving).holds is False


def test_a_date_without_a_clock_beside_it_is_undecided() -> None:
    """Unless other answers told what their clock says."""
    bare = Shot(0.0, 0.0, 0.0, 429, {"retry-after": formatdate(WALL + 90.0, usegmt=True)})
    later = Shot(40.0, 40.0, 40.0, 429)

    assert truthful_after(bare, later).holds is None
    assert truthful_after(bare, later, now=Interval(WALL + 58.0, WALL + 60.0)).holds is False


@patient
@given(phase=st.floats(0.0, 1.0), start=st.floats(0.0, 5.0))
def test_boundaries_are_found_where_they_are(phase: float, start: float) -> None:
    """From refusals that turn into admissions, and from ends that answers name."""
    limit, hit = Limit(2, 1.0, "fixed", True), Aligned(2, 1.0, phase)
    history = play(hit, [(start + number * 0.04, 0.005, 0.005) for number in range(90)])
    end = phase + math.ceil(start - phase)
    seen = observed_phase(limit, history, [(history.shots[0], max(end - start - 0.02, 0.0), end - start + 0.02)])

    assert seen.boundary is not None
    off = (seen.boundary.middle - phase + 0.5) % 1.0 - 0.5
    assert abs(off) <= seen.boundary.slack + 0.03
    assert any("a window begins between" in each for each in seen.evidence)


def test_windows_that_lie_on_no_grid_have_no_phase() -> None:
    turns = [Shot(at, at + 0.01, at + 0.01, status) for at, status in [(0.0, 429), (0.1, 200), (1.5, 429), (1.6, 200)]]

    assert observed_phase(Limit(1, 1.0, "fixed", True), History(turns)).boundary is None
    assert observed_phase(Limit(1, 1.0), History([])).boundary is None


@pytest.mark.parametrize(
    "limit", [Limit(3, 60.0, "sliding"), Limit(3, 2.0, "fixed", True), Limit(3, math.inf, "fixed", True)]
)
def test_a_boundary_that_decides_nothing_is_none(limit: Limit) -> None:
    assert Clock.of(dated([(0.0, 0.3, 0.3, 0.0)], 0.0), wall=WALL).boundary(limit) is None
