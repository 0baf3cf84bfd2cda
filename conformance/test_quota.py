"""QUOTA: tokens are counted as the answers show them, whichever way they were spent, for each tenant on its own."""

from __future__ import annotations

import time
from typing import Any

from fixtures.api import Api
from fixtures.endpoints import endpoints
from fixtures.limits import admitted, fresh_window, neighbour
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
    stream,
    tokens_for,
    use_up,
    wait_until_counted,
)
from fixtures.tenants import TenantWith
from fixtures.upstream import script
from gateproof.limits import Finding, History, Quota, Shot, quota_resets, stops_at_quota
from gateproof.targets.values import SHORT_WINDOW
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive
from gateproof.wire.exchange import Exchange

BIG = 3  # portions in the request that crosses the quota (QUOTA-002)
LATE = 0.05  # s after an instant at which a new window has begun, so that we are not early by our own clock
SERVED_BESIDE = 2  # requests of a neighbour (QUOTA-015)

CHAT = CALLS["chat"]


def stops(api: Api, exchanges: list[Exchange]) -> Finding:
    history = own(api, ledger_of(exchanges))
    return stops_at_quota(quota_of(api), history, estimate=estimate_of(history))


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
def test_the_request_that_crosses_the_quota_is_treated_as_declared(metered: Api) -> None:
    """After mode serves it in full; reserve mode refuses it, since what it asks for no longer fits."""
    portion, quota = portion_of(metered), quota_of(metered)
    fresh_window(metered)
    history = ledger_of(nearly_used_up(metered))
    left = quota.limit - spent(history)
    crossing = metered.chat(prompt_of(BIG * portion.words, 0), max_tokens=left + 1)
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
    "QUOTA-007",
    requests=requests_for(cycles=2),
    tokens=tokens_for(cycles=2),
    needs=("api.chat",),
    consumes="tokens",
    lasts=3,
)
def test_a_new_window_restores_the_full_quota(tenant_with: TenantWith) -> None:
    api = tenant_with(tokens=True, within=SHORT_WINDOW)
    quota = quota_of(api)
    fresh_window(api)
    used = own(api, ledger_of(use_up(api, CHAT)))
    time.sleep(quota.window + quota.grain + LATE)
    again = ledger_of(use_up(api, CHAT))
    assert quota_resets(quota, used, again, estimate=estimate_of(again))


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
