"""RATE: a limit of so many requests per window is that, for each tenant on its own (RFC 6585 §4, RFC 9110 §10.2.3)."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from fixtures.api import Api
from fixtures.auth import ask
from fixtures.burst import at_once, burst, history_of
from fixtures.errors import flaws_of
from fixtures.limits import (
    BEYOND,
    MOST_REQUESTS,
    admitted,
    affordable,
    alone,
    boundary_of,
    first_wrong,
    fresh_window,
    in_turn,
    limit_of,
    most_until_refused,
    neighbour,
    p95,
    refusal_of,
    tenant_of,
    until,
    until_refused,
    wait_allowed,
    within_reach,
)
from fixtures.streams import Pulse, controlled, patience
from fixtures.tenants import TenantWith
from fixtures.upstream import script
from gateproof.limits import (
    History,
    Shot,
    admits_at_least,
    admits_at_most,
    admits_exactly,
    parse_retry_after,
    retry_after_well_formed,
    truthful_after,
    window_resets,
)
from gateproof.limits.retry_after import AFTER_MARGIN
from gateproof.targets.values import SHORT_WINDOW
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive, Untestable
from gateproof.wire.chat import ChatStream
from gateproof.wire.exchange import Exchange

BURSTS = 5  # (RATE-002)
OVER = 3  # times the limit at once (RATE-002)
ENOUGH = 2  # times the limit, where three times are out of reach
HELD = 0.1  # s for which our engine keeps each request of a burst under way, so that all of them overlap

WINDOWS = 3  # (RATE-007)
LATE = 0.05  # s after an instant at which something may be asked, so that we are not early by our own clock

# Beside served and beside refused requests, in turn: a gateway is slow each time, a busy machine is not.
TURNS = 2
PROBES, PACE = 10, 0.03  # requests of a neighbour in a turn, and s between two
SLOWER = 2  # times (RATE-019)
UNNOTICED = 0.1  # s; below this nobody notices (RATE-028), and our own threads slow each other down

STREAM_HELD = 0.4  # share of a window for which a stream is kept open
LONGEST_HELD = 3.0  # s
LONG_STREAM = 256  # tokens, where the engine cannot be told to hold


def beyond(limit: int) -> int:
    return limit + BEYOND


def salvo(limit: int) -> int:
    """Requests of one burst."""
    return min(OVER * limit, max(ENOUGH * limit, MOST_REQUESTS))


def bursts(limit: int) -> int:
    return max(1, min(BURSTS, MOST_REQUESTS // salvo(limit)))


def in_bursts(limit: int) -> int:
    return bursts(limit) * salvo(limit)


def windows(limit: int) -> int:
    return max(1, min(WINDOWS, MOST_REQUESTS // (most_until_refused(limit) + 1)))


def hammering(limit: int) -> int:
    """Requests of two tenants of which one goes on when it is refused."""
    return TURNS * (most_until_refused(limit) + 4 * PROBES)


@requirement("RATE-001", requests=within_reach(beyond), consumes="requests", lasts=1)
def test_exactly_the_limit_is_admitted(limited: Api) -> None:
    limit = limit_of(limited)
    size = affordable(beyond(limit.limit), limited)
    fresh_window(limited)
    sent = in_turn(lambda: ask(limited), size)
    assert admits_exactly(limit, alone(limited, history_of(sent)), boundary=boundary_of(limit, limited, sent))


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
    assert retry_after_well_formed(refusal.headers, limit_of(limited).window, now=refusal.wall)


@requirement(
    "RATE-007",
    requests=within_reach(lambda limit: windows(limit) * (most_until_refused(limit) + 1)),
    consumes="requests",
    lasts=60,
)
def test_a_request_after_retry_after_is_admitted(limited: Api, tenant_with: TenantWith) -> None:
    """Three windows of three tenants, where they can be made, waited out together; else one."""
    number = windows(limit_of(limited).limit)
    drained = [(api, refusal_of(api)) for api in fresh_tenants(limited, tenant_with, number)]
    wait = max(promised_wait(refusal) for _, refusal in drained) + AFTER_MARGIN + LATE
    wait_allowed(limited, wait, "Retry-After would have to be waited out")
    time.sleep(wait)
    pairs = [(refusal, ask(api)) for api, refusal in drained]
    assert first_wrong([truthful_after(Shot.of(no), Shot.of(yes), now=no.wall) for no, yes in pairs])


def promised_wait(refusal: Exchange) -> float:
    """Seconds after which a refused request may be asked again."""
    value = refusal.headers.get("retry-after")
    wait = None if value is None else parse_retry_after(value, refusal.wall)
    assert wait is not None, f"Retry-After: {value}"
    return wait


@requirement("RATE-010", requests=within_reach(lambda limit: 2 * beyond(limit)), consumes="requests", lasts=3)
def test_a_new_window_admits_the_full_limit_again(tenant_with: TenantWith) -> None:
    api = tenant_with(requests=True, within=SHORT_WINDOW)
    limit = limit_of(api)
    affordable(2 * beyond(limit.limit), api)
    fresh_window(api)
    used = alone(api, history_of(in_turn(lambda: ask(api), beyond(limit.limit))))
    time.sleep(limit.window + limit.grain + LATE)
    again = history_of(in_turn(lambda: ask(api), beyond(limit.limit)))
    assert window_resets(limit, used, again)


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
    drain, probe = at_once([lambda: until_refused(limited), lambda: in_turn(lambda: ask(other), limit)])
    if all(admitted(exchange) for exchange in drain):
        raise Inconclusive(f"{len(drain)} requests did not use up {limit_of(limited)}")
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


@requirement(
    "RATE-025",
    requests=within_reach(lambda limit: limit + 1),
    tokens=lambda target: within_reach(lambda limit: limit + 1)(target) * 100 + LONG_STREAM,
    needs=("lim.req", "api.chat"),
    consumes="requests",
    lasts=1,
)
def test_streams_count_once_and_are_not_cut_by_the_limit(limited: Api) -> None:
    limit = limit_of(limited)
    affordable(limit.limit + 1, limited)
    fresh_window(limited)
    held, others = at_once([lambda: [lasting_stream(limited)], lambda: streams_after(HELD, limited, limit.limit)])
    history = alone(limited, history_of(exchange_of(stream) for stream in [*held, *others]))
    untold(limited, history, exchange_of(held[0]))
    assert dict(Counter(map(outcome, [*held, *others]))) == {"whole": limit.limit, "429": 1}


def lasting_stream(api: Api) -> ChatStream:
    """A stream that is still open when the others are over."""
    if not controlled(api.target):
        return api.stream("Count from one to one hundred, in words.", max_tokens=LONG_STREAM)
    hold = min(STREAM_HELD * limit_of(api).window, LONGEST_HELD)
    return api.stream(script(tokens=10, gap=hold / 10), max_tokens=10, how=patience(hold))


def streams_after(delay: float, api: Api, number: int) -> list[ChatStream]:
    time.sleep(delay)
    return [api.stream(max_tokens=1) for _ in range(number)]


def exchange_of(stream: ChatStream) -> Exchange:
    assert stream.exchange is not None
    return stream.exchange


def untold(api: Api, history: History, held: Exchange) -> None:
    """Inconclusive when the limit was not met while the held stream was open, within one window."""
    if history.other:
        raise Inconclusive(f"{history.other[0].outcome}: neither admitted nor refused by a limit")
    limit, last = limit_of(api), history.shots[-1]
    if last.decided - history.first_sent > limit.window - limit.grain:
        raise Inconclusive(f"{len(history)} streams took {last.decided - history.first_sent:.1f} s, more than a window")
    if held.status == 200 and held.ended is not None and held.ended < last.decided:
        raise Inconclusive("the stream that should have been open when the limit was met had ended before")


def outcome(stream: ChatStream) -> str:
    """How a stream ended, in a word."""
    exchange = exchange_of(stream)
    if exchange.status != 200:
        return str(exchange.status)
    if stream.error is not None:
        return f"error {stream.error}"
    return "whole" if exchange.complete and stream.done_positions else f"cut after {len(stream.events)} events"


@requirement(
    "RATE-026",
    requests=within_reach(most_until_refused),
    needs=("lim.req", "api.chat"),
    consumes="requests",
)
def test_a_refused_stream_is_plain_http(limited: Api) -> None:
    """The first answer that brings nothing of a chat is the refusal, whatever it looks like."""
    most = affordable(most_until_refused(limit_of(limited).limit), limited)
    streams = (limited.stream(max_tokens=1) for _ in range(most))
    over = next((stream for stream in streams if outcome(stream) != "whole"), None)
    if over is None:
        raise Inconclusive(f"{most} streams were admitted, none refused, with a limit of {limit_of(limited)}")
    refusal = exchange_of(over)
    assert (refusal.status, refusal.content_type) == (429, "application/json")
