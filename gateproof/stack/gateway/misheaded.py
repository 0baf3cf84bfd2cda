"""What faults write into limit headers, each in one of the three notations only."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from gateproof.stack.faults import worn

if TYPE_CHECKING:
    from gateproof.stack.gateway.limits import Counter

STALE = 5  # more than the limit is now


def limit(counter: Counter) -> int:
    """Of draft 03."""
    return counter.limit.limit + (STALE if worn("advertised_limit_is_stale") else 0)


def remaining(counter: Counter, now: float) -> int:
    """Of draft 03."""
    if worn("remaining_falls_by_two"):
        return counter.limit.limit - 2 * counter.used(now)
    left = counter.remaining(now)
    return left + 1 if worn("remaining_is_told_before_the_request") else left


def reset(counter: Counter, now: float) -> int:
    """Of draft 03."""
    if worn("reset_is_the_whole_window"):
        return math.ceil(counter.limit.window)
    seconds = math.ceil(counter.reset(now))
    return math.ceil(time.time()) + seconds if worn("reset_is_an_instant") else seconds


def duration(text: str, seconds: float) -> str:
    """Of OpenAI's notation."""
    return f"{seconds:.3f}" if worn("openai_reset_is_a_number") else text


def name(unit: str) -> str:
    """Of draft 10: a String of RFC 9651."""
    return unit if worn("ratelimit_name_unquoted") else f'"{unit}"'
