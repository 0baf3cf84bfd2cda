"""How much is left, in the three notations that clients know."""

from __future__ import annotations

import math
import time

from gateproof.stack.gateway import misheaded
from gateproof.stack.gateway.headers import Pairs
from gateproof.stack.gateway.limits import Counter, Meter


def limit_headers(meter: Meter, model: str) -> Pairs:
    """The state of a tenant's limits now; nothing for a tenant without limits."""
    now = time.monotonic()
    requests, tokens = meter.requests(model), meter.tokens(model)
    if not requests and not tokens:
        return []
    return [
        *draft_03(requests or tokens, now),
        *openai_style(b"requests", requests, now),
        *openai_style(b"tokens", tokens, now),
        *ietf({"requests": requests, "tokens": tokens}, now),
    ]


def tightest(counters: list[Counter], now: float) -> Counter:
    """The limit that will be hit first: least left, and of two equal ones the longer wait."""
    return min(counters, key=lambda counter: (counter.remaining(now), -counter.reset(now)))


def draft_03(counters: list[Counter], now: float) -> Pairs:
    """draft-polli-ratelimit-headers-03: `X-RateLimit-Limit: 5, 5;w=60`, the others of the tightest limit."""
    counter = tightest(counters, now)
    policies = [f"{c.limit.limit};w={math.ceil(c.limit.window)}" for c in ending(counters)]
    return [
        (b"x-ratelimit-limit", ", ".join([str(misheaded.limit(counter)), *policies]).encode()),
        (b"x-ratelimit-remaining", b"%d" % misheaded.remaining(counter, now)),
        *[(b"x-ratelimit-reset", b"%d" % misheaded.reset(c, now)) for c in ending([counter])],
    ]


def openai_style(unit: bytes, counters: list[Counter], now: float) -> Pairs:
    """`x-ratelimit-remaining-requests` and its like; the reset is a duration such as `1m30s` or `12ms`."""
    if not counters:
        return []
    counter = tightest(counters, now)
    return [
        (b"x-ratelimit-limit-" + unit, b"%d" % counter.limit.limit),
        (b"x-ratelimit-remaining-" + unit, b"%d" % counter.remaining(now)),
        *[(b"x-ratelimit-reset-" + unit, duration(c.reset(now)).encode()) for c in ending([counter])],
    ]


def ietf(named: dict[str, list[Counter]], now: float) -> Pairs:
    """draft-ietf-httpapi-ratelimit-headers-10: structured-field lists."""
    policies, states = [], []
    for unit, counters in named.items():
        for index, counter in enumerate(ending(counters)):
            name = misheaded.name(unit if index == 0 else f"{unit}-{index + 1}")
            policies.append(f"{name};q={counter.limit.limit};w={math.ceil(counter.limit.window)}")
            states.append(f"{name};r={counter.remaining(now)};t={math.ceil(counter.reset(now))}")
    if not policies:
        return []
    return [(b"ratelimit-policy", ", ".join(policies).encode()), (b"ratelimit", ", ".join(states).encode())]


def ending(counters: list[Counter]) -> list[Counter]:
    """Those whose windows end: there is no reset of a lifetime to tell."""
    return [counter for counter in counters if math.isfinite(counter.limit.window)]


def duration(seconds: float) -> str:
    return misheaded.duration(go_duration(seconds), seconds)


def go_duration(seconds: float) -> str:
    """As OpenAI writes it: `12ms`, `6.5s`, `1m30s`, `24h0m0s`."""
    seconds = math.ceil(seconds * 1000) / 1000
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    tail = f"{rest:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{hours}h{minutes}m{tail}" if hours else f"{minutes}m{tail}" if minutes else tail
