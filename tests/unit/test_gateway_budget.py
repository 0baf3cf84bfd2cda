"""Budgets of the reference gateway, without a clock to wait for."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gateproof.errors import ConfigError
from gateproof.stack import config
from gateproof.stack.gateway.budget import Purse, cost
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.limits import Meter
from gateproof.stack.gateway.usage import Ledger


def purse(limit: float, **more: Any) -> Purse:
    return Purse(config.budget_from({"limit": limit, **more}))


def meter(**rights: Any) -> Meter:
    return Meter(config.tenant_from(rights))


def spend(shared: Meter, amount: float) -> None:
    admission = shared.admit("m", 0)
    admission.book(amount)
    admission.release()


def test_an_answer_costs_its_tokens_at_the_prices_of_its_model() -> None:
    assert cost(config.Price(0.5, 2.0), Ledger(prompt=4, completion=3)) == 8.0


def test_a_model_without_a_price_is_free() -> None:
    assert cost(None, Ledger(prompt=4, completion=3)) == 0.0


def test_served_while_anything_is_left_and_refused_from_there_on() -> None:
    shared = meter(budget={"limit": 1.0})
    for _ in range(2):
        spend(shared, 0.9)
    with pytest.raises(Refusal) as caught:
        shared.admit("m", 0)
    assert (caught.value.status, caught.value.code, shared.running) == (429, "insufficient_quota", 0)


def test_what_is_over_the_budget_gets_the_declared_status_and_the_sums() -> None:
    spent = purse(1.0, status=402)
    spent.book(0, 1.5)
    with pytest.raises(Refusal, match=r"1.5 of 1 is spent") as caught:
        spent.check(0)
    assert caught.value.status == 402


def test_an_answer_is_booked_once() -> None:
    shared = meter(budget={"limit": 1.0})
    admission = shared.admit("m", 0)
    for _ in range(3):
        admission.book(0.4)
    assert shared.purse is not None
    assert shared.purse.spent(0) == 0.4


def test_a_window_begins_with_the_first_booking_and_forgets_all_at_its_end() -> None:
    spent = purse(1.0, window="10s")
    spent.book(100, 0.5)
    spent.book(105, 0.5)
    assert (spent.spent(109.9), spent.spent(110)) == (1.0, 0.0)


def test_without_a_window_nothing_is_forgotten() -> None:
    spent = purse(1.0)
    spent.book(0, 0.5)
    assert (spent.budget.window, spent.spent(1e9)) == (math.inf, 0.5)


def test_only_what_ends_tells_when_to_come_back() -> None:
    told = []
    for window in ("lifetime", "10s"):
        spent = purse(0.0, window=window)
        spent.book(100, 0.1)
        with pytest.raises(Refusal) as caught:
            spent.check(104)
        told.append(dict(caught.value.headers).get(b"retry-after"))
    assert told == [None, b"6"]


def test_another_budget_keeps_what_is_spent() -> None:
    shared = meter(budget={"limit": 1.0})
    spend(shared, 1.0)
    shared.change(config.tenant_from({"budget": {"limit": 2.0}}))
    spend(shared, 1.0)
    with pytest.raises(Refusal):
        shared.admit("m", 0)


def test_a_budget_can_be_given_and_taken_away() -> None:
    shared = meter()
    shared.change(config.tenant_from({"budget": {"limit": 0.0}}))
    with pytest.raises(Refusal):
        shared.admit("m", 0)
    shared.change(config.tenant_from({}))
    shared.admit("m", 0)


@pytest.mark.parametrize("limit", [-1, math.inf, "1", True, None])
def test_what_is_no_money_is_refused(limit: Any) -> None:
    with pytest.raises(ConfigError, match="no amount of money"):
        config.budget_from({"limit": limit})
