"""Stretches of time that surely hold so many admissions, and stretches that surely lie in one window.

An admission is known only to lie between ``sent`` and ``decided``. All that is said here holds for every placement.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateproof.limits.history import History, Shot
from gateproof.limits.interval import Interval

TICK = 0.001
"""s; the resolution in which limiters that refill continuously keep their level (Redis and Envoy count in ms)."""


@dataclass(frozen=True, slots=True)
class Span:
    """``count`` admissions that surely lie between ``start`` and ``end``."""

    start: float
    end: float
    count: int

    @property
    def length(self) -> float:
        return self.end - self.start


def fullest(shots: Sequence[Shot], within: float) -> Span | None:
    """Of the spans shorter than ``within``, one that holds most; the shortest of these."""
    best: Span | None = None
    ends: list[float] = []
    for shot in sorted(shots, key=lambda shot: shot.sent, reverse=True):
        insort(ends, shot.decided)
        count = bisect_left(ends, shot.sent + within)
        if count == 0:
            continue
        span = Span(shot.sent, ends[count - 1], count)
        if best is None or (span.count, -span.length) > (best.count, -best.length):
            best = span
    return best


def held(shots: Sequence[Shot], start: float, end: float) -> Span:
    """What surely lies between two instants, shown as tightly as possible."""
    inside = [shot for shot in shots if shot.sent >= start and shot.decided < end]
    if not inside:
        return Span(start, start, 0)
    return Span(min(shot.sent for shot in inside), max(shot.decided for shot in inside), len(inside))


def windows_from_first_hit(spell: History, window: float, grain: float) -> Iterator[tuple[float, float]]:
    """Stretches that surely lie in one window of a limiter whose windows begin with the first hit after the last.

    Only for a fresh spell. Each next window is known less sharply than the one before, because it begins with a hit.
    """
    begin_low, begin_high = spell.first_sent, min((shot.decided for shot in spell.admitted), default=math.inf)
    sure_from = begin_low
    while begin_high < math.inf:
        yield sure_from, begin_low + window - grain
        end_low, end_high = begin_low + window - grain, begin_high + window + grain
        begin_low = max(end_low, min((shot.sent for shot in spell if shot.decided >= end_low), default=math.inf))
        begin_high = min((shot.decided for shot in spell.admitted if shot.sent >= end_high), default=math.inf)
        sure_from = end_high


def windows_from_boundary(
    history: History, window: float, grain: float, boundary: float | Interval
) -> Iterator[tuple[float, float]]:
    """Stretches that surely lie in one window, when one boundary (and so all of them) is known this well."""
    known = boundary if isinstance(boundary, Interval) else Interval.exactly(boundary)
    start = known.middle + math.floor((history.first_sent - known.middle) / window) * window
    last = max(shot.sent for shot in history)
    while start <= last:
        yield start + grain + known.slack, start + window - grain - known.slack
        start += window


def over_bucket(shots: Sequence[Shot], limit: int, window: float) -> Span | None:
    """The span that holds most more than a full bucket of ``limit``, refilled by ``limit`` per window, can give."""
    worst, span = 0, None
    ends: list[float] = []
    for shot in sorted(shots, key=lambda shot: shot.sent, reverse=True):
        insort(ends, shot.decided)
        for count, end in enumerate(ends, start=1):
            given = limit + limit / window * (end - shot.sent + TICK)
            if count > given and count - math.floor(given) >= worst:
                worst, span = count - math.floor(given), Span(shot.sent, end, count)
    return span
