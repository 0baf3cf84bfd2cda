"""Every arrival of a run, computed once from one seed; which worker sends which is a matter of the index alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateproof.load.arrivals import Floats, Process, Rate, arrivals

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a run: so long, from one rate to another. What is not ``counted`` warms up or recovers."""

    name: str
    duration: float
    start: float
    end: float
    counted: bool = True

    @property
    def rate(self) -> Rate:
        return Rate(np.array([0.0, self.duration]), np.array([self.start, self.end]))


@dataclass(frozen=True, slots=True)
class Schedule:
    """``times[i]`` is when request ``i`` is due, in seconds from the start; ``phase[i]`` the number of its phase."""

    times: Floats
    phase: Ints
    phases: tuple[Phase, ...]
    seed: int

    def __len__(self) -> int:
        return len(self.times)

    @property
    def duration(self) -> float:
        """Seconds until the last phase ends."""
        return sum(phase.duration for phase in self.phases)

    def shard(self, worker: int, workers: int) -> Ints:
        """The indices that one of ``workers`` sends; all shards together are every index once."""
        if not 0 <= worker < workers:
            raise ValueError(f"worker {worker} of {workers}")
        return np.arange(worker, len(self), workers, dtype=np.int64)

    @property
    def digest(self) -> str:
        """Tells two schedules apart; workers compare theirs with the master's before they begin."""
        content = self.times.tobytes() + self.phase.tobytes() + str(self.seed).encode()
        return hashlib.blake2b(content, digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Rest:
    """What of a schedule is to be sent: all of it, or what an interruption has left.

    That is everything from index ``first`` on but what ``without`` names; ``since`` is how many seconds of the schedule
    are over.
    """

    first: int = 0
    without: tuple[int, ...] = ()
    since: float = 0.0

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Rest:
        """As a worker is told."""
        return cls(int(plain["first"]), tuple(plain["without"]), float(plain["since"]))

    def of(self, indices: Ints) -> Ints:
        """Those of ``indices`` that are still to be sent."""
        return indices[(indices >= self.first) & ~np.isin(indices, self.without)]


WHOLE = Rest()


def open_loop(process: Process, phases: Sequence[Phase], seed: int) -> Schedule:
    """Arrivals that do not wait for answers."""
    if not phases:
        raise ValueError("a schedule needs a phase")
    times = arrivals(process, Rate.joined(*(phase.rate for phase in phases)), seed)
    return Schedule(times, _phase_of(times, phases), tuple(phases), seed)


def replay(times: Floats, phases: Sequence[Phase], seed: int) -> Schedule:
    """Arrivals that were recorded."""
    return Schedule(np.sort(times), _phase_of(np.sort(times), phases), tuple(phases), seed)


def closed_loop(requests: int, phase: Phase, seed: int) -> Schedule:
    """Requests without a time of their own: each begins when a stream has become free."""
    return Schedule(np.zeros(requests), np.zeros(requests, dtype=np.int64), (phase,), seed)


def _phase_of(times: Floats, phases: Sequence[Phase]) -> Ints:
    ends = np.cumsum([phase.duration for phase in phases])
    return np.minimum(np.searchsorted(ends, times, side="right"), len(phases) - 1).astype(np.int64)
