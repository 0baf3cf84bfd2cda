"""What a tenant may spend in money: reckoned from prices per token, booked after the answer."""

from __future__ import annotations

import math

from gateproof.stack import config
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.usage import Ledger


class Purse:
    """One budget and what is spent of it; its window begins with the first booking."""

    def __init__(self, budget: config.Budget) -> None:
        self.budget = budget
        self._end = -math.inf
        self._spent = 0.0

    def spent(self, now: float) -> float:
        return self._spent if now < self._end else 0.0

    def book(self, now: float, cost: float) -> None:
        if now >= self._end:
            self._spent, self._end = 0.0, now + self.budget.window
        self._spent += cost

    def check(self, now: float) -> None:
        """Served as long as anything is left: what a request will cost is not known before."""
        spent = self.spent(now)
        if spent >= self.budget.limit:
            raise exceeded(self.budget, spent, self._end - now)


def exceeded(budget: config.Budget, spent: float, free_in: float) -> Refusal:
    ends = math.isfinite(free_in)
    headers = [(b"retry-after", b"%d" % max(1, math.ceil(free_in)))] if ends and budget.status == 429 else []
    return Refusal(
        budget.status,
        f"You exceeded your budget: {spent:.6g} of {budget.limit:.6g} is spent.",
        code="insufficient_quota",
        kind="insufficient_quota",
        headers=[*headers, (b"cache-control", b"no-store")],
    )


def cost(price: config.Price | None, ledger: Ledger) -> float:
    """Of one answer; a model without a price is free."""
    return 0.0 if price is None else ledger.prompt * price.input + ledger.completion * price.output
