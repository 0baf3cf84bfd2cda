"""How each algorithm keeps a limit, as far as it can be told from outside.

Every instant is an interval (a decision falls between sending and answer, a window's end within its grain), so a model
holds all states that fit what was seen. What it permits is a set: one number where the timing decides, more where it
does not. Refused requests cost nothing in any of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol, Self

from gateproof.limits.batch import Batch, Permitted, Range, clamp
from gateproof.limits.interval import Interval
from gateproof.limits.spans import TICK
from gateproof.limits.terms import Limit

MOST_STATES = 64
"""States of a model that are kept apart; beyond, the oldest doubts are laid together, which only permits more."""


class Model(Protocol):
    """One limit as one algorithm keeps it; immutable."""

    def permits(self, batch: Batch) -> Permitted:
        """How many of a batch may be admitted; how many were is not looked at."""

    def after(self, batch: Batch) -> Self:
        """The model that also knows this outcome, which must be one that is permitted."""

    def settles(self, now: float, lasting: float) -> float:
        """Seconds to wait until a batch of that length is decided by the timing alone; 0 when it is now."""


# --- fixed windows -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Open:
    """One possible state of a fixed limit: the window that is open ends within ``ends``, so much of it is used."""

    ends: Interval
    used: int
    doubt: int = 0
    """Further requests that may have been counted."""

    def room(self, limit: int, asked: int, stray: int) -> Range:
        return clamp(limit - self.used - self.doubt - stray, limit - self.used, asked)


CLOSED = Open(Interval(-math.inf, -math.inf), 0)


@dataclass(frozen=True, slots=True)
class Fixed:
    """Fixed windows: begun by the first hit after the last one, or, with a ``boundary``, aligned to a clock."""

    limit: Limit
    states: tuple[Open, ...] = (CLOSED,)
    boundary: Interval | None = None

    def permits(self, batch: Batch) -> Permitted:
        if self._too_long(batch):
            return frozenset(range(batch.asked + 1))
        return frozenset(
            admitted
            for state in self._current(batch)
            for old in self._shares(state, batch)
            for admitted in _sums(*self._rooms(state, batch, old))
        )

    def after(self, batch: Batch) -> Fixed:
        if self._too_long(batch):
            ends = Interval(batch.start, batch.end + self.limit.window + self.limit.grain)
            return replace(self, states=(Open(ends, 0, self.limit.limit),))
        kept: dict[Open, None] = {}
        for state in self._current(batch):
            for old in self._shares(state, batch):
                kept.update(dict.fromkeys(self._next(state, batch, old)))
        return replace(self, states=_bounded(tuple(kept)))

    def settles(self, now: float, lasting: float) -> float:
        """Past the latest end of a window, and past every boundary, that may fall into the batch."""
        until = now
        for _ in range(len(self.states) + 1):
            for state in self.states:
                if state.ends.low <= until + lasting and until <= state.ends.high:
                    until = state.ends.high + TICK
            if self.boundary is not None:
                steps = round((until + lasting / 2 - self.boundary.middle) / self.limit.window)
                near = self._around(steps)
                if near.low <= until + lasting and until <= near.high:
                    until = near.high + TICK
        return until - now

    def _too_long(self, batch: Batch) -> bool:
        """Whether more than two windows may share it: then it says nothing."""
        slack = self.limit.grain + (self.boundary.slack if self.boundary else 0.0)
        return batch.end - batch.start >= self.limit.window - 2 * slack

    def _current(self, batch: Batch) -> Iterator[Open]:
        """The states as the batch finds them: an aligned window opens by itself once the one before is over."""
        for state in self.states:
            if self.boundary is None or batch.start <= state.ends.high:
                yield state
            else:
                yield from (Open(ends, 0) for ends in self._ends(Interval.exactly(batch.start)))

    def _shares(self, state: Open, batch: Batch) -> range:
        """How many of a batch may have met the window that is open, the others meeting the next one."""
        if batch.end < state.ends.low:
            return range(batch.asked, batch.asked + 1)
        return range(batch.asked + 1 if batch.start <= state.ends.high else 1)

    def _rooms(self, state: Open, batch: Batch, old: int) -> tuple[Range, Range]:
        """What is admitted of ``old`` in the open window, and of the others in the next one."""
        return (
            state.room(self.limit.limit, old, batch.stray),
            clamp(self.limit.limit - batch.stray, self.limit.limit, batch.asked - old),
        )

    def _next(self, state: Open, batch: Batch, old: int) -> Iterator[Open]:
        """The states after ``old`` of the batch met the open window and the others the next one."""
        first, second = self._rooms(state, batch, old)
        met = batch.start <= state.ends.high
        if old == batch.asked:
            if batch.admitted in first:
                yield Open(state.ends, state.used + batch.admitted, state.doubt + (batch.stray if met else 0))
            if not batch.stray or batch.end < state.ends.low:
                return
        for admitted in second:
            if batch.admitted - admitted in first:
                yield from (Open(ends, admitted, batch.stray) for ends in self._ends(_begun(state, batch)))

    def _ends(self, begun: Interval) -> Iterator[Interval]:
        """Where the window may end that was open at an instant, or began with it."""
        if self.boundary is None:
            window, grain = self.limit.window, self.limit.grain
            yield Interval(begun.low + window - grain, begun.high + window + grain)
            return
        slack = self.limit.grain + self.boundary.slack
        first = math.floor((begun.low - slack - self.boundary.middle) / self.limit.window) + 1
        last = math.floor((begun.high + slack - self.boundary.middle) / self.limit.window) + 1
        yield from (self._around(steps) for steps in range(first, last + 1))

    def _around(self, steps: int) -> Interval:
        """One boundary, so many windows from the one that is known."""
        assert self.boundary is not None
        at, slack = self.boundary.middle + steps * self.limit.window, self.limit.grain + self.boundary.slack
        return Interval(at - slack, at + slack)


def _begun(state: Open, batch: Batch) -> Interval:
    """When the window began that follows the open one: with the first of the batch that came after its end."""
    if batch.start > state.ends.high:
        return Interval(batch.start, batch.first)
    return Interval(max(batch.start, state.ends.low), batch.end)


def _sums(first: Range, second: Range) -> Range:
    return Range(first.least + second.least, first.most + second.most)


def _bounded(states: tuple[Open, ...]) -> tuple[Open, ...]:
    if len(states) <= MOST_STATES:
        return states
    by_use: dict[tuple[int, int], Interval] = {}
    for state in states:
        known = by_use.setdefault((state.used, state.doubt), state.ends)
        by_use[state.used, state.doubt] = Interval(min(known.low, state.ends.low), max(known.high, state.ends.high))
    return tuple(Open(ends, used, doubt) for (used, doubt), ends in by_use.items())


# --- sliding windows -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sliding:
    """A log of admissions, each of which leaves it one window later."""

    limit: Limit
    log: tuple[Batch, ...] = ()

    def permits(self, batch: Batch) -> Permitted:
        window, grain = self.limit.window, self.limit.grain
        surely = sum(each.admitted for each in self.log if each.start > batch.end - window + grain)
        at_most = sum(each.admitted + each.stray for each in self.log if each.end >= batch.start - window - grain)
        most = self.limit.limit - surely
        if batch.end - batch.start >= window - grain:
            most = batch.asked  # its own first ones may have left again
        return frozenset(clamp(self.limit.limit - at_most - batch.stray, most, batch.asked))

    def after(self, batch: Batch) -> Sliding:
        since = batch.start - self.limit.window - self.limit.grain
        return replace(self, log=(*(each for each in self.log if each.end >= since), batch))

    def settles(self, now: float, lasting: float) -> float:
        """Until no admission may leave the log while the batch is decided."""
        window, grain = self.limit.window, self.limit.grain
        until = now
        for each in sorted(self.log, key=lambda each: each.start):
            if each.admitted + each.stray and each.start + window - grain <= until + lasting:
                until = max(until, each.end + window + grain + TICK)
        return until - now


# --- buckets -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of ``limit`` tokens, full at first, refilled evenly by ``limit`` per window."""

    limit: Limit
    level: Interval | None = None
    at: float = 0.0

    def permits(self, batch: Batch) -> Permitted:
        before, dripped = self._before(batch), self._dripped(batch)
        least = math.floor(before.low + EPSILON) - batch.stray
        return frozenset(clamp(least, math.floor(before.high + dripped + EPSILON), batch.asked))

    def after(self, batch: Batch) -> Bucket:
        before, dripped = self._before(batch), self._dripped(batch)
        high = min(before.high + dripped - batch.admitted, self.limit.limit)
        if batch.admitted < batch.asked:
            high = min(high, 1 + dripped)  # less than one was left when it refused
        low = before.low - batch.admitted - batch.stray
        return replace(self, level=Interval(max(low, 0.0), max(high, 0.0)), at=batch.end)

    def settles(self, now: float, lasting: float) -> float:
        """Until the bounds of the level have the same whole part: at the latest when the bucket is full again."""
        if self.level is None:
            return 0.0
        step, until = self.limit.window / self.limit.limit / STEPS, now
        while until < now + self.limit.window + self.limit.grain + step:
            probe = Batch(until, until + lasting, until + lasting, self.limit.limit, 0)
            if len(self.permits(probe)) == 1:
                return until - now
            until += step
        return until - now

    def _before(self, batch: Batch) -> Interval:
        """The level when the batch begins."""
        full = float(self.limit.limit)
        if self.level is None:
            return Interval.exactly(full)
        idle = max(batch.start - self.at, 0.0)
        return Interval(
            min(self.level.low + idle * self._rate(1), full),
            min(self.level.high + (idle + TICK) * self._rate(-1), full),
        )

    def _dripped(self, batch: Batch) -> float:
        """Tokens that may come while the batch is decided."""
        return (batch.end - batch.start + TICK) * self._rate(-1)

    def _rate(self, sign: int) -> float:
        """Tokens per second of a clock that runs as slowly (1) or as fast (-1) as a window's grain allows."""
        if self.limit.lifelong:
            return 0.0
        return self.limit.limit / (self.limit.window + sign * self.limit.grain)


