"""Clock facts: how far apart we and the target are, how long the way is, and where its windows begin.

Everything is an interval: what is known for certain. All that is derived keeps the uncertainty, so that a clock
which is minutes off, or a Date that is cut to whole seconds, leads to a right answer or to none.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from gateproof.limits.history import History, Shot
from gateproof.limits.httpdate import parse_http_date
from gateproof.limits.interval import Interval
from gateproof.limits.terms import Limit

DATE_STEP = 1.0
"""s; a Date header is cut to whole seconds (RFC 9110 §5.6.7)."""

DATE_CACHE = 1.1
"""s; and may be older by this: servers write it once a second (nginx on a timer, uvicorn each tenth tick of 0.1 s)."""


def server_time(headers: Mapping[str, str]) -> Interval | None:
    """What the server's clock said when it wrote an answer, in epoch seconds; None without a readable Date."""
    date = parse_http_date(headers.get("date", ""))
    return None if date is None else Interval(date, date + DATE_STEP + DATE_CACHE)


@dataclass(frozen=True, slots=True)
class Clock:
    """What is known of a target's clock.

    ``offset`` is its clock less our wall clock, in seconds; None when no answer told, or when answers contradict each
    other (several servers, or a clock that was set). ``wall`` is our own wall clock less our monotonic one.
    """

    wall: float
    offset: Interval | None = None
    rtt_least: float = 0.0
    rtt_median: float = 0.0
    answers: int = 0

    @classmethod
    def of(cls, history: History | Iterable[Shot], *, wall: float) -> Self:
        """From answers; ``wall`` is ``time.time() - time.monotonic()`` as it was when they came."""
        shots = [shot for shot in history if shot.head is not None]
        trips = [shot.decided - shot.sent for shot in shots] or [0.0]
        offsets = [each for shot in shots if (each := _offset(shot, wall)) is not None]
        return cls(wall, _common(offsets), min(trips), statistics.median(trips), len(shots))

    def server(self, instant: float) -> Interval | None:
        """The target's epoch seconds at an instant of our monotonic clock."""
        return None if self.offset is None else self.offset.shifted(instant + self.wall)

    def ours(self, epoch: float) -> Interval | None:
        """Our monotonic instant at which the target's clock says ``epoch``."""
        if self.offset is None:
            return None
        return Interval(epoch - self.wall - self.offset.high, epoch - self.wall - self.offset.low)

    def boundary(self, limit: Limit) -> Interval | None:
        """Where a window begins that is aligned to the target's clock: an instant of ours; None when that is no help.

        Known no better than to a quarter of the window, it would decide nothing.
        """
        if limit.algorithm != "fixed" or not limit.aligned or math.isinf(limit.window):
            return None
        found = self.ours(0.0)
        return found if found is not None and found.slack < limit.window / 4 else None

    def __str__(self) -> str:
        skew = "unknown" if self.offset is None else str(self.offset)
        return f"clock {skew} from ours, round trip {self.rtt_least * 1e3:.1f} ms at least"


def _offset(shot: Shot, wall: float) -> Interval | None:
    """The server wrote its Date between our sending and our receiving."""
    told = server_time(shot.headers)
    return None if told is None else Interval(told.low - shot.decided - wall, told.high - shot.sent - wall)


def _common(intervals: Iterable[Interval]) -> Interval | None:
    common: Interval | None = Interval(-math.inf, math.inf)
    for each in intervals:
        common = None if common is None else common.within(each)
    return common if common is not None and math.isfinite(common.slack) else None


@dataclass(frozen=True, slots=True)
class Phase:
    """Where the windows of a fixed limit begin, from what was seen; ``boundary`` is one such instant of our clock."""

    boundary: Interval | None
    evidence: tuple[str, ...] = field(default=())


def observed_phase(limit: Limit, history: History, resets: Iterable[tuple[Shot, float, float]] = ()) -> Phase:
    """From refusals that turned into admissions, and from ends of windows that answers named.

    ``resets`` holds (answer, least, most seconds from it to the end). All evidence is folded into one window and must
    agree; where it does not (the windows do not lie on one grid), nothing is known.
    """
    seen = [Interval(shot.sent + least, shot.decided + most) for shot, least, most in resets]
    seen += _turns(history)
    if not seen or math.isinf(limit.window):
        return Phase(None)
    anchor = min(seen, key=lambda each: each.slack)
    common: Interval | None = anchor
    for each in seen:
        steps = round((each.middle - anchor.middle) / limit.window)
        folded = each.shifted(-steps * limit.window)
        common = (
            None if common is None else common.within(Interval(folded.low - limit.grain, folded.high + limit.grain))
        )
    evidence = tuple(f"a window begins {history.between(each.low, each.high)}" for each in seen)
    return Phase(common if common is not None and common.slack < limit.window / 4 else None, evidence)


def _turns(history: History) -> list[Interval]:
    """Between a refusal and the admission after it a fixed window began; only for requests one after another."""
    if not history.sequential:
        return []
    pairs = zip(history.shots, history.shots[1:], strict=False)
    return [Interval(before.sent, after.decided) for before, after in pairs if before.refused and after.admitted]
