"""Limiters to judge the judges with: right ones, and the same ones told a wrong number."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from hypothesis import settings

from gateproof.limits.history import History, Shot

Hit = Callable[[float], bool]

# HYPOTHESIS_PROFILE=thorough looks twenty times as long as every run does
settings.register_profile("thorough", max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
patient = settings(deadline=None)  # these run beside others on a busy machine, and speed is not the claim
brief = settings(patient, max_examples=patient.max_examples // 4)  # where one example takes long


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


@dataclass
class Extending(FromFirstHit):
    """Every refused request begins the window anew: who hammers is never let in again."""

    def __call__(self, now: float) -> bool:
        admitted = super().__call__(now)
        if not admitted:
            self.start = now
        return admitted


@dataclass
class CountingRefusals(Sliding):
    """A log of all requests, refused ones too."""

    def __call__(self, now: float) -> bool:
        admitted = super().__call__(now)
        if not admitted:
            self.log.append(now)
        return admitted


@dataclass
class PerConnection:
    """A counter for each connection, of which requests take turns."""

    limit: int
    window: float
    connections: int = 2
    turn: int = 0
    counters: dict[int, FromFirstHit] = field(default_factory=dict)

    def __call__(self, now: float) -> bool:
        self.turn += 1
        number = self.turn % self.connections
        return self.counters.setdefault(number, FromFirstHit(self.limit, self.window))(now)


@dataclass
class Several:
    """Several limits: a request is admitted by all or costs nothing anywhere. Each part must only look when told."""

    parts: Sequence[FromFirstHit]

    def __call__(self, now: float) -> bool:
        open_ = [not now >= part.start + part.window for part in self.parts]  # of a lifetime the sum is no number
        if any(is_open and part.used >= part.limit for is_open, part in zip(open_, self.parts, strict=True)):
            return False
        for part in self.parts:
            part(now)
        return True


@dataclass(frozen=True)
class Run:
    """One request to a limiter of parallel requests, in seconds: when it is sent, how long it works, its abort."""

    sent: float
    work: float
    there: float = 0.001
    back: float = 0.001
    abort: float | None = None
    """After the head has come."""


@dataclass
class Slots:
    """So many at once; ``leak``: an aborted request keeps its slot; ``notice``: until an abort is noticed."""

    limit: int
    leak: bool = False
    notice: float = 0.0
    running: list[float] = field(default_factory=list)

    def play(self, runs: Iterable[Run]) -> History:
        """The head comes at once, the last byte when the work is done."""
        shots = []
        for run in sorted(runs, key=lambda run: run.sent + run.there):
            arrived = run.sent + run.there
            head = arrived + run.back
            self.running = [end for end in self.running if end > arrived]
            if len(self.running) >= self.limit:
                shots.append(Shot(run.sent, head, head, 429))
                continue
            ended = arrived + run.work + run.back
            freed = arrived + run.work
            if run.abort is not None and head + run.abort < ended:
                ended = head + run.abort
                freed = math.inf if self.leak else min(freed, ended + run.there + self.notice)
            self.running.append(freed)
            shots.append(Shot(run.sent, head, ended, 200))
        return History(shots)


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
