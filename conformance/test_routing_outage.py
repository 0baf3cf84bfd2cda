"""ROUTE: backends that are gone, and backends that have no room left. Each of these needs the target for itself."""

from __future__ import annotations

import time

from fixtures.api import Api
from fixtures.backends import ordered, with_fallback
from fixtures.burst import burst
from fixtures.limits import first_wrong, wait_allowed
from fixtures.outages import CALLERS, CALLS_EACH, LOOKS, Outage, Traffic, fails_no_more_than, longest, slow, until
from fixtures.saturation import MOST_AT_ONCE, TOKENS_EACH, ask_one, crowd_of, held, saturating, sheds
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive, Untestable

# ROUTE-017. How long callers are watched before one backend goes, and after it must have been made up for.
BEFORE, AFTER = 0.5, 1.0  # s
LASTS = 0.2  # s of a call, so that some of them are under way when it goes


def watched(target: Target) -> float:
    return BEFORE + target.promises.failover + AFTER


@requirement(
    "ROUTE-017", requests=CALLERS * (CALLS_EACH + 1), needs=("api.chat", "route.fallback"), lasts=watched, disrupts=True
)
def test_the_loss_of_one_backend_is_made_up_for(api: Api, outage: Outage) -> None:
    """Errors of the first seconds against the declared share, exactly, with alpha = 1e-4; afterwards there is none."""
    route, promises = with_fallback(api.target), api.target.promises
    lasts = watched(api.target)
    wait_allowed(api, lasts, "callers would have to be watched")
    if route.backend not in outage.names():
        raise Untestable(f"{route.backend} is none of what can be taken away: {', '.join(outage.names())}")
    with Traffic(lambda: api.chat(ordered(route, delay=LASTS), model=route.model, max_tokens=1), lasts) as traffic:
        time.sleep(BEFORE)
        going = time.monotonic()
        with outage.of([route.backend], most=longest(api.target)):
            gone = time.monotonic()
            time.sleep(promises.failover + AFTER)
            end = time.monotonic()
    early = [call.exchange for call in traffic.calls if call.ended < going]
    if lost := [exchange for exchange in early if exchange.status != 200]:
        raise Inconclusive(f"{len(lost)} of {len(early)} not served even before, such as {lost[0]!r}")
    findings = [fails_no_more_than(0.0, traffic.since(gone + promises.failover, end))]
    if promises.failover_errors is not None:
        meanwhile = traffic.between(going, gone + promises.failover)
        findings.append(fails_no_more_than(promises.failover_errors, meanwhile))
    assert first_wrong(findings)


@requirement(
    "ROUTE-020",
    requests=LOOKS + 2,
    needs=("api.chat",),
    lasts=lambda target: target.promises.failover,
    disrupts=True,
)
def test_without_any_backend_the_answer_is_503_at_once(api: Api, outage: Outage) -> None:
    within = api.target.promises.failover
    with outage.of(outage.names(), most=longest(api.target)):
        exchange = until(lambda answer: answer.complete and answer.status == 503, api.chat, within)
    assert (exchange.status, (exchange.duration or 0.0) < slow(api)) == (503, True)


@requirement(
    "ROUTE-019",
    requests=lambda target: min(crowd_of(target), MOST_AT_ONCE),
    tokens=lambda target: TOKENS_EACH * min(crowd_of(target), MOST_AT_ONCE),
    needs=("api.chat",),
    lasts=saturating,
    disrupts=True,
)
def test_what_there_is_no_room_for_is_refused(api: Api) -> None:
    """More requests at once than the target says it takes; where it says nothing, a queue of 64 for one slot."""
    size = crowd_of(api.target)
    if size > MOST_AT_ONCE:
        raise Untestable(f"it takes {size} requests at once to fill; {MOST_AT_ONCE} is the most")
    order = held(api.target)
    assert sheds(burst(lambda: ask_one(api, order), size), api.target)
