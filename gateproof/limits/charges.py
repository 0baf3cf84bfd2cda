"""Whether tokens are charged at all, where no client can know exactly how many."""

from __future__ import annotations

from gateproof.limits.finding import Finding
from gateproof.limits.history import History
from gateproof.limits.terms import Quota


def is_charged(quota: Quota, history: History, *, share: float) -> Finding:
    """One after another: refused at the latest when ``share`` of what was spent would have used up the quota.

    ``tokens`` of the shots are what they certainly cost. Half of it, say, has to be counted: a gateway may count with
    a tokenizer of its own, and may not know of the last tokens that were generated.
    """
    most = quota.limit / share
    expected = f"429 at the latest with {most:.0f} tokens spent, of which {share:.0%} use up {quota}"
    ledger = 0
    for number, shot in enumerate(history, start=1):
        where = f"request {number} at {history.at(shot.sent)} with {ledger} tokens spent"
        if shot.refused and not ledger:
            return Finding.undecided(expected, f"429 for {where}: nothing was served")
        if shot.refused:
            return Finding.yes(expected, f"429 for {where}")
        if not shot.admitted or shot.tokens is None:
            return Finding.undecided(expected, f"{shot.outcome} for {where}: nobody knows what it cost")
        if ledger >= most:
            return _unless_renewed(quota, history, expected, f"{shot.outcome} for {where}", shot.decided)
        ledger += shot.tokens
    return Finding.undecided(expected, f"{ledger} tokens spent, none refused: too few to tell")


def _unless_renewed(quota: Quota, history: History, expected: str, seen: str, decided: float) -> Finding:
    """A window that began later than all that was spent before, or in the midst of it, explains everything."""
    dense = decided - history.first_sent < quota.window - quota.grain
    if dense and (quota.starts_at_first_hit or quota.algorithm == "sliding"):
        return Finding.no(expected, seen)
    return Finding.undecided(expected, f"{seen}, but a new window may have begun by then")
