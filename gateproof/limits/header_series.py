"""Limit headers held against what happened: one request after another, each answer's word beside the answer itself.

Judged are numbers that cannot both be true. What a boundary, a refill or rounding may explain is never red.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise

from gateproof.limits.finding import Finding
from gateproof.limits.headers import BadHeader, Form, Reading, Style, present, read, shown
from gateproof.limits.history import History, Shot
from gateproof.limits.terms import Limit
from gateproof.limits.window import Boundary, admits_exactly, surely_together

RESET_FORMS: Mapping[Style, Form] = {"rl03": "seconds", "openai": "duration", "ietf": "seconds"}
"""What each notation writes: delay-seconds (RL03 §2.3, draft 10 §4), a duration (OpenAI)."""


@dataclass(frozen=True, slots=True)
class Notation:
    """Where a target says what: the style, whose limit, and the word that a dialect puts before the names."""

    style: Style
    unit: str = "requests"
    prefix: str = "x-ratelimit"

    def read(self, shot: Shot) -> Reading:
        return read(self.style, shot.headers, unit=self.unit, prefix=self.prefix)

    def speaks(self, shot: Shot) -> bool:
        return present(self.style, shot.headers, unit=self.unit, prefix=self.prefix)

    def __str__(self) -> str:
        names = {"rl03": f"{self.prefix}-*", "openai": f"{self.prefix}-*-{self.unit}", "ietf": "RateLimit"}
        return names[self.style]


@dataclass(frozen=True, slots=True)
class Told:
    """One answer and its word; ``after`` is how many were admitted up to and with it."""

    shot: Shot
    reading: Reading
    after: int


def headers_well_formed(notation: Notation, history: History, *, reset: Form | None = None) -> Finding:
    """Every admitted answer says it, and every answer that does keeps to the grammar (RATE-011, -016, -017).

    ``reset`` is the form that a dialect declares where it differs from its notation's own.
    """
    form = reset or RESET_FORMS[notation.style]
    expected = f"well-formed {notation} on every admitted answer, the reset as {form}"
    if not history.admitted:
        return Finding.undecided(expected, "nothing was admitted")
    for shot in history:
        if not (shot.admitted or (shot.refused and notation.speaks(shot))):
            continue
        try:
            reading = notation.read(shot)
        except BadHeader as error:
            return Finding.no(expected, f"{error} on the {shot.outcome} at {history.at(shot.decided)}")
        if reading.reset is not None and reading.reset.form != form:
            return Finding.no(expected, f"the reset `{shown(reading.reset)}` is {reading.reset.form}")
    first = notation.read(history.admitted[0])
    return Finding.yes(expected, f"limit {first.limit}, remaining {first.remaining}, reset {shown(first.reset)}")


def remaining_falls(limit: Limit, notation: Notation, history: History, *, boundary: Boundary = None) -> Finding:
    """Each admitted request takes one from what remains, refused ones nothing, and it is never below 0 (RATE-012)."""
    expected = "remaining falls by one per admitted request, never below 0"

    def judge(series: list[Told]) -> Finding:
        for told in series:
            if told.reading.remaining < 0:
                return Finding.no(expected, f"remaining {told.reading.remaining} at {history.at(told.shot.decided)}")
        compared = 0
        for early, late in combinations(series, 2):
            if early.reading.limit != late.reading.limit:
                continue  # of several limits the tightest is shown, and it was another one
            taken = late.after - early.after
            due, got = early.reading.remaining - taken, late.reading.remaining
            gained, renewed = _back(limit, history, early, late, boundary)
            again = renewed and got >= _whole(limit, early) - taken
            if not due <= got <= due + gained and not again:
                return Finding.no(expected, f"{_two(history, early, late)} with {taken} admitted in between")
            compared += not gained and not renewed and taken > 0
        if not compared:
            return Finding.undecided(expected, "no two admitted answers surely in one window")
        return Finding.yes(expected, "remaining " + ", ".join(str(told.reading.remaining) for told in series))

    return judged(expected, notation, history, judge)


def zero_means_refused(limit: Limit, notation: Notation, history: History, *, boundary: Boundary = None) -> Finding:
    """Remaining 0 and the next is refused, more than 0 and the next is admitted (RATE-013)."""
    expected = "remaining 0 on an answer if and only if the next request is refused"

    def judge(series: list[Told]) -> Finding:
        seen: set[bool] = set()
        for told, after in _followed(series, history):
            left = told.reading.remaining
            where = f"{after.outcome} at {history.at(after.decided)} after remaining {left}"
            if left > 0 and after.refused:
                return Finding.no(expected, f"{where} at {history.at(told.shot.decided)}")
            if left <= 0 and after.admitted and _too_early(limit, history, told, after, boundary):
                return Finding.no(expected, f"{where} at {history.at(told.shot.decided)}")
            if after.refused or left > 0:
                seen.add(left > 0)
        if seen != {True, False}:
            return Finding.undecided(expected, "the limit was not both open and used up while it was watched")
        return Finding.yes(expected, f"{len(history.admitted)} admitted, {len(history.refused)} refused, all foretold")

    return judged(expected, notation, history, judge)


def advertised_is_enforced(limit: Limit, notation: Notation, history: History, *, rtt: float = 0.0) -> Finding:
    """As many are admitted in a fresh window as the headers say the limit is (RATE-015)."""
    expected = "as many requests admitted as the headers advertise"

    def judge(series: list[Told]) -> Finding:
        told = {each.reading.limit for each in series if each.shot.admitted}
        if len(told) != 1 or None in told:
            return Finding.undecided(expected, f"limits advertised: {', '.join(map(str, told)) or 'none'}")
        [advertised] = told
        assert advertised is not None
        for each in series:
            quotas = [policy.quota for policy in each.reading.policies]
            if quotas and advertised not in quotas:
                return Finding.no(expected, f"limit {advertised}, yet the policies say {quotas}")
        found = admits_exactly(dataclasses.replace(limit, limit=advertised), history, rtt=rtt)
        return Finding(found.holds, expected, f"{advertised} advertised; {found.seen}")

    return judged(expected, notation, history, judge)


# --- the series ----------------------------------------------------------------------------------------------------


def judged(expected: str, notation: Notation, history: History, judge: Callable[[list[Told]], Finding]) -> Finding:
    if not history.shots:
        return Finding.undecided(expected, "nothing was sent")
    if not history.sequential:
        return Finding.undecided(expected, "requests overlapped")
    if history.other:
        stray = history.other[0]
        return Finding.undecided(expected, f"{stray.outcome} at {history.at(stray.sent)}: it may have been counted")
    try:
        series = list(_told(notation, history))
    except BadHeader as error:
        return Finding.undecided(expected, f"cannot be read: {error}")
    if not series:
        return Finding.undecided(expected, f"no answer has {notation}")
    return judge(series)


def _told(notation: Notation, history: History) -> Iterator[Told]:
    admitted = 0
    for shot in history:
        admitted += shot.admitted
        if notation.speaks(shot):
            yield Told(shot, notation.read(shot), admitted)


def _followed(series: list[Told], history: History) -> Iterator[tuple[Told, Shot]]:
    """Each word with the request that came next."""
    after = {id(shot): later for shot, later in pairwise(history.shots)}  # a shot holds its headers: no key of a dict
    for told in series:
        if id(told.shot) in after:
            yield told, after[id(told.shot)]


# --- what may have come back in between ----------------------------------------------------------------------------


def _back(limit: Limit, history: History, early: Told, late: Told, boundary: Boundary) -> tuple[int, bool]:
    """The most that may have come back bit by bit between two answers, and whether a new window may have begun."""
    renewed = limit.algorithm in ("fixed", "unknown") and not surely_together(
        limit, history, early.shot, late.shot, boundary=boundary
    )
    gained = 0
    if limit.algorithm in ("sliding", "unknown") and not limit.lifelong:
        gained = _may_leave_the_log(limit, history, early.shot, late.shot)
    if limit.algorithm in ("bucket", "unknown") and not limit.lifelong:
        gained = max(gained, _may_drip(limit, early.shot, late.shot))
    return gained, renewed


def _whole(limit: Limit, told: Told) -> int:
    """What a new window begins with at least: another number than the declared one is RATE-015's matter."""
    return limit.limit if told.reading.limit is None else min(limit.limit, told.reading.limit)


def _may_leave_the_log(limit: Limit, history: History, early: Shot, late: Shot) -> int:
    """Admissions that may turn a window old between two answers."""
    first, last = early.sent - limit.window - limit.grain, late.decided - limit.window + limit.grain
    if not history.fresh and last > history.first_sent - limit.window - limit.grain:
        return limit.limit  # what was admitted before we looked may leave now
    return sum(shot.decided >= first and shot.sent <= last for shot in history.admitted)


def _may_drip(limit: Limit, early: Shot, late: Shot) -> int:
    """Whole tokens by which a bucket may have been refilled; a part of one may have been there before."""
    return math.floor((late.decided - early.sent) * limit.limit / limit.window) + 1


def _too_early(limit: Limit, history: History, told: Told, after: Shot, boundary: Boundary) -> bool:
    """Whether nothing can have come back; what a reset says beside it is RATE-014's matter."""
    return _back(limit, history, told, Told(after, told.reading, told.after), boundary) == (0, False)


def _two(history: History, early: Told, late: Told) -> str:
    return (
        f"remaining {early.reading.remaining} at {history.at(early.shot.decided)}, "
        f"{late.reading.remaining} at {history.at(late.shot.decided)}"
    )
