"""QUOTA: how a used-up quota says no, that nothing gets past it, and what it does not touch."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from fixtures.api import Api
from fixtures.detours import DETOURS
from fixtures.limits import ENTER_BY, admitted, fresh_window, most_until_refused, p95, refusal_of, refused
from fixtures.quota_costs import booked_within, with_quota
from fixtures.quota_watches import CHANGED
from fixtures.quotas import (
    CALLS,
    ledger_of,
    portion_of,
    prompt_of,
    quota_of,
    requests_for,
    spent,
    tokens_for,
    use_up,
)
from fixtures.streams import Pulse
from fixtures.tenants import TenantWith
from fixtures.upstream import Upstream, script
from fixtures.watches import Watched
from gateproof.limits import Finding
from gateproof.targets.declared import limits
from gateproof.targets.model import Target
from gateproof.verdict.claim import TOKENS_PER_REQUEST, requirement
from gateproof.verdict.outcomes import Inconclusive, Untestable
from gateproof.verdict.run import tokens_of
from gateproof.wire.exchange import Exchange

CHAT = CALLS["chat"]

LEFT_OF_ALIGNED = 1 - ENTER_BY  # of a window that lies on somebody's clock
SURE = 2  # refusals in a row, with time for the books before the second
MORE = 4  # requests at most until then
REFUSED = 20  # requests over the quota that are timed (QUOTA-020)
AT_ONCE = 0.1  # s over the round trip, as the catalogue has it (QUOTA-020)
NOWHERE = "/gateproof-no-such-path"  # answered by the gateway alone, which tells the round trip

SERVED_BESIDE = 2  # requests to another model (QUOTA-022)


@dataclass(frozen=True, slots=True)
class Exhausted:
    """A quota with no room for this prompt, and when its window began to be used."""

    api: Api
    prompt: str
    since: float

    def to_the_end(self) -> None:
        """Inconclusive when a new window may have served what was sent meanwhile."""
        quota, taken = quota_of(self.api), time.monotonic() - self.since
        if taken >= (quota.window if quota.aligned is False else LEFT_OF_ALIGNED * quota.window) - quota.grain:
            raise Inconclusive(f"{taken:.3f} s are too long for one window of {quota}")
        if not refused(last := CHAT(self.api, self.prompt)):
            raise Inconclusive(f"{last!r}: a new window has begun meanwhile")


def exhausted(api: Api) -> Exhausted:
    """What was reserved is given back when it is booked, and may make room for one more."""
    fresh_window(api)
    sent, refusals = use_up(api, CHAT), 0
    prompt = prompt_of(portion_of(api).words, len(sent))
    for _ in range(MORE):
        refusals = refusals + 1 if refused(sent[-1]) else 0
        if refusals == SURE:
            return Exhausted(api, prompt, sent[0].started)
        time.sleep(booked_within(api))
        sent.append(CHAT(api, prompt))
    raise Inconclusive(f"{spent(ledger_of(sent))} tokens did not use up {quota_of(api)}")


@requirement(
    "QUOTA-014",
    requests=requests_for(besides=len(DETOURS) + MORE + 1),
    tokens=tokens_for(besides=len(DETOURS) + 1),
    needs=("api.chat",),
    consumes="tokens",
    lasts=1,
)
def test_no_other_spelling_of_a_request_gets_past_the_quota(metered: Api) -> None:
    window = exhausted(metered)
    body = metered.chat_body(window.prompt)
    sent = {name: detour.send(metered, "chat", body) for name, detour in DETOURS.items()}
    window.to_the_end()
    served = {name: each for name, each in sent.items() if each.complete and admitted(each)}
    assert {name: (each.status, told) for name, each in served.items() if (told := tokens_of(each))} == {}


def over_the_limit_too(target: Target) -> int:
    return requests_for(besides=MORE + 1)(target) + max(
        (most_until_refused(limit.limit) for limit in limits(target)), default=0
    )


@requirement(
    "QUOTA-016",
    requests=over_the_limit_too,
    tokens=lambda target: over_the_limit_too(target) * TOKENS_PER_REQUEST,
    needs=("lim.req", "api.chat"),
    consumes="tokens",
    lasts=1,
)
def test_a_used_up_quota_is_no_rate_limit(metered: Api, tenant_with: TenantWith) -> None:
    """Clients wait for a rate limit and ask for money when a quota is used up, so they have to know which it is."""
    quota = CHAT(metered, exhausted(metered).prompt)
    if not refused(quota):
        raise Inconclusive(f"{quota!r}: a new window has begun meanwhile")
    rate = refusal_of(tenant_with(requests=True))
    hints = [name for name in quota.headers if name == "retry-after" or "reset" in name]
    told = {"same as a rate limit": kind_of(quota) == kind_of(rate), "hints when to come back": bool(hints)}
    assert told == {"same as a rate limit": False, "hints when to come back": True}, (
        f"the quota says {kind_of(quota)}, the rate limit {kind_of(rate)}; hints: {', '.join(hints) or 'none'}"
    )


def kind_of(refusal: Exchange) -> tuple[Any, Any]:
    """Type and code of an error; of one without either, its text without numbers."""
    body = refusal.json() if "json" in refusal.content_type else None
    error = body.get("error") if isinstance(body, dict) else None
    named = (error.get("type"), error.get("code")) if isinstance(error, dict) else (None, None)
    return named if any(named) else (None, re.sub(r"\d+", "", refusal.text))


@requirement("QUOTA-019", watch=CHANGED, needs=("quota.tokens", "api.chat"))
def test_another_quota_holds_within_the_declared_time(watched: Watched) -> None:
    assert watched(CHANGED).found


@requirement(
    "QUOTA-020",
    requests=requests_for(besides=2 * REFUSED + MORE + 1),
    tokens=tokens_for(besides=REFUSED),
    needs=("quota.tokens", "api.chat"),
    consumes="tokens",
    lasts=1,
)
def test_a_used_up_quota_says_no_at_once_and_by_itself(metered: Api, up: Upstream) -> None:
    window = exhausted(metered)
    orders = [script(window.prompt) for _ in range(REFUSED)]
    with Pulse() as pulse:
        pairs = [(metered.chat(order), metered.get(NOWHERE)) for order in orders]
    window.to_the_end()
    assert [order.nonce for order in orders if up.seen(order)] == []
    assert at_once([refusal for refusal, _ in pairs], [trip for _, trip in pairs], pulse.lag)


def at_once(refusals: list[Exchange], trips: list[Exchange], lag: float) -> Finding:
    slowest, trip = (p95([each.duration or 0.0 for each in some]) for some in (refusals, trips))
    expected = f"95 % of the refusals within {AT_ONCE:.3f} s and the round trip of {trip:.3f} s"
    if AT_ONCE + trip < slowest <= AT_ONCE + trip + lag:
        return Finding.undecided(expected, f"{slowest:.3f} s, of which we ourselves were held up for {lag:.3f} s")
    return Finding(slowest <= AT_ONCE + trip, expected, f"{slowest:.3f} s")


@requirement(
    "QUOTA-022",
    requests=requests_for(besides=SERVED_BESIDE + MORE + 1),
    tokens=tokens_for(besides=SERVED_BESIDE + 1),
    needs=("quota.per_model", "api.chat"),
    consumes="tokens",
    lasts=1,
)
def test_a_quota_of_one_model_leaves_another_its_own(tenant_with: TenantWith, target: Target) -> None:
    other = elsewhere(target)
    api = with_quota(tenant_with, target, per_model=True)
    words = portion_of(api).words
    window = exhausted(api)
    served = [api.chat(prompt_of(words, number), model=other).status for number in range(SERVED_BESIDE)]
    window.to_the_end()
    assert served == [200] * SERVED_BESIDE


def elsewhere(target: Target) -> str:
    """A chat model with another backend than the everyday one."""
    everyday = target.route(target.models["chat"])
    backend = everyday.backend if everyday else None
    for route in target.routes:
        if route.api == "chat" and route.backend not in (None, backend) and not route.dead:
            return route.model
    raise Untestable("`routes` declares no chat model with a backend of its own beside the everyday one")
