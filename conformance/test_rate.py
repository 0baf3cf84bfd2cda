"""RATE: a limit of so many requests per window is that, for each tenant on its own (RFC 6585 §4, RFC 9110 §10.2.3)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.api import Api
from fixtures.auth import ask
from fixtures.burst import burst, history_of
from fixtures.limits import (
    MOST_REQUESTS,
    affordable,
    alone,
    boundary_of,
    first_wrong,
    fresh_window,
    in_turn,
    limit_of,
    tenant_of,
    within_reach,
)
from fixtures.mistakes import MISTAKES, is_mistake
from fixtures.rates import SERIES, SEVERAL, beyond, with_what_is_advertised
from fixtures.streams import controlled
from fixtures.tenants import TenantWith
from fixtures.upstream import script
from fixtures.watches import Watched
from gateproof.limits import (
    admits_at_least,
    admits_at_most,
    admits_exactly,
)
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive, NotDeclared, Untestable
from gateproof.wire.exchange import Exchange

BURSTS = 5  # (RATE-002)
OFF_BY_ONE = 1  # more or less: what RATE-001 is about is no matter elsewhere
OVER = 3  # times the limit at once (RATE-002)
ENOUGH = 2  # times the limit, where three times are out of reach
HELD = 0.1  # s for which our engine keeps each request of a burst under way, so that all of them overlap


def salvo(limit: int) -> int:
    """Requests of one burst."""
    return min(OVER * limit, max(ENOUGH * limit, MOST_REQUESTS))


def bursts(limit: int) -> int:
    return max(1, min(BURSTS, MOST_REQUESTS // salvo(limit)))


def in_bursts(limit: int) -> int:
    return bursts(limit) * salvo(limit)


@requirement("RATE-001", watch=SERIES)
def test_exactly_the_limit_is_admitted(watched: Watched) -> None:
    seen = watched(SERIES)
    found = admits_exactly(seen.limit, seen.history, boundary=boundary_of(seen.limit, seen.api, seen.sent))
    assert with_what_is_advertised(found, seen)


@requirement("RATE-002", requests=within_reach(in_bursts), consumes="requests", lasts=2)
def test_a_parallel_burst_admits_no_more_than_the_limit(limited: Api, tenant_with: TenantWith) -> None:
    findings = []
    for api in fresh_tenants(limited, tenant_with, bursts(limit_of(limited).limit)):
        limit, sent = limit_of(api), one_burst(api)
        findings.append(admits_at_most(limit, history_of(sent), boundary=boundary_of(limit, api, sent)))
    assert first_wrong(findings)


@requirement("RATE-003", requests=within_reach(in_bursts), consumes="requests", lasts=2)
def test_a_parallel_burst_admits_the_limit(limited: Api, tenant_with: TenantWith) -> None:
    tenants = fresh_tenants(limited, tenant_with, bursts(limit_of(limited).limit))
    assert first_wrong([admits_at_least(limit_of(api), alone(api, history_of(one_burst(api)))) for api in tenants])


def fresh_tenants(first: Api, tenant_with: TenantWith, number: int) -> Iterator[Api]:
    """Several, one by one, where they can be made: each begins a window of its own."""
    yield first
    if tenant_of(first).minted:
        yield from (tenant_with(requests=True) for _ in range(number - 1))


def one_burst(api: Api) -> list[Exchange]:
    size = affordable(salvo(limit_of(api).limit), api)
    fresh_window(api)
    if controlled(api.target) and "chat" in api.target.models:
        return burst(lambda: api.chat(script(delay=HELD), max_tokens=1), size)
    return burst(lambda: ask(api), size)


@requirement("RATE-029", watch=SEVERAL)
def test_of_several_limits_the_most_restrictive_wins(watched: Watched) -> None:
    """Window after window of the short limit, up to the long one: what each admits, and that it ends with 429."""
    seen = watched(SEVERAL)
    assert seen.admitted == seen.due


@requirement(
    "RATE-031",
    requests=within_reach(lambda limit: limit + beyond(limit)),
    consumes="requests",
    lasts=1,
)
@pytest.mark.parametrize("kind", MISTAKES)
def test_a_call_that_is_turned_down_counts_as_declared(limited: Api, kind: str) -> None:
    limit, counted = limit_of(limited), limited.target.promises.mistakes_count
    if counted is None:
        raise NotDeclared("`promises.mistakes_count` does not say whether calls with a mistake in them are counted")
    if limit.limit <= 2 * OFF_BY_ONE:
        raise Untestable(f"a limit of {limit} is too small to tell what is counted")
    affordable(limit.limit + beyond(limit.limit), limited)
    fresh_window(limited)
    mistaken = in_turn(lambda: MISTAKES[kind](limited), limit.limit)
    if odd := [each for each in mistaken if each.answer is not None and not is_mistake(each)]:
        raise Inconclusive(f"{len(odd)} of {len(mistaken)} were not turned down for the mistake: {odd[0]}")
    good = in_turn(lambda: ask(limited), beyond(limit.limit))
    left = len(alone(limited, history_of(good)).admitted)
    assert (left <= OFF_BY_ONE, left >= limit.limit - OFF_BY_ONE) == (counted, not counted), f"{left} of {limit} left"
