"""Budgets: money, reckoned from usage and prices, and booked some time after the answer."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from gateproof.limits.finding import Finding
from gateproof.limits.history import TOO_MANY_REQUESTS, History, Shot, outcomes
from gateproof.limits.terms import grain

ROUNDING = 1e-6
"""Relative; two programs that add up the same prices differ by less."""


class DeclaredBudget(Protocol):
    """A budget as the target file declares it."""

    @property
    def limit(self) -> float: ...
    @property
    def window(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Budget:
    """At most ``limit`` in the currency of the prices, per ``window`` seconds or, where that is infinite, ever.

    ``aligned`` False: each window begins with the first request after the last; None: nobody knows.
    """

    limit: float
    window: float = math.inf
    aligned: bool | None = None

    @classmethod
    def of(cls, declared: DeclaredBudget) -> Self:
        return cls(declared.limit, declared.window, getattr(declared, "aligned", None))

    @property
    def renews(self) -> bool:
        """Whether a new window may begin between two requests that are less than a window apart."""
        return not math.isinf(self.window) and self.aligned is not False

    def __str__(self) -> str:
        return f"{self.limit:g} " + ("in its lifetime" if math.isinf(self.window) else f"per {self.window:.3f} s")


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent when a request was decided: surely booked by then, and at most."""

    booked: float
    at_most: float


def stops_at_budget(
    budget: Budget,
    history: History,
    costs: Sequence[float | None],
    *,
    settle: float,
    statuses: Collection[int] = (TOO_MANY_REQUESTS,),
) -> Finding:
    """Served below the budget, refused once it is booked as spent; nothing is refused before it is spent.

    ``costs`` are what each request of the history cost, in its order, None for one that nobody can price. A request
    may still be served as long as what is over ``settle`` seconds old has not used up the budget: so far it may be
    overshot. ``statuses`` are those that mean "over the budget".
    """
    expected = f"served below {budget}, refused from there on, {settle:g} s for the books"
    if why := _unusable(budget, history, costs, statuses):
        return Finding.undecided(expected, why)
    ledger = [(shot, cost or 0.0) for shot, cost in zip(history, costs, strict=True) if _served(shot, statuses)]
    least, most = budget.limit * (1 - ROUNDING), budget.limit * (1 + ROUNDING)
    for shot in history:
        spent = _spent(shot, ledger, settle)
        where = history.between(shot.sent, shot.decided)
        if shot.status in statuses and spent.at_most < least:
            return Finding.no(expected, f"{shot.outcome} {where} with {spent.at_most:g} spent at most")
        if shot.admitted and spent.booked > most:
            seen = f"{shot.outcome} {where} with {spent.booked:g} booked {settle:g} s before"
            if budget.renews:
                return Finding.undecided(expected, f"{seen}, but a new window may have begun by then")
            return Finding.no(expected, seen)
    total = math.fsum(cost for _, cost in ledger)
    seen = f"{total:g} spent in {len(ledger)} answers ({outcomes(history)})"
    if not any(shot.status in statuses for shot in history):
        return Finding.undecided(expected, f"{seen}: none was refused")
    return Finding.yes(expected, f"{seen}, {max(total - budget.limit, 0.0):g} over it within the time for the books")


def _spent(shot: Shot, ledger: Sequence[tuple[Shot, float]], settle: float) -> Spent:
    before = [(other, cost) for other, cost in ledger if other is not shot]
    return Spent(
        math.fsum(cost for other, cost in before if other.finished + settle <= shot.sent),
        math.fsum(cost for other, cost in before if other.sent <= shot.decided),
    )


def _served(shot: Shot, statuses: Collection[int]) -> bool:
    return shot.admitted and shot.status not in statuses


def _unusable(budget: Budget, history: History, costs: Sequence[float | None], statuses: Collection[int]) -> str | None:
    if not history.shots:
        return "nothing was sent"
    if len(costs) != len(history):
        raise ValueError(f"{len(costs)} costs for {len(history)} requests")
    if not history.fresh:
        return "part of the budget may have been spent before"
    span = history.last_decided - history.first_sent
    if span >= budget.window - grain(budget.window):
        return f"the requests took {span:.3f} s, too long for one window"
    for shot, cost in zip(history, costs, strict=True):
        if shot.admitted and cost is None:
            return f"the answer at {history.at(shot.decided)} cannot be priced"
        if not shot.admitted and shot.status not in statuses:
            return f"{shot.outcome} at {history.at(shot.sent)}: neither served nor refused by the budget"
    return None
