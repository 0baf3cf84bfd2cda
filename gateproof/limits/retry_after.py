"""Retry-After: is it well formed, and is it true? (RFC 9110 §10.2.3)"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from gateproof.limits.clock import server_time
from gateproof.limits.finding import Finding
from gateproof.limits.history import History, Shot
from gateproof.limits.httpdate import parse_http_date
from gateproof.limits.interval import Interval

AFTER_MARGIN = 1.0
"""s; RATE-007 asks at Retry-After + 1 s, which forgives rounding to whole seconds."""

ROUNDING = 1.0
"""s; an honest limiter rounds the rest of a window up to whole seconds, so the last second is not held against it."""

_DELAY = re.compile(r"[0-9]+")


def parse_retry_after(value: str, now: float) -> float | None:
    """Seconds to wait from ``now`` (epoch seconds, needed for a date); None when it is neither form."""
    value = value.strip(" \t")
    if _DELAY.fullmatch(value):
        return float(value)
    date = parse_http_date(value)
    return None if date is None else max(date - now, 0.0)


@dataclass(frozen=True, slots=True)
class Promise:
    """What one Retry-After says: ``wait`` seconds from the answer on, and the ``date`` where it is one."""

    text: str
    wait: Interval
    date: float | None = None


def promise_of(headers: Mapping[str, str], now: Interval | None = None) -> Promise | None:
    """None when absent, malformed, or a date without a clock to measure it by.

    A date is of the server's clock and is measured by it: by the answer's own Date header, else by ``now``, what is
    known of that clock from other answers (``Clock.server``). Our own clock may be minutes off and says nothing.
    """
    text = headers.get("retry-after")
    if text is None:
        return None
    if _DELAY.fullmatch(text.strip(" \t")):
        return Promise(text, Interval.exactly(float(text)))
    date, clock = parse_http_date(text.strip(" \t")), server_time(headers) or now
    if date is None or clock is None:
        return None
    return Promise(text, Interval(max(date - clock.high, 0.0), max(date - clock.low, 0.0)), date)


def retry_after_well_formed(headers: Mapping[str, str], window: float, *, now: Interval | None = None) -> Finding:
    """A non-negative integer or an HTTP-date, and not surely later than the window can last."""
    most = window if math.isinf(window) else math.ceil(window)
    expected = "Retry-After as a non-negative integer or an HTTP-date" + (
        "" if math.isinf(window) else f", at most {most} s ahead"
    )
    value = headers.get("retry-after")
    if value is None:
        return Finding.undecided(expected, "the answer has no Retry-After")
    promise = promise_of(headers, now)
    if promise is None:
        if parse_http_date(value.strip(" \t")) is not None:
            return Finding.undecided(expected, f"Retry-After: {value}, and no Date to measure it against")
        return Finding.no(expected, f"Retry-After: {value}")
    ahead = "" if promise.date is None else f" ({promise.wait.low:.0f} to {promise.wait.high:.0f} s ahead)"
    return Finding(promise.wait.low <= most, expected, f"Retry-After: {value}{ahead}")


def truthful_after(refusal: Shot, retry: Shot, *, now: Interval | None = None) -> Finding:
    """A request that waited Retry-After and a second longer is admitted."""
    promise = promise_of(refusal.headers, now)
    if promise is None or not refusal.refused:
        return _nothing_to_hold("admitted after Retry-After", refusal)
    wait = promise.wait.high
    expected = f"admitted {wait + AFTER_MARGIN:.0f} s after a 429 with Retry-After: {promise.text}"
    waited = retry.sent - refusal.decided
    if waited < wait + AFTER_MARGIN:
        return Finding.undecided(expected, f"asked again after {waited:.3f} s, too early")
    if retry.other:
        return Finding.undecided(expected, f"{retry.outcome} after {waited:.3f} s: neither admitted nor refused")
    return Finding(retry.admitted, expected, f"{retry.outcome} after {waited:.3f} s")


def truthful_before(refusal: Shot, retry: Shot, *, now: Interval | None = None) -> Finding:
    """A request well before Retry-After is over is still refused."""
    promise = promise_of(refusal.headers, now)
    if promise is None or not refusal.refused:
        return _nothing_to_hold("still 429 before Retry-After is over", refusal)
    expected = f"still 429 well before Retry-After: {promise.text} is over"
    waited = retry.decided - refusal.sent
    if waited >= promise.wait.low - ROUNDING:
        return Finding.undecided(expected, f"answered {waited:.3f} s later, too late to tell from rounding")
    if retry.other:
        return Finding.undecided(expected, f"{retry.outcome} after {waited:.3f} s: neither admitted nor refused")
    return Finding(retry.refused, expected, f"{retry.outcome} after {waited:.3f} s")


def retry_after_counts_down(history: History, *, now: Interval | None = None) -> Finding:
    """Refusals of one window name one and the same end of it, give or take a second of rounding."""
    expected = "Retry-After falls with the clock from one 429 to the next, give or take 1 s"
    told = [(shot, promise) for shot in history.refused if (promise := promise_of(shot.headers, now)) is not None]
    if len(told) < 2:
        return Finding.undecided(expected, f"{len(told)} refusals with a Retry-After")
    for (earlier, before), (later, after) in pairwise(told):
        if _rises(before, after):
            return Finding.no(
                expected,
                f"{before.text} at {history.at(earlier.decided)}, then {after.text} at {history.at(later.decided)}",
            )
    (first, before), (last, after) = told[0], told[-1]
    elapsed = last.sent - first.decided
    seen = f"{before.text} at {history.at(first.decided)}, {after.text} at {history.at(last.decided)}"
    if _later(before, after, elapsed) > ROUNDING:
        return Finding.no(expected, seen)
    if elapsed <= ROUNDING:
        return Finding.undecided(expected, f"{seen}: too close together to see it fall")
    return Finding.yes(expected, seen)


def _rises(before: Promise, after: Promise) -> bool:
    """A wait that grew; of two dates a later one, more than rounding makes of it."""
    if before.date is not None and after.date is not None:
        return after.date > before.date + ROUNDING
    return after.wait.low > before.wait.high


def _later(before: Promise, after: Promise, elapsed: float) -> float:
    """Seconds, at least, by which the end that was named last lies after the one named first."""
    if before.date is not None and after.date is not None:
        return after.date - before.date
    return after.wait.low + elapsed - before.wait.high


def _nothing_to_hold(expected: str, refusal: Shot) -> Finding:
    value = refusal.headers.get("retry-after", "no Retry-After")
    return Finding.undecided(expected, f"{refusal.outcome} with {value}: no promise to hold it to")
