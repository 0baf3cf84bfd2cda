"""What faults do to limits and quotas: each condition is as narrow as the real bug allows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gateproof.stack.faults import worn
from gateproof.stack.gateway.errors import Refusal

if TYPE_CHECKING:
    from gateproof.stack.gateway.call import Call
    from gateproof.stack.gateway.limits import Admission, Counter

SLOW_STORE = 0.25  # s that a refusal keeps the whole process waiting


def weight(running: int) -> int:
    """How often a request is counted."""
    if running and worn("count_is_lost_in_parallel"):
        return 0
    if running and worn("burst_is_counted_twice"):
        return 2
    return 1


def admits(counter: Counter, now: float, running: int) -> bool:
    """Whether there is room for one more request."""
    left = counter.limit.limit - counter.used(now)
    if left == 0 and worn("limit_is_inclusive"):
        return True
    if left == 1 and not running and worn("refused_one_early"):
        return False
    return left > 0


def hold_up() -> None:
    """A refusal that waits for its store without letting others run."""
    if worn("refusals_block_everybody"):
        time.sleep(SLOW_STORE)


def carried(used: int) -> int:
    """What a new window begins with."""
    return used // 2 if used and worn("window_carries_over") else 0


def retry_after(seconds: int) -> bytes | None:
    """The value of the header."""
    if worn("no_retry_after"):
        return None
    if worn("retry_after_with_fraction"):
        return b"%.1f" % seconds
    return b"%d" % (0 if worn("retry_after_zero") else seconds)


def streamed(refusal: Refusal, *, streams: bool) -> Refusal:
    """A request limit's refusal of a stream; a fault says it inside one."""
    if streams and refusal.code == "rate_limit_exceeded" and worn("refused_stream_is_200"):
        return Refusal(200, refusal.message, code=refusal.code, kind=refusal.kind)
    return refusal


def at_end(call: Call, admission: Admission) -> None:
    """A stream is counted when it is admitted; a fault counts it at its end, too."""
    if call.streams and call.tenant.rights.requests and worn("streams_are_counted_twice"):
        for counter in admission.meter.requests(call.model):
            counter.window.add(time.monotonic(), 1)


def charged(call: Call, tokens: int) -> int:
    """What a request is charged with."""
    if not call.tenant.rights.tokens:
        return tokens
    if call.api != "chat":
        return 0 if worn("only_chat_is_metered") else tokens
    if call.streams:
        return 0 if worn("streams_are_free") else tokens
    return tokens - 1 if worn("unary_usage_off_by_one") else tokens


def unseen(last: int) -> int:
    """Tokens on the ledger that a check does not see yet: those of the last request."""
    return last if last and worn("quota_lags_a_request") else 0


def estimates(call: Call) -> bool:
    return bool(call.tenant.rights.tokens) and worn("quota_reserves_undeclared")


def reserved(estimate: int) -> bool:
    """Whether a request must fit as a whole although tokens are declared to be counted after it."""
    return estimate > 0 and worn("quota_reserves_undeclared")
