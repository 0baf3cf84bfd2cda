"""Budgets: money that is booked late, and a cap that may be overshot by what was on its way to the books."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits import Budget, History, Shot, stops_at_budget
from tests.unit.limiters import patient

SETTLE = 1.0


@dataclass
class Purse:
    """Serves while what is booked is below the limit; each answer is booked so long after its end."""

    limit: float
    books: float = 0.5
    miscount: float = 1.0
    ledger: list[tuple[float, float]] = field(default_factory=list)

    def spend(self, costs: list[float], gap: float = 0.3) -> tuple[History, list[float | None]]:
        now, shots, told = 100.0, [], list[float | None]()
        for cost in costs:
            booked = math.fsum(amount for at, amount in self.ledger if at <= now)
            served = booked < self.limit
            shots.append(Shot(now, now + 0.05, now + 0.1, 200 if served else 429))
            told.append(cost if served else None)
            if served:
                self.ledger.append((now + 0.1 + self.books, cost * self.miscount))
            now += 0.1 + gap
        return History(shots), told


@patient
@given(
    limit=st.floats(0.001, 1.0),
    costs=st.lists(st.floats(0.0001, 0.3), min_size=1, max_size=30),
    gap=st.floats(0.0, 2.0),
    books=st.floats(0.0, 0.95),
)
def test_a_right_purse_is_never_refuted(limit: float, costs: list[float], gap: float, books: float) -> None:
    history, told = Purse(limit, books).spend(costs, gap)

    assert stops_at_budget(Budget(limit), history, told, settle=SETTLE).holds is not False


@pytest.mark.parametrize(
    "wrong",
    [
        Purse(0.8),
        Purse(1.5),
        Purse(1.0, miscount=0.5),
        Purse(1.0, miscount=2.0),
        Purse(1.0, books=9.0),
        Purse(math.inf),
    ],
    ids=["too early", "too late", "half price", "double price", "booked too late", "no cap"],
)
def test_a_wrong_purse_is_seen(wrong: Purse) -> None:
    history, told = wrong.spend([0.1] * 30)

    assert stops_at_budget(Budget(1.0), history, told, settle=SETTLE).holds is False


def test_the_overshoot_is_told() -> None:
    history, told = Purse(1.0).spend([0.3] * 10)
    found = stops_at_budget(Budget(1.0), history, told, settle=SETTLE)

    assert found.holds is True
    assert found.seen == "1.5 spent in 5 answers (5×200, 5×429), 0.5 over it within the time for the books"


def test_a_new_window_may_excuse_what_is_too_much() -> None:
    history, told = Purse(math.inf).spend([0.1] * 30)

    assert stops_at_budget(Budget(1.0, 60.0), history, told, settle=SETTLE).holds is None
    assert stops_at_budget(Budget(1.0, 60.0, aligned=False), history, told, settle=SETTLE).holds is False
    assert stops_at_budget(Budget(1.0, 5.0), history, told, settle=SETTLE).holds is None


def test_what_proves_nothing_is_undecided() -> None:
    budget, served = Budget(1.0), Shot(0.0, 0.1, 0.1, 200)

    assert stops_at_budget(budget, History([]), [], settle=SETTLE).holds is None
    assert stops_at_budget(budget, History([served]), [None], settle=SETTLE).holds is None
    assert stops_at_budget(budget, History([served]), [0.1], settle=SETTLE).holds is None
    assert stops_at_budget(budget, History([served], fresh=False), [0.1], settle=SETTLE).holds is None
    assert stops_at_budget(budget, History([Shot(0.0, 0.1, 0.1, 500)]), [None], settle=SETTLE).holds is None


def test_a_budget_may_refuse_with_another_status() -> None:
    history = History([Shot(0.0, 0.1, 0.1, 200), Shot(3.0, 3.1, 3.1, 402)])

    assert stops_at_budget(Budget(0.1), history, [0.2, None], settle=SETTLE, statuses=[402]).holds is True
    assert stops_at_budget(Budget(0.1), history, [0.2, None], settle=SETTLE).holds is None
