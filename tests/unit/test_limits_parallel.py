"""Parallel limits: what surely overlapped is counted, what may have is forgiven."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits import History, Shot, never_more_at_once, refused_only_when_full
from gateproof.limits.parallel import crowd
from tests.unit.limiters import Run, Slots, patient

GRACE = 0.5
RTT = 0.02

ways = st.integers(1, 10).map(lambda number: number / 1000)
runs = st.lists(
    st.builds(
        Run,
        sent=st.integers(0, 3000).map(lambda number: number / 1000),
        work=st.integers(1, 1500).map(lambda number: number / 1000),
        there=ways,
        back=ways,
        abort=st.one_of(st.none(), st.floats(0.0, 1.0)),
    ),
    min_size=1,
    max_size=20,
)


@patient
@given(limit=st.integers(1, 4), plan=runs, notice=st.floats(0.0, 0.45))
def test_right_slots_are_never_refuted(limit: int, plan: list[Run], notice: float) -> None:
    history = Slots(limit, notice=notice).play(plan)

    assert never_more_at_once(limit, history, rtt=RTT).holds is not False
    assert refused_only_when_full(limit, history, grace=GRACE).holds is not False


def crowded(limit: int, slots: Slots) -> History:
    """Twice as many as fit, for a second; then as many again, half of them aborted; then once more."""
    plan = [Run(number / 100, 1.0) for number in range(2 * limit)]
    plan += [Run(2 + number / 100, 1.0, abort=0.1 if number % 2 else None) for number in range(limit)]
    plan += [Run(4 + number / 100, 1.0) for number in range(2 * limit)]
    return slots.play(plan)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_one_off_is_seen(limit: int) -> None:
    more, right = crowded(limit, Slots(limit + 1)), crowded(limit, Slots(limit))

    assert never_more_at_once(limit, more, rtt=RTT).holds is False
    assert never_more_at_once(limit, right, rtt=RTT).holds is True
    assert refused_only_when_full(limit, right, grace=GRACE).holds is True
    if limit > 1:
        assert refused_only_when_full(limit, crowded(limit, Slots(limit - 1)), grace=GRACE).holds is False


def test_a_slot_that_an_abort_leaks_is_seen() -> None:
    found = refused_only_when_full(2, crowded(2, Slots(2, leak=True)), grace=GRACE)

    assert found.holds is False
    assert found.seen == "429 between +4.010 s and +4.012 s with 1 under way at most"


def test_an_abort_that_is_noticed_too_late_is_seen() -> None:
    history = Slots(1, notice=5.0).play([Run(0.0, 9.0, abort=0.1), Run(2.0, 1.0)])

    assert refused_only_when_full(1, history, grace=GRACE).holds is False


def test_what_may_have_been_over_is_undecided() -> None:
    """Three short answers that may have come one after another, beside a limit of two."""
    brief = History(Shot(0.0, 0.3, 0.301, 200) for _ in range(3))

    assert never_more_at_once(2, brief, rtt=RTT).holds is None
    assert never_more_at_once(2, brief, rtt=RTT, held=0.2).holds is False
    assert never_more_at_once(3, brief, rtt=RTT).holds is None


def test_a_refusal_beside_another_may_have_met_its_count() -> None:
    history = History([Shot(0.0, 0.1, 9.0, 200), Shot(1.0, 1.2, 1.2, 429), Shot(1.0, 1.2, 1.2, 429)])

    assert refused_only_when_full(2, history, grace=GRACE).holds is None
    assert refused_only_when_full(3, history, grace=GRACE).holds is False


def test_nothing_is_no_proof() -> None:
    assert never_more_at_once(2, History([])).holds is None
    assert refused_only_when_full(2, History([]), grace=GRACE).holds is None


def test_who_leaves_as_another_comes_was_not_there_with_it() -> None:
    assert crowd([(0.0, 1.0), (1.0, 2.0)]).count == 1
    assert crowd([(0.0, 1.0), (0.5, 2.0), (0.9, 3.0)]).count == 3
    assert crowd([]).count == 0
