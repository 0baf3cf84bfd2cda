"""Exact counting in windows. One process and no await between check and take: exact under parallelism.

All times are on the loop's monotonic clock, except that aligned windows begin at multiples of their
length on the wall clock, as Limitador's and Envoy's do.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from gateproof.stack import config
from gateproof.stack.faults import worn
from gateproof.stack.gateway import miscount
from gateproof.stack.gateway.budget import Purse
from gateproof.stack.gateway.errors import Limited, Refusal

ALL_KINDS = ("requests", "tokens")
PARALLEL_RETRY_AFTER = 1  # s; nobody can know when a running request ends, one second is the least that can be said


@dataclass(slots=True)
class Entry:
    """Something charged: when, how much, and in which window."""

    at: float
    amount: int
    window: float = 0.0


class FixedWindow:
    """Counts from the first hit, or in aligned windows; all is forgotten at the end of the window."""

    def __init__(self, length: float, *, aligned: bool) -> None:
        self._length, self._aligned = length, aligned
        self._start = 0.0
        self._end = -math.inf
        self._used = 0

    def used(self, now: float) -> int:
        return self._used if now < self._end else 0

    def add(self, now: float, amount: int) -> Entry:
        if now >= self._end:
            self._start, self._used = self._window_start(now), miscount.carried(self._used)
            self._end = self._start + self._length
        self._used += amount
        return Entry(now, amount, self._start)

    def settle(self, entry: Entry, now: float, amount: int) -> None:
        """Correct an entry; what was held in a window that has ended has ended with it."""
        if entry.window == self._start and now < self._end:
            self._used += amount - entry.amount
            entry.amount = amount

    def refused(self, now: float) -> None:
        """A refusal leaves the window as it is; a fault begins it anew."""
        if now < self._end and worn("refusals_extend_the_window"):
            self._start, self._end = now, now + self._length

    def free_in(self, now: float, _needed: int) -> float:
        """Seconds until there is room again: the end of the window; infinite for a cap that holds for a lifetime."""
        start = self._start if now < self._end else self._window_start(now)
        return max(0.0, start + self._length - now)

    def _window_start(self, now: float) -> float:
        return now - time.time() % self._length if self._aligned else now


class SlidingWindow:
    """A log: at any instant, what was charged in the last window length."""

    def __init__(self, length: float) -> None:
        self._length = length
        self._log: deque[Entry] = deque()
        self._used = 0

    def used(self, now: float) -> int:
        while self._log and self._log[0].at + self._length <= now:
            self._used -= self._log.popleft().amount
        return self._used

    def add(self, now: float, amount: int) -> Entry:
        entry = Entry(now, amount)
        self._log.append(entry)
        self._used += amount
        return entry

    def settle(self, entry: Entry, now: float, amount: int) -> None:
        if entry.at + self._length > now:
            self._used += amount - entry.amount
            entry.amount = amount

    def refused(self, now: float) -> None:
        """A refusal is not in the log; a fault writes it there, as logs in sorted sets do that are asked afterwards."""
        if worn("refusals_extend_the_window"):
            self.add(now, 1)

    def free_in(self, now: float, needed: int) -> float:
        """Seconds until `needed` units have left the log."""
        self.used(now)
        for entry in self._log:
            needed -= entry.amount
            if needed <= 0:
                return max(0.0, entry.at + self._length - now)
        return max(0.0, self._log[-1].at + self._length - now) if self._log else self._length


class Counter:
    """One limit and its window."""

    def __init__(self, limit: config.Limit) -> None:
        self.limit = limit
        sliding = limit.algorithm == "sliding"
        self.window = SlidingWindow(limit.window) if sliding else FixedWindow(limit.window, aligned=limit.aligned)

    def used(self, now: float) -> int:
        return self.window.used(now)

    def remaining(self, now: float) -> int:
        return max(0, self.limit.limit - self.used(now))

    def admits(self, now: float, amount: int) -> bool:
        return self.used(now) + amount <= self.limit.limit

    def reset(self, now: float) -> float:
        """Seconds until there is more room than now."""
        return self.window.free_in(now, 1)

    def retry_after(self, now: float, amount: int) -> float:
        """Whole seconds after which `amount` is admitted; never 0, which would ask for a hot loop. Infinite: never."""
        excess = self.used(now) + amount - self.limit.limit
        wait = self.window.free_in(now, excess)
        return wait if math.isinf(wait) else max(1, math.ceil(wait))


@dataclass(slots=True)
class Admission:
    """What one admitted request holds: a parallel slot and token charges that are settled at its end."""

    meter: Meter
    tokens: list[tuple[Counter, Entry | None]]
    open: bool = True
    booked: bool = False

    def charge(self, tokens: int) -> None:
        """Settle the token budgets with what was really used. Only the first call counts."""
        now = time.monotonic()
        self.meter.last_charge = tokens or self.meter.last_charge
        for counter, entry in self.tokens:
            if entry is not None:
                counter.window.settle(entry, now, tokens)
            elif tokens:
                counter.window.add(now, tokens)
        self.tokens = []

    def book(self, cost: float) -> None:
        """Take what it cost from the budget. Only the first call counts."""
        purse = self.meter.purse
        if purse is None or self.booked:
            return
        self.booked = True
        purse.book(time.monotonic(), miscount.booked(cost, self.meter.running))

    def release(self) -> None:
        """The end of the request, whatever it was: nothing stays reserved, the slot is free."""
        self.charge(0)
        if self.open:
            self.open = False
            self.meter.running -= 1


class Meter:
    """All limits of one tenant."""

    def __init__(self, rights: config.Tenant) -> None:
        self.rights = rights
        self.running = 0
        self.last_charge = 0
        self.hot, self.refused_at = 0, -math.inf
        self.purse = None if rights.budget is None else Purse(rights.budget)
        self._counters: dict[tuple[str, int, str], Counter] = {}

    def change(self, rights: config.Tenant) -> None:
        """Other limits from now on; what is used stays used where the window is the same."""
        old, self.rights, self._counters = self._counters, rights, {}
        if rights.budget is None or self.purse is None:
            self.purse = None if rights.budget is None else Purse(rights.budget)
        else:
            self.purse.budget = rights.budget
        for key, counter in old.items():
            limits = rights.requests if key[0] == "requests" else rights.tokens
            if key[1] < len(limits) and _same_window(limits[key[1]], counter.limit):
                counter.limit = limits[key[1]]
                self._counters[key] = counter

    @property
    def untouched(self) -> bool:
        """Nobody has asked yet."""
        return not self._counters

    def requests(self, model: str) -> list[Counter]:
        return self._of("requests", self.rights.requests, model)

    def tokens(self, model: str) -> list[Counter]:
        return self._of("tokens", self.rights.tokens, model)

    def _of(self, kind: str, limits: tuple[config.Limit, ...], model: str) -> list[Counter]:
        return [
            self._counter((kind, index, model if limit.per_model and not miscount.pooled() else ""), limit)
            for index, limit in enumerate(limits)
        ]

    def _counter(self, key: tuple[str, int, str], limit: config.Limit) -> Counter:
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = Counter(limit)
        return counter

    def admit(self, model: str, estimate: int, kinds: Collection[str] = ALL_KINDS) -> Admission:
        """Check every limit of these kinds, then take from all: a refused request consumes nothing anywhere."""
        now = time.monotonic()
        requests = self.requests(model) if "requests" in kinds else []
        tokens = self.tokens(model) if "tokens" in kinds else []
        self.check_requests(requests, now)
        self.check_tokens(tokens, now, estimate)
        self.check_parallel()
        if self.purse is not None and not miscount.unlimited(self.purse, now):
            self.purse.check(now)
        for counter in requests:
            counter.window.add(now, miscount.weight(self.running))
        self.running += 1
        return Admission(self, [(counter, self._hold(counter, now, estimate)) for counter in tokens])

    def count_refused(self, model: str) -> None:
        """Raise the request counters although nothing was admitted, as limiters do that count before they look."""
        now = time.monotonic()
        for counter in self.requests(model):
            counter.window.add(now, 1)

    def check_requests(self, counters: list[Counter], now: float) -> None:
        if len(counters) > 1 and worn("later_limits_are_forgotten"):
            counters = counters[:1]
        refusing = [counter for counter in counters if not miscount.admits(counter, now, self.running)]
        if refusing:
            miscount.hold_up(self, now)
            last = max(refusing, key=lambda counter: counter.retry_after(now, 1))
            refusal = rate_limited("Rate limit reached for requests.", miscount.wait(last, now))
            for counter in refusing:
                counter.window.refused(now)
            raise by(last, "requests", refusal, now)

    def check_tokens(self, counters: list[Counter], now: float, estimate: int) -> None:
        """`after`: some budget is left. `reserve`: the whole estimate still fits."""
        refusing = [
            (counter, needed)
            for counter in counters
            if not counter.admits(now, (needed := asked(counter, estimate)) - miscount.unseen(self.last_charge))
        ]
        if refusing:
            last, needed = max(refusing, key=lambda each: each[0].retry_after(now, each[1]))
            raise by(last, "tokens", quota_exceeded(last.retry_after(now, needed)), now)

    def check_parallel(self) -> None:
        if self.rights.parallel is not None and miscount.full(self.running, self.rights.parallel):
            if self.rights.requests and worn("crowded_out_is_counted"):
                self.count_refused("")
            refusal = rate_limited("Too many requests of this tenant are running at once.", PARALLEL_RETRY_AFTER)
            refusal.limited = Limited("parallel", self.rights.parallel, 0, 0.0, PARALLEL_RETRY_AFTER)
            raise refusal

    def _hold(self, counter: Counter, now: float, estimate: int) -> Entry | None:
        return counter.window.add(now, estimate) if counter.limit.mode == "reserve" else None


def asked(counter: Counter, estimate: int) -> int:
    """How many tokens a request must find free: one, or what it may use at most."""
    return estimate if counter.limit.mode == "reserve" or miscount.reserved(estimate) else 1


def _same_window(a: config.Limit, b: config.Limit) -> bool:
    return (a.window, a.algorithm, a.aligned, a.per_model) == (b.window, b.algorithm, b.aligned, b.per_model)


def by(counter: Counter, unit: Literal["requests", "tokens"], refusal: Refusal, now: float) -> Refusal:
    """The refusal with the limit that said it."""
    left, limit = counter.remaining(now), counter.limit
    refusal.limited = Limited(unit, limit.limit, left, limit.window, counter.reset(now))
    return refusal


def rate_limited(message: str, retry_after: float) -> Refusal:
    for_ever = math.isinf(retry_after)
    return Refusal(
        429,
        f"{message} It is not restored." if for_ever else f"{message} Please try again in {retry_after} s.",
        code="rate_limit_exceeded",
        kind="rate_limit_error",
        headers=miscount.refusal_headers(
            retry_headers(None if for_ever else miscount.retry_after(int(retry_after))),
        ),
    )


def quota_exceeded(retry_after: float) -> Refusal:
    for_ever = math.isinf(retry_after)
    when = "It is not restored." if for_ever else f"It is restored in {retry_after} s."
    if miscount.miscalled():
        return rate_limited("Rate limit reached for tokens.", retry_after)
    return Refusal(
        429,
        f"You exceeded your current token quota. {when}",
        code="insufficient_quota",
        kind="insufficient_quota",
        headers=retry_headers(None if for_ever else b"%d" % int(retry_after)),
    )


def retry_headers(retry_after: bytes | None) -> list[tuple[bytes, bytes]]:
    """RFC 6585 §4 forbids caches to store a 429."""
    told = [] if retry_after is None else [(b"retry-after", retry_after)]
    return [*told, (b"cache-control", b"no-store")]
