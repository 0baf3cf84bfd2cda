"""Refusals held to account: a 429 needs a limit that is used up, and costs nothing.

What is asked here is the weakest that every algorithm grants: fixed windows wherever they lie, sliding ones and buckets
refuse only when the limit was admitted within the last window.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateproof.limits.finding import Finding
from gateproof.limits.history import History, Shot, outcomes
from gateproof.limits.terms import Limit

HAMMERED_FOR = 0.5
"""Share of a window, before its end, in which something must have been refused: earlier refusals would be forgotten
even where each begins a penalty of half a window."""


def refused_only_when_used_up(history: History, *limits: Limit, slack: int = 0) -> Finding:
    """No 429 unless one of the limits may have been used up when it was decided, ``slack`` requests forgiven.

    What was neither admitted nor refused may have been counted. Refusals before a whole window has been seen say
    nothing, unless the history is fresh.
    """
    expected = f"429 only when {' or '.join(map(str, limits))} may be used up"
    if not history.refused:
        return Finding.undecided(expected, f"nothing was refused: {outcomes(history)}")
    doubtful = 0
    for shot in history.refused:
        used = [(limit, may_be_used(limit, history, shot)) for limit in limits]
        if any(count >= limit.limit - slack for limit, count in used):
            continue
        if not history.fresh and any(shot.sent < history.first_sent + limit.window + limit.grain for limit in limits):
            doubtful += 1
            continue
        told = ", ".join(f"{count} of {limit}" for limit, count in used)
        return Finding.no(expected, f"429 {history.between(shot.sent, shot.decided)} with {told} at most")
    if doubtful == len(history.refused):
        return Finding.undecided(expected, "part of the window may have been used before")
    return Finding.yes(expected, f"each of {len(history.refused)} refusals with a limit used up")


def refusals_cost_nothing(limit: Limit, history: History) -> Finding:
    """Hammered at 429 until the window is over, a tenant comes back on time, and to its full limit (RATE-018).

    One after another: drained, refused until a window after the last admission, then asked for the limit once more.
    """
    expected = f"admitted again {limit.window:.3f} s after the last admission, whatever was refused meanwhile"
    if why := _no_hammering(limit, history):
        return Finding.undecided(expected, why)
    drained = _drained(history)
    last = max(shot.decided for shot in drained)
    due = last + limit.window + limit.grain
    early = next((shot for shot in history.admitted if last < shot.decided and shot.sent < due), None)
    if early is not None:  # a boundary, or a refill: no window of ours decides when it is due
        found = refused_only_when_used_up(history, limit)
        return Finding(found.holds, expected, f"{found.seen}, admitted again at {history.at(early.sent)}")
    late = [shot for shot in history if shot.sent >= due]
    refused_before = [shot for shot in history.refused if last < shot.sent < due]
    if refused_before and refused_before[-1].sent < due - HAMMERED_FOR * limit.window:
        return Finding.undecided(expected, "nothing was refused in the second half of the window")
    if not refused_before or not late:
        return Finding.undecided(expected, f"{len(refused_before)} refused before the end, {len(late)} sent after it")
    if late[0].refused:
        where = f"{late[0].sent - last:.3f} s after the last admission"
        return Finding.no(expected, f"429 {where}, {len(refused_before)} refused before it")
    found = refused_only_when_used_up(history, limit)
    if found.holds is False:
        return Finding.no(expected, found.seen)
    back = sum(shot.admitted for shot in late)
    if back < limit.limit:
        return Finding.undecided(expected, f"{back} asked for and admitted after the end, the limit is {limit.limit}")
    return Finding.yes(expected, f"{len(refused_before)} refused, then {back} admitted from {history.at(late[0].sent)}")


def may_be_used(limit: Limit, history: History, shot: Shot) -> int:
    """How many others at most count against the limit when this one is decided."""
    since = shot.sent - limit.window - limit.grain
    return sum(
        other.sent <= shot.decided and other.decided >= since
        for other in history
        if other is not shot and not other.refused
    )


def _no_hammering(limit: Limit, history: History) -> str | None:
    if not history.shots:
        return "nothing was sent"
    if limit.lifelong:
        return f"{limit} never comes back"
    if not history.sequential:
        return "requests overlapped"
    if history.other:
        stray = history.other[0]
        return f"{stray.outcome} at {history.at(stray.sent)}: it may have been counted"
    if not history.refused or not _drained(history):
        return f"the window was not used up: {outcomes(history)}"
    return None


def _drained(history: History) -> Sequence[Shot]:
    """The admissions before the first refusal."""
    first = next((index for index, shot in enumerate(history) if shot.refused), len(history))
    return [shot for shot in history.shots[:first] if shot.admitted]
