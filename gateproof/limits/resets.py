"""Resets: does what answers say about a window's end fall with the clock?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from gateproof.limits.finding import Finding
from gateproof.limits.header_series import Notation, Told, judged
from gateproof.limits.headers import Reset, rest_of, shown
from gateproof.limits.history import History, Shot
from gateproof.limits.terms import Limit


@dataclass(frozen=True, slots=True)
class Named:
    """An end of a window, and the answer that named it."""

    shot: Shot
    reset: Reset


def reset_counts_down(limit: Limit, notation: Notation, history: History) -> Finding:
    """All answers of one window name one end of it; a later end is named only once that one has come (RATE-014).

    However the writer rounds, it rounds each time alike: what two answers name differs by less than one step, or
    two where both the clock and the rest of the window were rounded before they were added.
    """
    expected = "reset falls with the clock, and rises only when it has run out"
    if limit.lifelong or limit.algorithm in ("sliding", "bucket"):
        kind = "a lifetime" if limit.lifelong else f"`{limit.algorithm}`"
        return Finding.undecided(expected, f"a limit of the kind {kind} has no window that ends")

    def judge(series: list[Told]) -> Finding:
        named = [Named(told.shot, told.reading.reset) for told in series if told.reading.reset is not None]
        for early, late in combinations(named, 2):
            if (moved := _moved(early, late)) is not None:
                return Finding.no(expected, f"{_both(history, early, late)}: {moved}")
        if not any(_tells(early, late) for early, late in combinations(named, 2)):
            return Finding.undecided(expected, "no two answers far enough apart in one window to see it fall")
        return Finding.yes(expected, "reset " + ", ".join(shown(each.reset) for each in named))

    return judged(expected, notation, history, judge)


def _moved(early: Named, late: Named) -> str | None:
    """How the end of the window moved although it had not come; None when it stayed, or had come."""
    if early.reset.form != late.reset.form:
        return "the form changed"
    step = _step(early, late)
    least, most = _shift(early, late)
    if most <= -step:
        return f"the end came {-most:.3f} s nearer"
    if least >= step and not _may_have_come(early, late.shot):
        return f"the end moved away by {least:.3f} s before it had come"
    return None


def _shift(early: Named, late: Named) -> tuple[float, float]:
    """By how much, at least and at most, the end that was named later lies after the one named before."""
    told = late.reset.value - early.reset.value
    if early.reset.absolute:
        return told, told
    return late.shot.sent - early.shot.decided + told, late.shot.decided - early.shot.sent + told


def _may_have_come(early: Named, late: Shot) -> bool:
    """Whether the end that was named may have come when the later answer was written."""
    rest = rest_of(early.reset, early.shot)
    return rest is None or late.decided >= early.shot.sent + rest[0]


def _tells(early: Named, late: Named) -> bool:
    """Whether these two would have shown a reset that does not fall."""
    return late.shot.sent - early.shot.decided >= _step(early, late) and not _may_have_come(early, late.shot)


def _step(early: Named, late: Named) -> float:
    step = max(early.reset.resolution, late.reset.resolution)
    return 2 * step if early.reset.absolute else step


def _both(history: History, early: Named, late: Named) -> str:
    return " then ".join(f"reset {shown(each.reset)} at {history.at(each.shot.decided)}" for each in (early, late))
