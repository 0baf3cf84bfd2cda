"""QUOTA: tokens are counted as the answers show them, whichever way they were spent, for each tenant on its own."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from fixtures.api import MAX_TOKENS, Api
from fixtures.burst import at_once
from fixtures.endpoints import endpoints
from fixtures.limits import admitted, fresh_window, neighbour
from fixtures.quota_costs import with_quota
from fixtures.quota_watches import REFILL
from fixtures.quotas import (
    CALLS,
    PORTIONS,
    estimate_of,
    ledger_of,
    own,
    portion_of,
    prompt_of,
    quota_of,
    requests_for,
    spent,
    stops,
    stream,
    tokens_for,
    use_up,
    wait_until_counted,
)
from fixtures.streams import held
from fixtures.tenants import TenantWith
from fixtures.upstream import script
from fixtures.watches import Watched
from gateproof.limits import History, Quota, Shot, overshoot, stops_at_quota
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive
from gateproof.wire.exchange import Exchange

BIG = 3  # portions in the request that crosses the quota (QUOTA-002)
TOGETHER = 6  # requests of one burst: more than use up the quota (QUOTA-006)
ROUNDS = 3  # bursts: one that passes the quota, one that must not be served, one more for who counts late (QUOTA-006)
SERVED_BESIDE = 2  # requests of a neighbour (QUOTA-015)

CHAT = CALLS["chat"]

each_mode = pytest.mark.parametrize(
    "mode", [pytest.param(mode, marks=pytest.mark.needs(f"quota.{mode}")) for mode in ("after", "reserve")]
)


@requirement(
    "QUOTA-001",
    requests=requests_for(),
    tokens=tokens_for(),
    needs=("api.chat",),
    consumes="tokens",
    lasts=1,
)
def test_requests_are_served_below_the_quota_and_refused_from_there_on(metered: Api) -> None:
    fresh_window(metered)
    assert stops(metered, use_up(metered, CHAT))


@requirement(
    "QUOTA-002",
    requests=requests_for(besides=1),
    tokens=tokens_for(besides=BIG + 1),
    needs=("api.chat",),
    consumes="tokens",
    lasts=1,
)
@each_mode
def test_the_request_that_crosses_the_quota_is_treated_as_declared(
    tenant_with: TenantWith, target: Target, mode: str
) -> None:
    """After mode serves it in full; reserve mode refuses it, since what it asks for no longer fits."""
    api = with_quota(tenant_with, target, mode=mode)
    portion, quota = portion_of(api), quota_of(api)
    fresh_window(api)
    history = ledger_of(nearly_used_up(api))
    left = quota.limit - spent(history)
    crossing = api.chat(prompt_of(BIG * portion.words, 0), max_tokens=left + 1)
    assert (crossing.status, crossing.complete) == ((200, True) if quota.mode == "after" else (429, True))


def nearly_used_up(api: Api) -> list[Exchange]:
    """Portions, as long as another one surely fits."""
    portion, quota = portion_of(api), quota_of(api)
    sent = [CHAT(api, prompt_of(portion.words, 0))]
    while (room := quota.limit - spent(ledger_of(sent))) > estimate_or_cost(quota, ledger_of(sent)):
        if not admitted(sent[-1]) or len(sent) == portion.requests:
            break
        wait_until_counted(api)
        sent.append(CHAT(api, prompt_of(portion.words, len(sent))))
    history = own(api, ledger_of(sent))
    if len(history.admitted) < len(history) or not 0 < room < quota.limit:
        raise Inconclusive(f"{spent(history)} tokens spent, {history.shots[-1].outcome}: not just below {quota}")
    return sent


def estimate_or_cost(quota: Quota, history: History) -> int:
    """What the next portion may take at most."""
    return estimate_of(history) if quota.mode == "reserve" else max(shot.tokens or 0 for shot in history)


@requirement(
    "QUOTA-003",
    requests=2 * PORTIONS,
    tokens=tokens_for(),
    needs=("quota.tokens", "api.chat"),
    consumes="tokens",
    lasts=1,
)
def test_unary_tokens_are_counted_exactly(metered: Api) -> None:
    """The engine reports a usage of our choice: up to the last token but one, then that one, then no more."""
    quota = quota_of(metered)
    portion_of(metered)
    fresh_window(metered)
    shots: list[Shot] = []
    for cost in exact_costs(quota):
        order = script(usage=usage(cost))
        # in reserve mode at least what it will cost has to be asked for
        exchange = metered.chat(order, max_tokens=max(1, cost))
        shots.append(Shot.of(exchange, cost if admitted(exchange) else None))
        if shots[-1].refused:
            break
        wait_until_counted(metered)
    history = own(metered, History(shots))
    # a token is at least one character
    assert stops_at_quota(quota, history, estimate=estimate_of(history) + len(order.text))


def exact_costs(quota: Quota) -> list[int]:
    half = quota.limit // 2
    if quota.mode == "after":
        return [half, quota.limit - 1 - half, 1, 1]
    return [quota.limit // PORTIONS] * 2 * PORTIONS


def usage(cost: int) -> dict[str, Any]:
    prompt = cost - cost // 2
    return {"prompt_tokens": prompt, "completion_tokens": cost - prompt, "total_tokens": cost}


@requirement(
    "QUOTA-004",
    requests=requests_for(),
    tokens=tokens_for(),
    needs=("quota.tokens", "api.chat"),
    consumes="tokens",
    lasts=1,
)
def test_streamed_tokens_are_counted(metered: Api) -> None:
    fresh_window(metered)
    assert stops(metered, use_up(metered, stream))


@requirement(
    "QUOTA-005",
    requests=requests_for(),
    tokens=tokens_for(),
    needs=("quota.tokens", "api.chat"),
    consumes="tokens",
    lasts=1,
)
def test_streamed_and_unary_tokens_add_up(metered: Api) -> None:
    fresh_window(metered)
    assert stops(metered, use_up(metered, CHAT, stream))


@requirement(
    "QUOTA-006",
    requests=ROUNDS * TOGETHER,
    tokens=tokens_for(cycles=ROUNDS),
    needs=("api.chat",),
    consumes="tokens",
    lasts=1,
)
@each_mode
def test_requests_in_flight_together_pass_the_quota_by_no_more_than_they_are_worth(
    tenant_with: TenantWith, target: Target, mode: str
) -> None:
    """Bursts until one is refused as a whole: whoever loses count of requests that run side by side serves more."""
    api = with_quota(tenant_with, target, mode=mode)
    words = portion_of(api).words * PORTIONS // TOGETHER + MAX_TOKENS
    fresh_window(api)
    sent: list[Exchange] = []
    for number in range(ROUNDS):
        prompts = [held(target, prompt_of(words, number * TOGETHER + each)) for each in range(TOGETHER)]
        last = at_once([functools.partial(api.chat, prompt) for prompt in prompts])
        sent += last
        if not any(map(admitted, last)):
            break
        wait_until_counted(api)
    assert overshoot(quota_of(api), own(api, ledger_of(sent)))


@requirement("QUOTA-007", watch=REFILL, needs=("api.chat",))
def test_a_new_window_restores_the_full_quota(watched: Watched) -> None:
    assert watched(REFILL).found


@requirement("QUOTA-013", requests=requests_for(), tokens=tokens_for(), consumes="tokens", lasts=1)
@endpoints(*CALLS)
def test_every_api_draws_on_the_quota(metered: Api, endpoint: str) -> None:
    fresh_window(metered)
    assert stops(metered, use_up(metered, CALLS[endpoint]))


@requirement(
    "QUOTA-015",
    requests=requests_for(besides=SERVED_BESIDE),
    tokens=tokens_for(besides=SERVED_BESIDE),
    needs=("quota.tokens", "api.chat"),
    consumes="tokens",
    lasts=1,
)
def test_an_exhausted_tenant_leaves_another_its_own(metered: Api, tenant_with: TenantWith) -> None:
    portion = portion_of(metered)
    other = neighbour(metered, tenant_with, tokens=True)
    exhausted = use_up(metered, CHAT)
    if admitted(exhausted[-1]):
        raise Inconclusive(f"{spent(ledger_of(exhausted))} tokens did not use up {quota_of(metered)}")
    served = [CHAT(other, prompt_of(portion.words, number)).status for number in range(SERVED_BESIDE)]
    assert served == [200] * SERVED_BESIDE
