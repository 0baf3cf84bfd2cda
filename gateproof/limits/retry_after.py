"""Retry-After: is it well formed, and is it true? (RFC 9110 §10.2.3)"""

from __future__ import annotations

import calendar
import datetime as dt
import math
import re
from collections.abc import Mapping
from itertools import pairwise

from gateproof.limits.finding import Finding
from gateproof.limits.history import History, Shot

AFTER_MARGIN = 1.0
"""s; RATE-007 asks at Retry-After + 1 s, which forgives rounding to whole seconds."""

ROUNDING = 1.0
"""s; an honest limiter rounds the rest of a window up to whole seconds, so the last second is not held against it."""

_DELAY = re.compile(r"[0-9]+")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_IMF_DATE = re.compile(
    rf"({'|'.join(_DAYS)}), (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT",
    re.ASCII,
)


def parse_retry_after(value: str, now: float) -> float | None:
    """Seconds to wait from ``now`` (epoch seconds, needed for a date); None when it is neither form."""
    value = value.strip(" \t")
    if _DELAY.fullmatch(value):
        return float(value)
    date = parse_http_date(value)
    return None if date is None else max(date - now, 0.0)


def parse_http_date(value: str) -> float | None:
    """Epoch seconds of an IMF-fixdate, the one form that a sender may use (RFC 9110 §5.6.7)."""
    match = _IMF_DATE.fullmatch(value)
    if match is None:
        return None
    day_name, day, month, year, hour, minute, second = match.groups()
    try:
        # a leap second is legal in the grammar and unknown to datetime
        moment = dt.datetime(
            int(year),
            _MONTHS.index(month) + 1,
            int(day),
            int(hour),
            int(minute),
            min(int(second), 59),
            tzinfo=dt.UTC,
        )
    except ValueError:
        return None
    if _DAYS[moment.weekday()] != day_name or int(second) > 60:
        return None
    return float(calendar.timegm(moment.utctimetuple())) + max(int(second) - 59, 0)


def retry_after_well_formed(headers: Mapping[str, str], window: float, *, now: float | None = None) -> Finding:
    """A non-negative integer or an HTTP-date, and not later than the window can last.

    A date is measured against the answer's own Date header, or ``now`` (epoch seconds) when it has none.
    """
    expected = f"Retry-After as a non-negative integer or an HTTP-date, at most {math.ceil(window)} s ahead"
    value = headers.get("retry-after")
    if value is None:
        return Finding.undecided(expected, "the answer has no Retry-After")
    wait = _wait(headers, now)
    if wait is None:
        if parse_http_date(value.strip(" \t")) is not None:
            return Finding.undecided(expected, f"Retry-After: {value}, and no Date to measure it against")
        return Finding.no(expected, f"Retry-After: {value}")
    seen = f"Retry-After: {value}" + ("" if _DELAY.fullmatch(value.strip(" \t")) else f" ({wait:.0f} s ahead)")
    return Finding(wait <= math.ceil(window), expected, seen)


def truthful_after(refusal: Shot, retry: Shot, *, now: float | None = None) -> Finding:
    """A request that waited Retry-After and a second longer is admitted."""
    wait = _wait(refusal.headers, now)
    if wait is None or not refusal.refused:
        return _nothing_to_hold("admitted after Retry-After", refusal)
    expected = f"admitted {wait + AFTER_MARGIN:.0f} s after a 429 with Retry-After: {refusal.headers['retry-after']}"
    waited = retry.sent - refusal.decided
    if waited < wait + AFTER_MARGIN:
        return Finding.undecided(expected, f"asked again after {waited:.3f} s, too early")
    if retry.other:
        return Finding.undecided(expected, f"{retry.outcome} after {waited:.3f} s: neither admitted nor refused")
    return Finding(retry.admitted, expected, f"{retry.outcome} after {waited:.3f} s")


def truthful_before(refusal: Shot, retry: Shot, *, now: float | None = None) -> Finding:
    """A request well before Retry-After is over is still refused."""
    wait = _wait(refusal.headers, now)
    if wait is None or not refusal.refused:
        return _nothing_to_hold("still 429 before Retry-After is over", refusal)
    expected = f"still 429 well before Retry-After: {refusal.headers['retry-after']} is over"
    waited = retry.decided - refusal.sent
    if waited >= wait - ROUNDING:
        return Finding.undecided(expected, f"answered {waited:.3f} s later, too late to tell from rounding")
    if retry.other:
        return Finding.undecided(expected, f"{retry.outcome} after {waited:.3f} s: neither admitted nor refused")
    return Finding(retry.refused, expected, f"{retry.outcome} after {waited:.3f} s")


def retry_after_counts_down(history: History, *, now: float | None = None) -> Finding:
    """Refusals of one window name one and the same end of it, give or take a second of rounding."""
    expected = "Retry-After falls with the clock from one 429 to the next, give or take 1 s"
    waits = [(shot, wait) for shot in history.refused if (wait := _wait(shot.headers, now)) is not None]
    if len(waits) < 2:
        return Finding.undecided(expected, f"{len(waits)} refusals with a Retry-After")
    (first, before), (last, after) = waits[0], waits[-1]
    for (earlier, early_wait), (later, late_wait) in pairwise(waits):
        if late_wait > early_wait:
            return Finding.no(
                expected,
                f"{early_wait:.0f} s at {history.at(earlier.decided)}, then {late_wait:.0f} s at "
                f"{history.at(later.decided)}",
            )
    elapsed = last.sent - first.decided
    seen = f"{before:.0f} s at {history.at(first.decided)}, {after:.0f} s at {history.at(last.decided)}"
    if after > before - elapsed + ROUNDING:
        return Finding.no(expected, seen)
    if elapsed <= ROUNDING:
        return Finding.undecided(expected, f"{seen}: too close together to see it fall")
    return Finding.yes(expected, seen)


def _wait(headers: Mapping[str, str], now: float | None) -> float | None:
    """Seconds to wait as of the answer itself; None when absent, malformed, or a date without a clock."""
    value = headers.get("retry-after")
    if value is None:
        return None
    clock = parse_http_date(headers.get("date", ""))
    if clock is None:
        clock = now
    if clock is None and not _DELAY.fullmatch(value.strip(" \t")):
        return None
    return parse_retry_after(value, clock or 0.0)


def _nothing_to_hold(expected: str, refusal: Shot) -> Finding:
    value = refusal.headers.get("retry-after", "no Retry-After")
    return Finding.undecided(expected, f"{refusal.outcome} with {value}: no promise to hold it to")
