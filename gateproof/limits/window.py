"""Request limits: does a history fit so many requests per window?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from gateproof.limits.finding import Finding
from gateproof.limits.history import History, Shot, outcomes
from gateproof.limits.interval import Interval
from gateproof.limits.spans import Span, fullest, held, over_bucket, windows_from_boundary, windows_from_first_hit
from gateproof.limits.terms import Limit

Boundary = float | Interval | None
"""An instant of the history's clock at which an aligned window begins, as well as it is known."""


def admits_exactly(limit: Limit, history: History, *, rtt: float = 0.0, boundary: Boundary = None) -> Finding:
    """One after another in a fresh window: the first ``limit`` are admitted, the next is refused.

    Undecided when the series did not fit into one window, when a boundary may lie inside it, or when something was
    neither admitted nor refused. ``rtt`` is what to keep clear of the window's end beside the clock's grain.
    """
    expected = f"the first {limit.limit} admitted, then 429, {_all_within(limit)}"
    if why := _unusable(history):
        return Finding.undecided(expected, why)
    leading = _admitted_first(history)
    if leading < min(limit.limit, len(history)):
        refusal = history.shots[leading]
        seen = f"429 after {leading} admitted, {history.between(refusal.sent, refusal.decided)}"
        return Finding.no(expected, seen)
    most = admits_at_most(limit, history, boundary=boundary)
    if most.holds is not True:
        return Finding(most.holds, expected, most.seen)
    if leading == len(history):
        return Finding.undecided(expected, f"{leading} sent, none refused: the limit was not reached in one window")
    crossing = history.shots[leading]
    span, room = crossing.decided - history.first_sent, limit.window - limit.grain - rtt
    if span >= room:
        return Finding.undecided(expected, f"the first {leading + 1} took {span:.3f} s, too long for one window")
    return Finding.yes(expected, f"{leading} admitted, 429 {history.between(crossing.sent, crossing.decided)}")


def admits_at_most(limit: Limit, history: History, *, boundary: Boundary = None) -> Finding:
    """No window holds more admitted requests than the limit.

    A fixed window may legally let 2·limit through across its boundary. The boundary is known when windows begin with
    the first hit, or when ``boundary`` gives one instant (on the history's clock) at which an aligned window begins;
    an unknown one makes up to 2·limit undecided, not red. Red is only what no placement of the admissions can excuse.
    """
    if limit.lifelong:
        return _judge(f"at most {limit}", history, fullest(history.admitted, limit.window), limit.limit)
    if limit.algorithm == "sliding":
        return _at_most_in_any_window(limit, history)
    if limit.algorithm == "bucket":
        return _at_most_a_bucket(limit, history)
    if limit.algorithm == "fixed" and boundary is not None:
        return _at_most_in_windows(
            limit, history, windows_from_boundary(history, limit.window, limit.grain, boundary) if history.shots else ()
        )
    if limit.starts_at_first_hit:
        return _at_most_from_first_hit(limit, history)
    return _at_most_across_a_boundary(limit, history)


def admits_at_least(limit: Limit, history: History, slack: int = 1) -> Finding:
    """A fresh window admits the limit, or up to ``slack`` fewer, when at least so many are sent."""
    wanted = max(limit.limit - slack, 0)
    expected = f"at least {wanted} of {len(history)} admitted (limit {limit})"
    admitted = len(history.admitted)
    if admitted >= wanted:
        return Finding.yes(expected, f"{admitted} admitted")
    if len(history) < wanted:
        return Finding.undecided(expected, f"only {len(history)} were sent")
    if not history.fresh:
        return Finding.undecided(expected, f"{admitted} admitted, but part of the window may have been used before")
    if admitted + len(history.other) >= wanted:
        return Finding.undecided(expected, f"neither admitted nor refused: {outcomes(history.other)}")
    return Finding.no(expected, f"{admitted} admitted, {_extent(history)}")


def window_resets(limit: Limit, *cycles: History) -> Finding:
    """After a drained window has passed, the full limit is admitted again.

    Each cycle drains the limit (at least one 429); the next begins one window after the last admission before it.
    Refused requests in between are part of the cycle before and must not matter.
    """
    expected = f"a full {limit.limit} admitted again {limit.window:.3f} s after the window was used up"
    if limit.lifelong:
        return Finding.undecided(expected, f"{limit} never comes back")
    if len(cycles) < 2:
        return Finding.undecided(expected, "only one window was seen")
    counts = [len(cycle.admitted) for cycle in cycles]
    for before, after in pairwise(cycles):
        if why := _no_new_window(limit, before, after):
            return Finding.undecided(expected, why)
        admitted = len(after.admitted)
        if admitted < limit.limit <= admitted + len(after.other):
            return Finding.undecided(expected, f"neither admitted nor refused: {outcomes(after.other)}")
        if admitted < limit.limit:
            waited = after.first_sent - max(shot.decided for shot in before.admitted)
            return Finding.no(expected, f"{admitted} admitted {waited:.3f} s after the last admission before")
    return Finding.yes(expected, "admitted per window: " + ", ".join(map(str, counts)))


