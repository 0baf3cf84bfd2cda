"""Token quotas: the ledger is the sum of the usage that the client was shown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from gateproof.limits.finding import Finding
from gateproof.limits.history import History, Shot, outcomes
from gateproof.limits.terms import Limit, Quota
from gateproof.limits.window import Boundary, surely_together


def stops_at_quota(
    quota: Quota,
    history: History,
    *,
    estimate: int | None = None,
    booked_within: float = 0.0,
    boundary: Boundary = None,
) -> Finding:
    """One after another: served below the quota, refused once it is used up.

    ``after`` mode: whoever is served finds the ledger below the quota, whoever is refused finds it at the quota or
    above. ``reserve`` mode: the ledger never passes the quota; ``estimate`` is the most that one request can ask for
    (prompt and max_tokens), without which a refusal cannot be called too early. ``booked_within`` seconds after an
    answer the ledger may not have it yet: a request served in that time proves nothing. ``boundary`` is an instant at
    which an aligned window begins, as well as it is known: without it a new one may excuse whatever is too much.
    """
    expected = _expected(quota)
    if why := _unusable(history):
        return Finding.undecided(expected, why)
    if quota.mode == "reserve":
        return _stops_in_reserve_mode(quota, history, expected, estimate, boundary)
    return _stops_in_after_mode(quota, history, expected, booked_within, boundary)


def overshoot(quota: Quota, history: History, *, boundary: Boundary = None) -> Finding:
    """Requests in flight together pass the quota by no more than they are worth, or by nothing where it is reserved."""
    together, largest = in_flight(history), max((shot.tokens or 0 for shot in history.admitted), default=0)
    allowed = 0 if quota.mode == "reserve" else together * largest
    expected = f"at most {allowed} tokens above {quota} ({quota.mode} mode, {together} in flight)"
    ledger = sum(shot.tokens or 0 for shot in history.admitted)
    seen = f"{ledger} tokens in {len(history.admitted)} answers ({outcomes(history)}){_when(history)}"
    if why := _uncounted(history):
        return Finding.undecided(expected, why)
    if ledger - quota.limit > allowed:
        return _unless_renewed(quota, history, history.shots, expected, seen, boundary, allowed)
    if not history.refused and ledger < quota.limit:
        return Finding.undecided(expected, f"{seen}: the quota was not reached")
    return Finding.yes(expected, seen)


def quota_resets(quota: Quota, *cycles: History, estimate: int | None = None) -> Finding:
    """After its window the quota is whole again: every cycle, each a window after the one before, spends all of it."""
    expected = f"a full {quota.limit} tokens again {quota.window:.3f} s after the quota was used up"
    if quota.lifelong:
        return Finding.undecided(expected, f"{quota} never come back")
    if len(cycles) < 2:
        return Finding.undecided(expected, "only one window was seen")
    for before, after in pairwise(cycles):
        if not before.refused or not before.admitted:
            return Finding.undecided(expected, f"the window before was not used up: {outcomes(before)}")
        waited = after.first_sent - max(shot.finished for shot in before.admitted) if after.shots else 0.0
        if waited < quota.window + quota.grain:
            return Finding.undecided(expected, f"{waited:.3f} s is too early to know that the window is over")
        found = stops_at_quota(quota, after, estimate=estimate)
        if found.holds is not True:
            return Finding(found.holds, expected, f"{waited:.3f} s later: {found.seen}")
    spent = ", ".join(str(sum(shot.tokens or 0 for shot in cycle.admitted)) for cycle in cycles)
    return Finding.yes(expected, f"tokens per window: {spent}")


def _when(history: History) -> str:
    return f" {history.between(history.first_sent, history.last_decided)}" if history.shots else ""


def in_flight(history: History) -> int:
    """The most admitted requests that were under way at one moment."""
    moments = [(shot.sent, 1) for shot in history.admitted] + [(shot.finished, -1) for shot in history.admitted]
    most = now = 0
    for _, step in sorted(moments):
        now += step
        most = max(most, now)
    return most


def _stops_in_after_mode(
    quota: Quota, history: History, expected: str, booked_within: float, boundary: Boundary
) -> Finding:
    ledger, doubt = 0, None
    for number, shot in enumerate(history, start=1):
        where = f"request {number} at {history.at(shot.sent)} with {ledger} tokens on the ledger"
        if shot.refused and ledger < quota.limit:
            return Finding.no(expected, f"429 for {where}")
        if shot.admitted and ledger >= quota.limit:
            booked = sum(
                each.tokens or 0 for each in history.shots[: number - 1] if each.finished + booked_within <= shot.sent
            )
            if booked >= quota.limit:
                return _unless_renewed(
                    quota, history, history.shots[:number], expected, f"{shot.outcome} for {where}", boundary
                )
            doubt = doubt or f"{shot.outcome} for {where}, of which {booked} were surely booked"
        ledger += (shot.tokens or 0) if shot.admitted else 0
    if doubt:
        return Finding.undecided(expected, doubt)
    if not history.refused:
        return Finding.undecided(expected, f"{ledger} tokens spent, none refused: the quota was not reached")
    return _in_one_window(quota, history, expected, f"429 once {ledger} tokens were on the ledger")


def _stops_in_reserve_mode(
    quota: Quota, history: History, expected: str, estimate: int | None, boundary: Boundary
) -> Finding:
    ledger = 0
    for number, shot in enumerate(history, start=1):
        where = f"request {number} at {history.at(shot.sent)}"
        if shot.admitted:
            ledger += shot.tokens or 0
        if ledger > quota.limit:
            return _unless_renewed(
                quota, history, history.shots[:number], expected, f"{ledger} tokens after {where}", boundary
            )
        if shot.refused and estimate is not None and ledger + estimate <= quota.limit:
            return Finding.no(expected, f"429 for {where} with {ledger} tokens spent, {estimate} more at most")
    if not history.refused:
        return Finding.undecided(expected, f"{ledger} tokens spent, none refused: the quota was not reached")
    return _in_one_window(quota, history, expected, f"429 with {ledger} tokens spent")


def _in_one_window(quota: Quota, history: History, expected: str, seen: str) -> Finding:
    """A refusal can be credited to the quota only when its whole window is before us."""
    span = next(shot for shot in history if shot.refused).decided - history.first_sent
    if span >= quota.window - quota.grain:
        return Finding.undecided(expected, f"{seen}, but after {span:.3f} s, too long for one window")
    return Finding.yes(expected, seen)


def _unless_renewed(
    quota: Quota,
    history: History,
    shots: Sequence[Shot],
    expected: str,
    seen: str,
    boundary: Boundary,
    above: int = 0,
) -> Finding:
    """Too much was spent, unless a new window can have begun in between.

    ``above`` is what may legally be spent above the quota in one window; by default the request that crosses it.
    """
    admitted = [shot for shot in shots if shot.admitted]
    span = max(shot.decided for shot in admitted) - min(shot.sent for shot in admitted)
    ledger = sum(shot.tokens or 0 for shot in admitted)
    if quota.mode == "after":
        above = max(above, *(shot.tokens or 0 for shot in admitted))
    if span < quota.window - quota.grain and (
        quota.starts_at_first_hit
        or quota.algorithm == "sliding"
        or _together(quota, history, admitted, boundary)
        # a boundary inside gives each of two windows its quota; a bucket gives less
        or ledger > 2 * (quota.limit + above)
    ):
        return Finding.no(expected, seen)
    return Finding.undecided(expected, f"{seen}, but a new window may have begun by then")


def _together(quota: Quota, history: History, shots: Sequence[Shot], boundary: Boundary) -> bool:
    """Whether a known boundary shows that no window began in between."""
    like = Limit(quota.limit, quota.window, quota.algorithm, quota.aligned)
    last = max(shots, key=lambda shot: shot.decided)
    return boundary is not None and surely_together(like, history, shots[0], last, boundary=boundary)


def _expected(quota: Quota) -> str:
    if quota.mode == "reserve":
        return f"never more than {quota}, and 429 for what would pass it"
    return f"served below {quota}, 429 once they are used up"


def _unusable(history: History) -> str | None:
    if not history.shots:
        return "nothing was sent"
    if not history.fresh:
        return "part of the quota may have been used before"
    if not history.sequential:
        return "requests overlapped"
    return _uncounted(history)


def _uncounted(history: History) -> str | None:
    if history.other:
        stray = history.other[0]
        return f"{stray.outcome} at {history.at(stray.sent)}: neither admitted nor refused by a limit"
    for shot in history.admitted:
        if shot.tokens is None:
            return f"the answer at {history.at(shot.decided)} shows no usage"
    return None
