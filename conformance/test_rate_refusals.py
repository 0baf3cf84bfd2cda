"""RATE: how a request over the limit is told so (RFC 6585 §4, RFC 9110 §10.2.3)."""

from __future__ import annotations

from fixtures.api import Api
from fixtures.auth import ask
from fixtures.errors import flaws_of
from fixtures.limits import limit_of, most_until_refused, p95, refusal_of, refused, until_refused, within_reach
from fixtures.streams import Pulse
from fixtures.upstream import Upstream, script
from gateproof.limits import retry_after_well_formed
from gateproof.shape.caching import storable
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive

LOOKS = 20  # refusals whose time is taken (RATE-028)
FAST = 0.1  # s over the round trip (RATE-028)


@requirement("RATE-004", requests=within_reach(most_until_refused), consumes="requests")
def test_the_refusal_is_a_429_that_explains_itself(limited: Api) -> None:
    refusal = refusal_of(limited)
    assert (refusal.status, flaws_of(refusal)) == (429, [])


@requirement("RATE-005", requests=within_reach(most_until_refused), consumes="requests")
def test_the_refusal_says_when_to_come_back(limited: Api) -> None:
    assert "retry-after" in list(refusal_of(limited).headers)


@requirement("RATE-006", requests=within_reach(most_until_refused), consumes="requests")
def test_retry_after_is_well_formed_and_within_the_window(limited: Api) -> None:
    refusal = refusal_of(limited)
    assert "retry-after" in list(refusal.headers)
    assert retry_after_well_formed(refusal.headers, limit_of(limited).window)


@requirement("RATE-027", requests=within_reach(most_until_refused), consumes="requests")
def test_no_cache_stores_the_refusal(limited: Api) -> None:
    assert storable(refusal_of(limited).headers) == []


@requirement(
    "RATE-028",
    part="is fast",
    requests=within_reach(lambda limit: most_until_refused(limit) + 2 * LOOKS),
    needs=("lim.req",),
    consumes="requests",
)
def test_a_refusal_is_fast(limited: Api) -> None:
    """Beside the round trip of a path that the gateway does not know."""
    until_refused(limited)
    with Pulse() as pulse:
        refusals = [each for each in (ask(limited) for _ in range(LOOKS)) if refused(each)]
        trips = [limited.get("/gateproof-no-such-path") for _ in range(LOOKS)]
    if len(refusals) < LOOKS:
        raise Inconclusive(f"{len(refusals)} of {LOOKS} were refused: a new window began")
    taken, trip = (p95([each.duration or 0.0 for each in some]) for some in (refusals, trips))
    if taken > trip + FAST and pulse.lag > FAST / 2:
        raise Inconclusive(f"p95 {taken:.3f} s, but we ourselves were held up for {pulse.lag:.3f} s")
    assert taken <= trip + FAST


@requirement(
    "RATE-028",
    part="does not reach upstream",
    requests=within_reach(lambda limit: most_until_refused(limit) + LOOKS),
    needs=("lim.req", "api.chat"),
    consumes="requests",
)
def test_a_refused_request_does_not_reach_upstream(limited: Api, up: Upstream) -> None:
    until_refused(limited)
    orders = [script() for _ in range(LOOKS)]
    answers = [limited.chat(order, max_tokens=1) for order in orders]
    turned_down = [order for order, answer in zip(orders, answers, strict=True) if refused(answer)]
    if not turned_down:
        raise Inconclusive(f"none of {LOOKS} was refused: a new window began")
    assert [seen.engine for order in turned_down for seen in up.seen(order)] == []
