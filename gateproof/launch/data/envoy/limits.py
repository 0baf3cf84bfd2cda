"""Limitador's counters: fixed windows that begin with a counter's first hit (limitador, storage/in_memory.rs).

Pure: no clock but the given one, no transport. Runs in Envoy's environment, imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` hits within `window` seconds."""

    name: str
    most: int
    window: float


@dataclass(slots=True)
class Counter:
    """The hits of one user on one limit, until `expires` (s of the limiter's clock)."""

    hits: int = 0
    expires: float = 0.0

    def value(self, now: float) -> int:
        return self.hits if now < self.expires else 0

    def add(self, hits: int, window: float, now: float) -> None:
        if now >= self.expires:
            self.hits, self.expires = 0, now + window
        self.hits += hits


@dataclass(frozen=True, slots=True)
class Room:
    """What one limit has left."""

    limit: Limit
    remaining: int
    reset: float
    """s until the window ends; a window that has not begun yet would be a whole one."""


@dataclass(frozen=True, slots=True)
class Answer:
    limited: bool
    rooms: Sequence[Room]


class Limiter:
    """The limits of one kind, by tier; a user in several tiers is held to the limits of all."""

    def __init__(self, tiers: Mapping[str, Sequence[Limit]], clock: Callable[[], float]) -> None:
        self._tiers, self._clock = tiers, clock
        self._counters: dict[tuple[str, str, str], Counter] = {}

    def check_and_update(self, user: str, tiers: Iterable[str], hits: int = 1) -> Answer:
        """All counters or none: what one limit refuses raises no counter of another."""
        now, held = self._clock(), self._held(user, tiers)
        limited = any(counter.value(now) + hits > limit.most for limit, counter in held)
        if not limited:
            for limit, counter in held:
                counter.add(hits, limit.window, now)
        return Answer(limited, [_room(limit, counter, now) for limit, counter in held])

    def is_within(self, user: str, tiers: Iterable[str], hits: int = 1) -> bool:
        """Would so many more hits be admitted; changes nothing, begins no window."""
        now = self._clock()
        return all(counter.value(now) + hits <= limit.most for limit, counter in self._held(user, tiers))

    def update(self, user: str, tiers: Iterable[str], hits: int) -> None:
        """Count what was used, over the limit or not."""
        now = self._clock()
        for limit, counter in self._held(user, tiers):
            counter.add(hits, limit.window, now)

    def _held(self, user: str, tiers: Iterable[str]) -> list[tuple[Limit, Counter]]:
        return [
            (limit, self._counters.setdefault((tier, limit.name, user), Counter()))
            for tier in tiers
            for limit in self._tiers.get(tier, ())
        ]


def _room(limit: Limit, counter: Counter, now: float) -> Room:
    left = counter.expires - now
    return Room(limit, max(0, limit.most - counter.value(now)), left if left > 0 else limit.window)
