"""What this engine saw: every request by its nonce, and the counters."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from gateproof.stack.engine.stored import Stored
from gateproof.stack.engine.timings import Timed, Timings

KEPT = 5000  # requests; more than any run sends between two looks
RAW_LIMIT = 64 * 1024  # bytes of a body that is kept as text

_numbers = itertools.count(1)


@dataclass(slots=True)
class Seen:
    engine: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any = None
    raw: str = ""
    nonce: str = ""
    started: float = field(default_factory=time.time)
    ended: float | None = None
    outcome: str = "running"
    events: int = 0
    usage: dict[str, int] = field(default_factory=dict)
    number: int = field(default_factory=_numbers.__next__)
    timed: Timed | None = field(default_factory=lambda: Timed(time.monotonic()))
    """None for what was answered with an error."""


class Ledger:
    """One engine's memory; the oldest requests are forgotten first."""

    def __init__(self, name: str, models: Collection[str] = ()) -> None:
        self.name = name
        self.models = frozenset(models)
        """The only models that exist here; none: every name will do."""
        self.stored = Stored()
        self.timings = Timings()
        self.requests = self.running = self.cancelled = 0
        self.tokens_in = self.tokens_out = 0
        self._kept: deque[Seen] = deque(maxlen=KEPT)
        self._free: dict[str, list[float]] = {}

    def begin(self, seen: Seen) -> Seen:
        self._kept.append(seen)
        self.requests += 1
        self.running += 1
        return seen

    def end(self, seen: Seen, outcome: str) -> None:
        if seen.ended is not None:
            return
        seen.ended, seen.outcome = time.time(), outcome
        self.running -= 1
        self.cancelled += outcome == "cancelled"
        if outcome != "complete" and seen.usage:
            # What was planned to be said is in the usage already; only what was said has been generated.
            said, prompt = seen.events, count_of(seen.usage.get("prompt_tokens"))
            seen.usage = {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}
        elif seen.timed is not None and (made := count_of(seen.usage.get("completion_tokens"))):
            self.timings.ended(seen.timed, made, time.monotonic())
        self.tokens_in += count_of(seen.usage.get("prompt_tokens"))
        self.tokens_out += count_of(seen.usage.get("completion_tokens"))

    def turn(self, nonce: str, slots: int, lasts: float) -> float:
        """Seconds until a request is done that needs one of so many slots for so long, first come first served."""
        free, now = self._free.setdefault(nonce, [0.0] * slots), time.monotonic()
        done = max(now, heapq.heappop(free)) + lasts
        heapq.heappush(free, done)
        return done - now

    def by_nonce(self, nonce: str) -> list[dict[str, Any]]:
        return [asdict(seen) for seen in self._kept if seen.nonce == nonce]

    def counters(self) -> dict[str, int]:
        return {
            "requests": self.requests,
            "running": self.running,
            "cancelled": self.cancelled,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
        }


def count_of(value: Any) -> int:
    """A count as it is summed up; an ordered usage may hold anything."""
    return value if isinstance(value, int) else 0
