"""Limiters to judge the judges with: right ones, and the same ones told a wrong number."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from hypothesis import settings

from gateproof.limits.history import History, Shot

Hit = Callable[[float], bool]

patient = settings(deadline=None)  # these run beside others on a busy machine, and speed is not the claim


@dataclass
class FromFirstHit:
    """Fixed windows, each begun by the first hit after the last (Limitador, LiteLLM)."""

    limit: int
    window: float
    start: float = -math.inf
    used: int = 0

    def __call__(self, now: float) -> bool:
        if now >= self.start + self.window:
            self.start, self.used = now, 0
        self.used += 1
        return self.used <= self.limit


@dataclass
class Aligned:
    """Fixed windows on the limiter's own clock (Portkey, Envoy's rate limit service)."""

    limit: int
    window: float
    phase: float = 0.0
    used: dict[int, int] = field(default_factory=dict)

    def __call__(self, now: float) -> bool:
        number = math.floor((now - self.phase) / self.window)
        self.used[number] = self.used.get(number, 0) + 1
        return self.used[number] <= self.limit


@dataclass
class Sliding:
    """A log of admissions; refused requests leave no trace."""

    limit: int
    window: float
    log: list[float] = field(default_factory=list)

    def __call__(self, now: float) -> bool:
        self.log = [then for then in self.log if now - then < self.window]
        if len(self.log) >= self.limit:
            return False
        self.log.append(now)
        return True


@dataclass
class Bucket:
    """A full bucket at first, refilled evenly."""

    limit: int
    window: float
    level: float | None = None
    last: float = 0.0

    def __call__(self, now: float) -> bool:
        level = self.limit if self.level is None else self.level
        self.level = min(self.limit, level + (now - self.last) * self.limit / self.window)
        self.last = now
        if self.level < 1:
            return False
        self.level -= 1
        return True


def play(hit: Hit, sends: Sequence[tuple[float, float, float]], *, fresh: bool = True) -> History:
    """Requests as (sent, time to the limiter, time back); the limiter meets them in the order of arrival."""
    arrivals = sorted((sent + there, sent, sent + there + back) for sent, there, back in sends)
    return History(
        (Shot(sent, head, head, 200 if hit(arrival) else 429, tokens=10) for arrival, sent, head in arrivals),
        fresh=fresh,
    )


def one_by_one(hit: Hit, count: int, *, start: float = 0.0, latency: Iterable[float] = ()) -> History:
    """Each is sent when the one before has been answered."""
    now, shots, latencies = start, [], iter(latency)
    for _ in range(count):
        taken = next(latencies, 0.002)
        shots.append(Shot(now, now + taken, now + taken, 200 if hit(now + taken / 2) else 429))
        now += taken
    return History(shots)
