"""QUOTA: budgets in money, which the answers' usage and the declared prices say are spent."""

from __future__ import annotations

from fixtures.budgets import IN_TURN, TOGETHER_SPENT
from fixtures.watches import Watched
from gateproof.verdict.claim import requirement


@requirement("QUOTA-024", watch=IN_TURN, needs=("api.chat", "tenants.mint"))
def test_a_spent_budget_is_refused(watched: Watched) -> None:
    assert watched(IN_TURN).found


@requirement("QUOTA-025", watch=TOGETHER_SPENT, needs=("api.chat", "tenants.mint"))
def test_requests_in_flight_together_pass_a_budget_by_no_more_than_they_are_worth(watched: Watched) -> None:
    """Two bursts on a budget that is nearly spent, with time for the books after each: the second finds it spent."""
    assert watched(TOGETHER_SPENT).found