def surely_together(limit: Limit, history: History, early: Shot, late: Shot, *, boundary: Boundary = None) -> bool:
    """Whether two requests surely met one and the same window of a fixed limit, wherever its windows lie."""
    if limit.lifelong:
        return True
    windows: Iterable[tuple[float, float]] = ()
    if limit.algorithm == "fixed" and boundary is not None:
        windows = windows_from_boundary(history, limit.window, limit.grain, boundary)
    elif limit.starts_at_first_hit:
        windows = _windows_of(limit, history.spells(limit.window + limit.grain))
    return any(start <= early.sent and late.decided < end for start, end in windows)


def _all_within(limit: Limit) -> str:
    return "ever after" if limit.lifelong else f"all within {limit.window:.3f} s"


def _no_new_window(limit: Limit, before: History, after: History) -> str | None:
    if not before.refused or not before.admitted:
        return f"the window before was not used up: {outcomes(before)}"
    if len(after) < limit.limit:
        return f"only {len(after)} were sent into the new window"
    waited = after.first_sent - max(shot.decided for shot in before.admitted)
    if waited < limit.window + limit.grain:
        return f"{waited:.3f} s after the last admission is too early to know that the window is over"
    return None


def _unusable(history: History) -> str | None:
    if not history.shots:
        return "nothing was sent"
    if not history.fresh:
        return "part of the window may have been used before"
    if not history.sequential:
        return "requests overlapped"
    if history.other:
        stray = history.other[0]
        return f"{stray.outcome} at {history.at(stray.sent)}: neither admitted nor refused by a limit"
    return None


def _admitted_first(history: History) -> int:
    """How many were admitted before the first that was not."""
    return next((index for index, shot in enumerate(history) if not shot.admitted), len(history))


def _at_most_in_any_window(limit: Limit, history: History) -> Finding:
    expected = f"at most {limit.limit} admitted in any {limit.window:.3f} s"
    span = fullest(history.admitted, limit.window - limit.grain)
    return _judge(expected, history, span, limit.limit)


def _at_most_a_bucket(limit: Limit, history: History) -> Finding:
    expected = f"at most {limit.limit} admitted at once, and {limit} after that"
    if span := over_bucket(history.admitted, limit.limit, limit.window):
        return Finding.no(expected, _seen(history, span))
    return Finding.yes(expected, f"{len(history.admitted)} admitted, {_extent(history)}")


def _at_most_in_windows(limit: Limit, history: History, windows: Iterable[tuple[float, float]]) -> Finding:
    expected = f"at most {limit.limit} admitted in one window of {limit.window:.3f} s"
    spans = (held(history.admitted, start, end) for start, end in windows)
    return _judge(expected, history, max(spans, key=lambda span: span.count, default=None), limit.limit)


def _at_most_from_first_hit(limit: Limit, history: History) -> Finding:
    across = _at_most_across_a_boundary(limit, history)
    spells = list(history.spells(limit.window + limit.grain))
    exact = _at_most_in_windows(limit, history, _windows_of(limit, spells))
    if across.holds is False or exact.holds is False:
        return exact if exact.holds is False else across
    if all(spell.fresh for spell in spells):
        return exact
    return across


def _windows_of(limit: Limit, spells: Iterable[History]) -> Iterator[tuple[float, float]]:
    for spell in spells:
        if spell.fresh:
            yield from windows_from_first_hit(spell, limit.window, limit.grain)


def _at_most_across_a_boundary(limit: Limit, history: History) -> Finding:
    """The weakest bound that every algorithm keeps: twice the limit in less than one window."""
    expected = f"at most {limit.limit} admitted per {limit.window:.3f} s, {2 * limit.limit} across a boundary"
    span = fullest(history.admitted, limit.window - limit.grain)
    if span is not None and limit.limit < span.count <= 2 * limit.limit:
        seen = _seen(history, span)
        return Finding.undecided(expected, f"{seen}, and a boundary between two windows may lie there")
    return _judge(expected, history, span, 2 * limit.limit)


def _judge(expected: str, history: History, span: Span | None, bound: int) -> Finding:
    if span is None:
        return Finding.yes(expected, f"{len(history.admitted)} admitted, no two surely within one window")
    return Finding(span.count <= bound, expected, _seen(history, span))


def _seen(history: History, span: Span) -> str:
    return f"{span.count} admitted {history.between(span.start, span.end)}"


def _extent(history: History) -> str:
    if not history.shots:
        return "nothing sent"
    return f"{outcomes(history)} {history.between(history.first_sent, max(shot.sent for shot in history))}"
