"""RATE: a limit is its tenant's: nobody else draws on it, whatever keys they have or have not."""

from __future__ import annotations

import threading
from collections.abc import Callable

from fixtures.api import Api
from fixtures.auth import ask, made_up_key
from fixtures.burst import at_once, history_of
from fixtures.limits import (
    admitted,
    affordable,
    alone,
    fresh_window,
    in_turn,
    limit_of,
    most_until_refused,
    neighbour,
    p95,
    tenant_of,
    until,
    until_refused,
    within_reach,
)
from fixtures.rates import beyond, drained_from
from fixtures.streams import Pulse
from fixtures.tenants import Keys, TenantWith
from gateproof.limits import admits_at_least
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive, Untestable
from gateproof.wire.exchange import Exchange

# Beside served and beside refused requests, in turn: a gateway is slow each time, a busy machine is not.
TURNS = 2
PROBES, PACE = 10, 0.03  # requests of a neighbour in a turn, and s between two
SLOWER = 2  # times (RATE-019)
UNNOTICED = 0.1  # s; below this nobody notices (RATE-028), and our own threads slow each other down
OFF_BY_ONE = 1  # fewer: what RATE-001 is about is no matter here
FLOOD = 3  # times the limit, without a good key (RATE-030)


def hammering(limit: int) -> int:
    """Requests of two tenants of which one goes on when it is refused."""
    return TURNS * (most_until_refused(limit) + 4 * PROBES)


@requirement(
    "RATE-019",
    part="is not refused",
    requests=within_reach(lambda limit: most_until_refused(limit) + limit),
    needs=("lim.req",),
    consumes="requests",
    lasts=1,
)
def test_a_drained_tenant_takes_nothing_from_another(limited: Api, tenant_with: TenantWith) -> None:
    limit = limit_of(limited).limit
    affordable(most_until_refused(limit) + limit, limited)
    other = neighbour(limited, tenant_with, requests=True)
    fresh_window(limited)
    drain = until_refused(limited)
    if all(admitted(exchange) for exchange in drain):
        raise Inconclusive(f"{len(drain)} requests did not use up {limit_of(limited)}")
    probe = in_turn(lambda: ask(other), limit)
    assert [exchange.status for exchange in probe if not admitted(exchange)] == []


@requirement(
    "RATE-019",
    part="is not slowed down",
    requests=within_reach(hammering),
    needs=("lim.req",),
    consumes="requests",
    lasts=2,
)
def test_a_drained_tenant_does_not_slow_another_down(limited: Api, api: Api) -> None:
    """95th percentile of a neighbour's requests beside refused ones, and beside as many that are served."""
    if tenant_of(limited).name == api.target.main_tenant:
        raise Untestable("the only tenant is the limited one")
    affordable(hammering(limit_of(limited).limit), limited)
    usual, slowed = [], []
    with Pulse() as pulse:
        for _ in range(TURNS):
            usual.append(p95(durations(beside(api, lambda: ask(api)))))
            until_refused(limited)
            slowed.append(p95(durations(beside(api, lambda: ask(limited)))))
    bound = max(SLOWER * max(usual), max(usual) + UNNOTICED)
    if min(slowed) > bound and pulse.lag > UNNOTICED / 2:
        raise Inconclusive(f"p95 {min(slowed):.3f} s, but we ourselves were held up for {pulse.lag:.3f} s")
    assert min(slowed) <= bound


def beside(api: Api, noise: Callable[[], Exchange]) -> list[Exchange]:
    """What a neighbour gets while somebody else goes on asking."""
    answers: list[Exchange] = []
    over = threading.Event()

    def probe() -> None:
        until(over, lambda: answers.append(ask(api)), most=PROBES, pace=PACE)

    def ask_on() -> None:
        until(over, noise, most=PROBES, pace=PACE)
        over.set()

    at_once([probe, ask_on])
    return answers


def durations(exchanges: list[Exchange]) -> list[float]:
    return [each.duration for each in exchanges if each.duration is not None]


@requirement("RATE-020", requests=within_reach(lambda limit: 2 * beyond(limit)), needs=("lim.req",), lasts=1)
def test_two_keys_of_one_tenant_share_its_limit_as_declared(tenant_with: TenantWith, keys: Keys) -> None:
    """The limit used up with one key; what the other one still gets is nothing, or as much again."""
    api = tenant_with(requests=True, minted=True)
    limit, mint = limit_of(api), api.target.mint
    assert mint is not None, "the tenant was made by us"
    affordable(2 * beyond(limit.limit), api)
    second = keys.another(api)
    used = drained_from(api).sent
    further = in_turn(lambda: ask(second), limit.limit + 1)
    history = history_of([*used, *further])
    if history.last_decided - history.first_sent > limit.window - limit.grain:
        raise Inconclusive(f"{len(history)} requests took longer than a window of {limit.window:g} s")
    left = sum(map(admitted, further))
    assert left == 0 if mint.keys_share else left >= limit.limit - OFF_BY_ONE, f"the other key: {left} of {limit}"


@requirement(
    "RATE-030",
    requests=within_reach(lambda limit: 2 * FLOOD * limit + beyond(limit)),
    needs=("lim.req", "auth.bearer"),
    consumes="requests",
)
def test_a_flood_without_a_key_takes_nothing_from_anybody(limited: Api, anonymous: Api) -> None:
    limit = limit_of(limited)
    affordable(2 * FLOOD * limit.limit + beyond(limit.limit), limited)
    stranger = limited.with_key(made_up_key())
    fresh_window(limited)
    flood = [ask(who) for _ in range(FLOOD * limit.limit) for who in (anonymous, stranger)]
    sent = in_turn(lambda: ask(limited), beyond(limit.limit))
    assert [each.status for each in flood if each.status != 401] == []
    assert admits_at_least(limit, alone(limited, history_of(sent)))
