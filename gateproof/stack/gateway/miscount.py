"""What faults do to limits and quotas: each condition is as narrow as the real bug allows."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from gateproof.stack.faults import worn
from gateproof.stack.gateway import sse
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.spoilt import splits_a_character
from gateproof.stack.gateway.tokens import prompt_tokens

if TYPE_CHECKING:
    from gateproof.stack.gateway.budget import Purse
    from gateproof.stack.gateway.call import Call
    from gateproof.stack.gateway.headers import Pairs
    from gateproof.stack.gateway.limits import Admission, Counter, Meter

SLOW_STORE = 0.25  # s that a refusal keeps the whole process waiting
QUICK = 0.08  # s between refusals of one tenant that hammers
FLUSH = 4  # of them after which they are written to the store
FORGOTTEN = 0.55  # of a window: with so much left of it, a store that evicts early has lost the counter


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
    if left <= 0 and counter.reset(now) < FORGOTTEN * counter.limit.window and worn("limit_forgotten_in_mid_window"):
        return True
    return left > 0


def full(running: int, parallel: int) -> bool:
    """Whether all places are taken."""
    if running == parallel and worn("parallel_limit_is_inclusive"):
        return False
    return running >= parallel


def wait(counter: Counter, now: float) -> float:
    """What Retry-After is made of."""
    whole = counter.limit.window
    return (
        math.ceil(whole)
        if math.isfinite(whole) and worn("retry_after_is_the_whole_window")
        else counter.retry_after(now, 1)
    )


def refusal_headers(pairs: Pairs) -> Pairs:
    """What a refusal says beside Retry-After."""
    if worn("refusal_is_cacheable"):
        pairs = [(name, b"public, max-age=60" if name == b"cache-control" else value) for name, value in pairs]
    return [*pairs, (b"x-should-retry", b"false")] if worn("refusal_forbids_retries") else pairs


def hold_up(meter: Meter, now: float) -> None:
    """Every so many refusals in quick succession one waits for its store without letting others run."""
    meter.hot = meter.hot + 1 if now - meter.refused_at < QUICK else 0
    meter.refused_at = now
    if meter.hot and meter.hot % FLUSH == 0 and worn("refusals_block_everybody"):
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
    by_requests = refusal.limited is not None and refusal.limited.unit == "requests"
    if streams and by_requests and worn("refused_stream_is_200"):
        return Refusal(200, refusal.message, code=refusal.code, kind=refusal.kind)
    return refusal


def give_back(call: Call) -> None:
    """A stream that the client aborts was admitted like any other; a fault takes it off the window again."""
    if call.streams and call.admission is not None and call.tenant.rights.requests and worn("aborts_are_given_back"):
        for counter in call.admission.meter.requests(call.model):
            counter.window.add(time.monotonic(), -1)


def at_end(call: Call, admission: Admission) -> None:
    """A stream is counted when it is admitted; a fault counts it at its end, too."""
    if call.streams and call.tenant.rights.requests and worn("streams_are_counted_twice"):
        for counter in admission.meter.requests(call.model):
            counter.window.add(time.monotonic(), 1)


def charged(call: Call, tokens: int) -> int:
    """What a request is charged with."""
    if not call.tenant.rights.tokens:
        return tokens
    if call.unread:
        return 0
    if call.admission is not None and call.admission.meter.running > 1 and worn("charges_are_lost_in_parallel"):
        return 0
    if call.hides_usage and worn("unasked_usage_not_counted"):
        return 0
    told = call.request.get("usage")
    if isinstance(told, dict) and isinstance(told.get("total_tokens"), int) and worn("usage_of_the_client_believed"):
        return int(told["total_tokens"])
    choices = call.request.get("n")
    if isinstance(choices, int) and choices > 1 and worn("further_choices_are_free"):
        return call.ledger.prompt + call.ledger.completion // choices
    if call.api != "chat":
        return 0 if worn("only_chat_is_metered") else tokens
    if call.streams:
        return 0 if worn("streams_are_free") else tokens
    return tokens - 1 if worn("unary_usage_off_by_one") else tokens


def broken_off(call: Call, tokens: int) -> int:
    """What an answer is charged with that its client did not wait for."""
    return 0 if call.tenant.rights.tokens and worn("hang_ups_are_free") else tokens


def failed(call: Call) -> None:
    """An engine's failure costs nothing."""
    if call.admission is not None and call.tenant.rights.tokens and worn("failures_cost_their_prompt"):
        call.admission.charge(prompt_tokens(call.request))


def unreadable(call: Call, data: bytes) -> bool:
    """Whether a piece of a stream ends within a character, for a reader that decodes each piece by itself."""
    if call.unread or data.isascii() or not call.tenant.rights.tokens or not splits_a_character(data):
        return call.unread
    return worn("pieces_decoded_for_counting")


def misplaced(call: Call, trail: bytes) -> bool:
    """Whether usage does not stand right before the end of a stream."""
    last_two = list(sse.split(trail))[-2:]
    usage = sse.payload(last_two[0]) if last_two else None
    found = last_two[-1:] and b"[DONE]" in last_two[-1] and isinstance(usage, dict) and usage.get("usage")
    return call.ledger.known and not found and worn("usage_sought_before_the_end_only")


def compressed(call: Call) -> bool:
    """Whether the usage of a compressed answer is overlooked."""
    return bool(call.tenant.rights.tokens) and worn("compressed_usage_unread")


def unmetered(call: Call) -> bool:
    """Whether a request gets round the quota."""
    return bool(call.tenant.rights.tokens) and b"?" in call.target and worn("quota_by_whole_url")


def pooled() -> bool:
    """Whether all models draw on the quota that each should have."""
    return worn("models_share_their_quotas")


def miscalled() -> bool:
    """Whether a quota's refusal is told as that of a request limit."""
    return worn("quota_called_a_rate_limit")


def forwards_refused(refusal: Refusal) -> bool:
    """Whether an engine answers a request that the quota refuses."""
    unit = refusal.limited.unit if refusal.limited is not None else None
    if unit == "requests" and worn("limit_checked_after_the_engine"):
        return True
    return unit == "tokens" and worn("quota_checked_after_the_engine")


def booked(cost: float, running: int) -> float:
    """What an answer takes from a budget."""
    return 0.0 if running > 1 and worn("spending_is_lost_in_parallel") else cost


def unlimited(purse: Purse, now: float) -> bool:
    """Whether a spent budget lets requests through."""
    return purse.spent(now) >= purse.budget.limit and worn("budget_is_not_enforced")


def unseen(last: int) -> int:
    """Tokens on the ledger that a check does not see yet: those of the last request."""
    return last if last and worn("quota_lags_a_request") else 0


def estimates(call: Call) -> bool:
    return bool(call.tenant.rights.tokens) and worn("quota_reserves_undeclared")


def reserved(estimate: int) -> bool:
    """Whether a request must fit as a whole although tokens are declared to be counted after it."""
    return estimate > 0 and worn("quota_reserves_undeclared")
