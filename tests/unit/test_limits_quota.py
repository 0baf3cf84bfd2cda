"""The checkers of token quotas, on ledgers that are right and ledgers that miscount."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits import History, Limit, Quota, Shot, overshoot, quota_resets, stops_at_quota
from gateproof.limits.quota import in_flight
from tests.unit.limiters import patient


@dataclass
class Ledger:
    """Charges after the answer; ``miscount`` is what it gets wrong for each request."""

    quota: int
    window: float = 60.0
    miscount: int = 0
    spent: int = 0
    start: float | None = None

    def serve(self, now: float, tokens: int, estimate: int | None = None) -> bool:
        if self.start is None or now >= self.start + self.window:
            self.start, self.spent = now, 0
        held = estimate or 0
        if self.spent >= self.quota or self.spent + held > self.quota:
            return False
        self.spent += tokens + self.miscount
        return True


def spend(ledger: Ledger, sizes: list[int], *, estimate: int | None = None, start: float = 0.0) -> History:
    """One after another, each answered within 10 ms."""
    shots = []
    for number, tokens in enumerate(sizes):
        now = start + number * 0.01
        served = ledger.serve(now, tokens, estimate)
        shots.append(Shot(now, now + 0.005, now + 0.009, 200 if served else 429, tokens=tokens if served else None))
    return History(shots)


def quota(limit: int, mode: str = "after", window: float = 60.0) -> Quota:
    return Quota(limit, window, "reserve" if mode == "reserve" else "after", "fixed", False)


sizes = st.lists(st.integers(1, 50), min_size=1, max_size=30)


@patient
@given(limit=st.integers(1, 400), sizes=sizes)
def test_a_right_ledger_is_never_refuted(limit: int, sizes: list[int]) -> None:
    """Undecided when the quota was not reached, else it passes."""
    found = stops_at_quota(quota(limit), spend(Ledger(limit), sizes))

    assert (True if sum(sizes[:-1]) >= limit else None) is found.holds


@patient
@given(limit=st.integers(1, 400), sizes=sizes)
def test_a_right_reserve_is_never_refuted(limit: int, sizes: list[int]) -> None:
    found = stops_at_quota(quota(limit, "reserve"), spend(Ledger(limit), sizes, estimate=50), estimate=50)

    assert found.holds is not False


@pytest.mark.parametrize("off", [-1, 1])
def test_a_quota_that_is_off_by_one_is_seen(off: int) -> None:
    """With requests of one token the ledger hits every number."""
    assert stops_at_quota(quota(20), spend(Ledger(20 + off), [1] * 30)).holds is False


@pytest.mark.parametrize("miscount", [-1, 1, -10])
def test_a_ledger_that_miscounts_every_request_is_seen(miscount: int) -> None:
    """Ten requests of ten tokens: one token each adds up to one request."""
    assert stops_at_quota(quota(99), spend(Ledger(99, miscount=miscount), [10] * 30)).holds is False


def test_a_reserve_that_passes_its_quota_is_seen() -> None:
    assert stops_at_quota(quota(100, "reserve"), spend(Ledger(101), [10] * 30)).holds is False
    assert stops_at_quota(quota(100, "reserve"), spend(Ledger(105), [10] * 30)).holds is False


def test_a_reserve_that_refuses_what_would_fit_is_seen() -> None:
    history = spend(Ledger(70), [10] * 30, estimate=20)

    assert stops_at_quota(quota(100, "reserve"), history, estimate=20).holds is False
    assert stops_at_quota(quota(100, "reserve"), history).holds is True


def test_free_requests_are_seen() -> None:
    """Nothing is ever charged: served again and again with the quota used up."""
    found = stops_at_quota(quota(100), spend(Ledger(100, miscount=-10), [10] * 12))

    assert found.holds is False
    assert found.seen == "200 for request 11 at +0.100 s with 100 tokens on the ledger"


def test_an_unknown_window_excuses_a_second_quota_but_not_a_third() -> None:
    unknown = Quota(100, 60.0)

    assert stops_at_quota(unknown, spend(Ledger(101), [10] * 12)).holds is None
    assert overshoot(unknown, spend(Ledger(1000), [10] * 30)).holds is False


@pytest.mark.parametrize(
    ("history", "why"),
    [
        (History([]), "nothing was sent"),
        (History([Shot(0.0, 0.1, 0.1, 200)]), "shows no usage"),
        (History([Shot(0.0, 0.1, 0.1, 500)]), "500 at +0.000 s"),
        (History([Shot(0.0, 0.1, 0.1, 200, tokens=9)]), "not reached"),
        (History([Shot(0.0, 0.1, 0.3, 200, tokens=9), Shot(0.2, 0.4, 0.4, 200, tokens=9)]), "overlapped"),
        (History([Shot(0.0, 0.1, 0.1, 429)], fresh=False), "used before"),
        (History([Shot(0.0, 0.1, 0.1, 200, tokens=100), Shot(70.0, 70.1, 70.1, 429)]), "too long for one window"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_it_is_undecided_when_the_series_is_no_proof(history: History, why: str) -> None:
    found = stops_at_quota(quota(100), history)

    assert found.holds is None
    assert why in found.seen


def burst(answered: int, refused: int, tokens: int = 10) -> History:
    served = [Shot(n / 1000, 0.1, 0.5, 200, tokens=tokens) for n in range(answered)]
    return History([*served, *(Shot(0.01, 0.02, 0.02, 429) for _ in range(refused))])


def test_what_was_in_flight_may_overshoot_in_after_mode() -> None:
    assert overshoot(quota(95), burst(12, 3)).holds is True
    assert overshoot(quota(15), burst(14, 3)).holds is True


def test_more_than_was_in_flight_may_not() -> None:
    """Twenty answers one after another, when one in flight may pass the quota by ten."""
    assert overshoot(quota(100), spend(Ledger(1000), [10] * 20)).holds is False


def test_nothing_may_overshoot_in_reserve_mode() -> None:
    assert overshoot(quota(100, "reserve"), burst(11, 4)).holds is False
    assert overshoot(quota(100, "reserve"), burst(10, 5)).holds is True


def test_an_overshoot_needs_a_quota_that_was_reached() -> None:
    assert overshoot(quota(1000), burst(10, 0)).holds is None


def test_in_flight_counts_what_overlaps() -> None:
    assert in_flight(burst(7, 2)) == 7
    assert in_flight(spend(Ledger(100), [10] * 5)) == 1


def test_a_quota_that_resets_is_whole_again() -> None:
    ledger = Ledger(100, window=1.0)
    cycles = [spend(ledger, [10] * 13, start=start) for start in (0.0, 1.2, 2.4)]

    assert quota_resets(quota(100, window=1.0), *cycles).holds is True


def test_a_quota_that_stays_used_is_seen() -> None:
    ledger = Ledger(100, window=5.0)
    first, second = (spend(ledger, [10] * 13, start=start) for start in (0.0, 1.2))

    assert quota_resets(quota(100, window=1.0), first, second).holds is False


def test_a_reset_needs_a_spent_window_and_a_wait() -> None:
    ledger = Ledger(100, window=1.0)
    first, early = (spend(ledger, [10] * 13, start=start) for start in (0.0, 0.9))

    assert quota_resets(quota(100, window=1.0), first).holds is None
    assert quota_resets(quota(100, window=1.0), first, early).holds is None
    assert quota_resets(quota(500, window=1.0), spend(Ledger(500), [10] * 5), first).holds is None


def test_terms_are_taken_from_what_is_declared() -> None:
    """A declared quota knows no alignment."""
    assert Quota.of(Quota(5, 2.0, "reserve", "fixed", True)) == Quota(5, 2.0, "reserve", "fixed", True)
    assert Limit.of(Quota(5, 2.0)) == Limit(5, 2.0)


def test_a_reserve_that_is_never_settled_is_seen() -> None:
    """Each request keeps what it might have cost: refused although its tokens would fit."""
    held, shots = 0, []
    for number in range(12):
        served = held + 30 <= 100
        held += 30 if served else 0
        shots.append(
            Shot(number / 100, number / 100, number / 100, 200 if served else 429, tokens=10 if served else None)
        )

    assert stops_at_quota(quota(100, "reserve"), History(shots), estimate=30).holds is False


def test_what_may_not_be_booked_yet_is_undecided() -> None:
    """Served with the quota used up, 10 ms after the answer that used it up; after that refused."""
    late = [Shot(n / 100, n / 100, n / 100 + 0.005, 200, tokens=10) for n in range(11)]
    history = History([*late, Shot(1.0, 1.0, 1.0, 429)])

    assert stops_at_quota(quota(100), history).holds is False
    assert stops_at_quota(quota(100), history, booked_within=0.1).holds is None
    assert stops_at_quota(quota(100), spend(Ledger(100, miscount=-10), [10] * 40), booked_within=0.1).holds is False


@pytest.mark.parametrize(("boundary", "holds"), [(-10.0, False), (0.055, None), (None, None)])
def test_a_known_boundary_decides_whether_a_new_window_may_excuse_it(
    boundary: float | None, holds: bool | None
) -> None:
    aligned = Quota(100, 60.0, "after", "fixed", True)

    assert stops_at_quota(aligned, spend(Ledger(101), [10] * 12), boundary=boundary).holds is holds


def test_a_lifetime_of_tokens_never_comes_back() -> None:
    ledger = Quota(100, math.inf)

    assert str(ledger) == "100 tokens in its lifetime"
    assert stops_at_quota(ledger, spend(Ledger(100, window=0.05), [10] * 13)).holds is False
    assert stops_at_quota(ledger, spend(Ledger(100, window=math.inf), [10] * 13)).holds is True
    assert quota_resets(ledger, History([]), History([])).holds is None
