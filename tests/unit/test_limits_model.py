"""The models: whatever a right limiter does is permitted, and a wrong one does something that is not."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits import History, Interval, Limit, Shot, admits_exactly_all, observed_algorithm
from gateproof.limits.batch import Batch, batches, in_words
from gateproof.limits.model import Stay, TenantModel
from tests.unit.limiters import (
    Aligned,
    Bucket,
    CountingRefusals,
    Extending,
    FromFirstHit,
    Hit,
    PerConnection,
    Several,
    Sliding,
    brief,
    patient,
    play,
)

BEGIN = 1000.0
PHASE = 1000.25  # an instant at which aligned windows begin
Make = Callable[[int, float], Hit]
Plan = list[tuple[int, list[tuple[int, int]]]]

KINDS: dict[str, tuple[Make, Limit]] = {
    "fixed-first-hit": (FromFirstHit, Limit(1, 1.0, "fixed", False)),
    "fixed-aligned": (lambda limit, window: Aligned(limit, window, PHASE), Limit(1, 1.0, "fixed", True)),
    "sliding": (Sliding, Limit(1, 1.0, "sliding")),
    "bucket": (Bucket, Limit(1, 1.0, "bucket")),
}

limits = st.integers(1, 6)
windows = st.sampled_from([0.5, 2.0, 60.0])
# thousandths of a window: a pause, then several requests at once, each with its own way there and back
gaps = st.sampled_from([0, 1, 40, 200, 450, 900, 1000, 1100, 2300])
latency = st.integers(1, 60)
together = st.lists(st.tuples(latency, latency), min_size=1, max_size=7)
steps = st.lists(st.tuples(gaps, together), min_size=1, max_size=15)


def sends(plan: Plan, window: float, start: float = BEGIN) -> list[tuple[float, float, float]]:
    now, out, part = start, [], window / 1000
    for gap, together in plan:
        now += gap * part
        out += [(now, there * part, back * part) for there, back in together]
        now += max(there + back for there, back in together) * part
    return out


def salvo(limit: int) -> Plan:
    """A schedule that tells.

    Drained and hammered, at 0.4 and 0.85 of the window and soon after it; then one alone, all but one late in its
    window, and everything soon after that has ended; and drained and hammered again at another phase.
    """
    one, everything = [(1, 1)], [(1, 1)] * (limit + 2)
    hammered = [(0, one)] * (2 * limit + 4) + [(400, everything), (440, everything), (260, everything)]
    late = [(2350, one), (800, one * (limit - 1)), (300, everything), (450, everything)]
    return [*hammered, *late, (2750, everything), (500, everything)]


def terms(kind: str, limit: int, window: float) -> Limit:
    like = KINDS[kind][1]
    return Limit(limit, window, like.algorithm, like.aligned)


def boundary(kind: str, window: float) -> Interval | None:
    return Interval(PHASE - window / 100, PHASE + window / 100) if kind == "fixed-aligned" else None


@pytest.mark.parametrize("kind", KINDS)
@patient
@given(limit=limits, window=windows, plan=steps)
def test_no_right_limiter_is_refuted(kind: str, limit: int, window: float, plan: Plan) -> None:
    """On any schedule, declared as what it is, as unknown, or with an alignment that nobody knows."""
    history, declared = play(KINDS[kind][0](limit, window), sends(plan, window)), terms(kind, limit, window)

    assert admits_exactly_all(history, declared, boundary=boundary(kind, window)).holds is not False
    assert admits_exactly_all(history, Limit(limit, window)).holds is not False
    if declared.algorithm == "fixed":
        assert admits_exactly_all(history, Limit(limit, window, "fixed")).holds is not False


@pytest.mark.parametrize("kind", KINDS)
@brief
@given(limit=limits, window=windows, plan=steps)
def test_what_a_limiter_is_stays_among_what_it_may_be(kind: str, limit: int, window: float, plan: Plan) -> None:
    history = play(KINDS[kind][0](limit, window), sends(plan, window))

    assert kind in observed_algorithm(Limit(limit, window), history).fits


@pytest.mark.parametrize("kind", KINDS)
@patient
@given(limit=st.integers(3, 6), window=windows, off=st.sampled_from([-1, 1]))
def test_one_off_is_seen(kind: str, limit: int, window: float, off: int) -> None:
    history = play(KINDS[kind][0](limit + off, window), sends(salvo(limit), window))

    assert admits_exactly_all(history, terms(kind, limit, window), boundary=boundary(kind, window)).holds is False


@pytest.mark.parametrize("kind", ["fixed-first-hit", "sliding"])
@pytest.mark.parametrize("factor", [0.8, 1.3])
@patient
@given(limit=st.integers(3, 6), window=windows)
def test_a_window_shorter_or_longer_by_more_than_its_grain_is_seen(
    kind: str, factor: float, limit: int, window: float
) -> None:
    history = play(KINDS[kind][0](limit, factor * window), sends(salvo(limit), window))

    assert admits_exactly_all(history, terms(kind, limit, window)).holds is False


@patient
@given(limit=st.integers(3, 6), window=windows, off=st.sampled_from([0.25, 0.5, 0.75]))
def test_a_boundary_that_lies_elsewhere_is_seen(limit: int, window: float, off: float) -> None:
    history = play(Aligned(limit, window, PHASE + off * window), sends(salvo(limit), window))
    declared, known = Limit(limit, window, "fixed", True), Interval(PHASE - window / 100, PHASE + window / 100)

    assert admits_exactly_all(history, declared, boundary=known).holds is False


@pytest.mark.parametrize("wrong", [Extending, CountingRefusals, PerConnection, Bucket], ids=lambda each: each.__name__)
@pytest.mark.parametrize("kind", ["fixed-first-hit", "sliding"])
@patient
@given(limit=st.integers(3, 6), window=windows)
def test_another_law_is_seen(wrong: Make, kind: str, limit: int, window: float) -> None:
    """Refusals that extend or count, a counter for each connection, a bucket called a window."""
    history = play(wrong(limit, window), sends(salvo(limit), window))

    assert admits_exactly_all(history, terms(kind, limit, window)).holds is False


@pytest.mark.parametrize("kind", ["fixed-first-hit", "sliding", "bucket"])
def test_a_telling_schedule_leaves_one_algorithm(kind: str) -> None:
    history = play(KINDS[kind][0](4, 2.0), sends(salvo(4), 2.0))
    seen = observed_algorithm(Limit(4, 2.0), history)

    assert seen.fits == (kind,)
    assert all("admitted between" in why for why in seen.refuted.values())


@patient
@given(limit=st.integers(1, 6), wait=st.integers(1, 50))
def test_a_lifetime_is_never_over(limit: int, wait: int) -> None:
    """A right cap passes; one that comes back after any while is seen."""
    plan = [(0, [(1, 1)] * (limit + 1)), (wait * 1000, [(1, 1)] * limit)]
    right = play(FromFirstHit(limit, math.inf), sends(plan, 1.0))
    wrong = play(FromFirstHit(limit, wait / 2), sends(plan, 1.0))

    assert admits_exactly_all(right, Limit(limit, math.inf)).holds is True
    assert admits_exactly_all(wrong, Limit(limit, math.inf)).holds is False


@brief
@given(short=st.integers(1, 4), more=st.integers(1, 6), plan=steps)
def test_of_several_limits_the_most_restrictive_decides(short: int, more: int, plan: Plan) -> None:
    both = [Limit(short, 1.0, "fixed", False), Limit(short + more, math.inf)]
    history = play(Several([FromFirstHit(each.limit, each.window) for each in both]), sends(plan, 1.0))

    assert admits_exactly_all(history, *both).holds is not False


@pytest.mark.parametrize("kept", [0, 1])
def test_a_limit_that_is_forgotten_beside_another_is_seen(kept: int) -> None:
    """Each of two limits is reached: the shorter at once, the longer in the third window."""
    both = [Limit(3, 1.0, "fixed", False), Limit(7, math.inf)]
    plan = [(1200, [(1, 1)] * 4) for _ in range(4)]
    history = play(FromFirstHit(both[kept].limit, both[kept].window), sends(plan, 1.0))

    assert admits_exactly_all(history, *both).holds is False


def test_a_contradiction_names_its_interval() -> None:
    history = play(FromFirstHit(4, 1.0), sends([(0, [(1, 1)] * 6)], 1.0))
    found = admits_exactly_all(history, Limit(3, 1.0, "fixed", False))

    assert found.seen == "4 of 6 admitted between +0.000 s and +0.002 s, 3 due"


def test_what_was_not_reached_is_undecided() -> None:
    history = play(FromFirstHit(4, 1.0), sends([(0, [(1, 1)] * 3)], 1.0))

    assert admits_exactly_all(history, Limit(4, 1.0, "fixed", False)).holds is None
    assert admits_exactly_all(History([]), Limit(4, 1.0)).holds is None
    assert admits_exactly_all(History(history, fresh=False), Limit(4, 1.0)).holds is None


def test_a_lost_answer_leaves_both_open() -> None:
    """It may have been counted: the last of three may be refused, or not."""
    lost = [Shot(0.0, 0.1, 0.1, 200), Shot(0.2, 0.3, 0.3, 200), Shot(0.4, 0.5, 0.5, 502)]
    for status in (200, 429):
        history = History([*lost, Shot(0.6, 0.7, 0.7, status)])

        assert admits_exactly_all(history, Limit(3, 10.0, "fixed", False)).holds is not False


def at(start: float, asked: int = 1, admitted: int = 1, lasting: float = 0.01) -> Batch:
    return Batch(start, start + lasting, start + lasting, asked, admitted)


@pytest.mark.parametrize("kind", ["fixed-first-hit", "fixed-aligned", "sliding", "bucket"])
@patient
@given(
    limit=st.integers(2, 6), pauses=st.lists(st.integers(0, 1500), max_size=8), lasting=st.sampled_from([0.001, 0.02])
)
def test_after_the_wait_that_a_model_asks_for_the_next_step_is_decided(
    kind: str, limit: int, pauses: list[int], lasting: float
) -> None:
    """And it never asks for more than a window and its grains."""
    declared = terms(kind, limit, 1.0)
    model, now = TenantModel.of([declared], boundary=boundary(kind, 1.0)), BEGIN
    for pause in pauses:
        now += pause / 1000
        wait = model.settles(now, lasting)
        assert 0 <= wait <= 1.3
        permitted = model.permits(at(now + wait, asked=2, lasting=lasting))
        assert len(permitted) == 1
        model = model.after(at(now + wait, 2, min(permitted), lasting))
        now += wait + lasting


def test_slots_bound_what_is_admitted_from_both_sides() -> None:
    """One surely held, one perhaps: of three asked for one or more may be admitted, with two slots in all."""
    model = TenantModel.of([], parallel=2)
    sure = Stay(Interval(0.0, 9.0), Interval(0.1, 8.0))
    perhaps = Stay(Interval(0.0, 1.5), None)

    assert model.permits(at(1.0, 3)) == frozenset({2, 3})
    assert model.after(at(0.0), [sure, perhaps]).permits(at(1.0, 3)) == frozenset({0, 1, 2, 3})
    assert model.after(at(0.0), [sure, sure]).permits(at(1.0, 3)) == frozenset({0})


def test_requests_that_overlap_are_one_step() -> None:
    history = History([Shot(0.0, 0.5, 0.5, 200), Shot(0.1, 0.2, 0.2, 429), Shot(0.6, 0.7, 0.7, 200), Shot(0.65, 0.8)])

    assert [(each.asked, each.admitted, each.stray) for each in batches(history)] == [(2, 1, 0), (1, 1, 1)]


def test_what_is_permitted_is_said_in_words() -> None:
    assert [in_words(frozenset(each)) for each in ({3}, {0, 1, 2}, {0, 5})] == ["3", "0 to 2", "0 or 5"]
