"""The judge of changes that take their time, on made-up looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits.finding import Undecided
from gateproof.limits.propagation import Look, no_gap, takes_effect

WITHIN = 2.0  # s
TRIP = 0.01  # s between sending and the decision, at most


def looks(effect_at: float, *, first: float, number: int, every: float = 0.1) -> list[Look]:
    """What is seen of a change that is felt from ``effect_at`` on."""
    sent = [first + index * every for index in range(number)]
    return [
        Look(at, at + TRIP, at + TRIP / 2 >= effect_at, "401" if at + TRIP / 2 >= effect_at else "200") for at in sent
    ]


@given(delay=st.floats(0, WITHIN))
def test_a_change_in_time_is_never_refuted(delay: float) -> None:
    assert takes_effect(looks(delay, first=0, number=60), since=0, within=WITHIN, streak=20)


@given(delay=st.floats(WITHIN + 0.2, 10))
def test_a_late_change_is_always_refuted(delay: float) -> None:
    finding = takes_effect(looks(delay, first=0, number=60), since=0, within=WITHIN, streak=20)

    assert finding.holds is False
    assert "200 2." in finding.seen


def test_one_replica_that_was_not_told_is_refuted_however_long_the_others_refuse() -> None:
    series = looks(0, first=0, number=30)
    forgetful = Look(2.5, 2.51, False, "200")

    assert takes_effect([*series, forgetful], since=0, within=WITHIN, streak=20).holds is False


def test_too_few_looks_decide_nothing() -> None:
    with pytest.raises(Undecided, match="19 in a row"):
        bool(takes_effect(looks(0, first=0, number=19), since=0, within=WITHIN, streak=20))


def test_looks_that_say_nothing_do_not_count() -> None:
    silent = [Look(0.1 * index, 0.1 * index + TRIP, None, "503") for index in range(40)]

    with pytest.raises(Undecided, match="503"):
        bool(takes_effect(silent, since=0, within=WITHIN, streak=3))


def new_key(works_at: float) -> list[Look]:
    return looks(works_at, first=1.0, number=60)


@given(ends=st.floats(0, 6), begins=st.floats(1, 6))
def test_a_gap_is_refuted_only_when_it_is_longer_than_declared(ends: float, begins: float) -> None:
    old = looks(ends, first=0, number=80)

    finding = no_gap(old, new_key(begins), known=1.0, within=WITHIN)

    gap = max(1.0, begins) - ends
    if gap <= WITHIN:
        assert finding
    elif gap > WITHIN + 0.2 + 2 * TRIP:
        assert finding.holds is False


def test_an_old_key_that_never_ends_leaves_no_gap() -> None:
    assert no_gap(looks(9, first=0, number=10), new_key(1.0), known=1.0, within=WITHIN)