STEPS = 8
"""Looks per token at whether a bucket's level is settled."""

EPSILON = 1e-9
"""Tokens; what sums of floats may be short of a whole one."""


# --- nobody knows --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unknown:
    """The weakest that is true of any algorithm.

    At most twice the limit in less than a window (two fixed windows meet), and no refusal unless the limit was
    admitted within the last two (approximate sliding windows weigh the one before).
    """

    limit: Limit
    log: tuple[Batch, ...] = ()

    def permits(self, batch: Batch) -> Permitted:
        window, grain = self.limit.window, self.limit.grain
        surely = sum(each.admitted for each in self.log if each.start > batch.end - window + grain)
        at_most = sum(each.admitted + each.stray for each in self.log if each.end >= batch.start - 2 * (window + grain))
        short = batch.end - batch.start < window - grain
        most = 2 * self.limit.limit - surely if short else batch.asked
        return frozenset(clamp(self.limit.limit - at_most - batch.stray, most, batch.asked))

    def after(self, batch: Batch) -> Unknown:
        since = batch.start - 2 * (self.limit.window + self.limit.grain)
        return replace(self, log=(*(each for each in self.log if each.end >= since), batch))

    def settles(self, now: float, lasting: float) -> float:  # noqa: ARG002 - as every model
        """Nothing but two quiet windows would settle what nobody knows, and nobody waits that long."""
        return 0.0


def model_of(limit: Limit, *, boundary: Interval | None = None) -> Model:
    """The model of a declared limit on a tenant that nobody used yet; ``boundary`` serves aligned windows."""
    if limit.lifelong or limit.starts_at_first_hit:
        return Fixed(limit)
    if limit.algorithm == "fixed" and limit.aligned and boundary is not None:
        return Fixed(limit, boundary=boundary)
    if limit.algorithm == "sliding":
        return Sliding(limit)
    if limit.algorithm == "bucket":
        return Bucket(limit)
    return Unknown(limit)
