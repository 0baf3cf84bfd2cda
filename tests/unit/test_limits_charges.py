"""Whether tokens are charged at all, judged on ledgers that charge all, some or nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits import History, Quota, Shot
from gateproof.limits.charges import is_charged
from tests.unit.limiters import patient

HALF = 0.5
sizes = st.lists(st.integers(1, 50), min_size=1, max_size=60)
limits = st.integers(1, 400)


def quota(limit: int, *, aligned: bool | None = False) -> Quota:
    return Quota(limit, 60.0, "after", "fixed", aligned)


def spend(limit: int, sizes: list[int], *, share: float, pace: float = 0.01) -> History:
    """One after another on a ledger that charges this share of what each request cost."""
    shots, ledger = [], 0.0
    for number, tokens in enumerate(sizes):
        served = ledger < limit
        ledger += share * tokens if served else 0
        at = number * pace
        shots.append(Shot(at, at + 0.005, at + 0.006, 200 if served else 429, tokens=tokens if served else None))
        if not served:
            break
    return History(shots)


@patient
@given(limit=limits, sizes=sizes, share=st.floats(HALF, 3.0))
def test_who_charges_half_or_more_is_never_refuted(limit: int, sizes: list[int], share: float) -> None:
    found = is_charged(quota(limit), spend(limit, sizes, share=share), share=HALF)

    assert found.holds is not False


@patient
@given(limit=limits, sizes=sizes, share=st.floats(0.0, 0.2))
def test_who_charges_next_to_nothing_is_refuted_once_enough_is_spent(
    limit: int, sizes: list[int], share: float
) -> None:
    """Enough: half of what was spent before a request that is served would have used up the quota."""
    history = spend(limit, sizes, share=share)
    before = [sum(shot.tokens or 0 for shot in history.shots[:number]) for number in range(len(history))]
    late = any(spent >= limit / HALF for spent, shot in zip(before, history, strict=True) if shot.admitted)

    found = is_charged(quota(limit), history, share=HALF)
    assert found.holds is (False if late else True if history.refused else None)


def test_the_message_tells_what_was_spent() -> None:
    found = is_charged(quota(10), spend(10, [9] * 5, share=0), share=HALF)

    assert "200 for request 4 at +0.030 s with 27 tokens spent" in repr(found)


def test_a_refusal_of_the_very_first_request_decides_nothing() -> None:
    assert is_charged(quota(0), spend(0, [5], share=1), share=HALF).holds is None


def test_too_little_spent_decides_nothing() -> None:
    assert is_charged(quota(100), spend(100, [5, 5], share=0), share=HALF).holds is None


def test_a_failure_on_the_way_decides_nothing() -> None:
    history = History([Shot(0, 0.01, 0.02, 200, tokens=50), Shot(1, 1.01, 1.02, 502)])

    assert "502" in is_charged(quota(100), history, share=HALF).seen


def test_a_window_that_may_have_begun_meanwhile_explains_what_was_served() -> None:
    sizes = [9] * 5

    slow = is_charged(quota(10), spend(10, sizes, share=0, pace=30.0), share=HALF)
    unknown = is_charged(quota(10, aligned=None), spend(10, sizes, share=0), share=HALF)
    assert (slow.holds, unknown.holds) == (None, None)
