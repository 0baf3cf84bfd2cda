"""ROUTE: a second backend answers for the first one that fails, and only then; the first one gets its requests back."""

from __future__ import annotations

import time
from typing import Any

import pytest

from fixtures.api import Api
from fixtures.backends import ordered, refused_first, watched, with_fallback, word_of
from fixtures.burst import burst
from fixtures.limits import wait_allowed
from fixtures.streams import patience
from fixtures.upstream import Script, Upstream
from gateproof.targets.model import Route, Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive
from gateproof.wire.chat import ChatStream
from gateproof.wire.exchange import Exchange

GATES = ("api.chat", "up.ctl")
STREAMS = (*GATES, "f.stream")
NEVER = 600.0  # s; longer than anybody waits: a backend that says nothing
DIES_AFTER, GAP = 3, 0.1  # content events, and s between them: the client has the first ones by then (ROUTE-012)
SETTLED = 0.3  # s after its answer in which a call could still be made anew behind our back


def beyond(target: Target) -> float:
    return target.promises.upstream_timeout


def troubled(route: Route, **trouble: Any) -> Script:
    """The first backend has this trouble, the others are well."""
    return ordered(route, {str(route.backend): trouble})


def answered(api: Api, route: Route, order: Script, *, stream: bool) -> tuple[int, str, str]:
    """(status, text, how it ended) of the one reply."""
    how = patience(2 * api.target.promises.upstream_timeout)
    exchange = api.chat(order, model=route.model, stream=stream, how=how)
    if exchange.status != 200:
        return exchange.status, "", "refused"
    if not stream:
        return 200, str(exchange.at("choices", 0, "message", "content")), end_of(exchange)
    read = ChatStream.of(exchange)
    return 200, read.text(), "once" if len(read.done_positions) == 1 else f"{len(read.done_positions)} times"


def end_of(exchange: Exchange) -> str:
    return "once" if exchange.complete else str(exchange.failure)


FAILURES: dict[str, dict[str, Any]] = {
    "status-500": {"status": 500},
    "status-503": {"status": 503},
    "silent": {"delay": NEVER},
}
EACH_WAY = pytest.mark.parametrize(
    "stream", [pytest.param(False, id="unary"), pytest.param(True, id="stream", marks=pytest.mark.needs("f.stream"))]
)


@requirement("ROUTE-011", requests=1, needs=GATES, part="fails", lasts=beyond)
@pytest.mark.parametrize("failure", FAILURES)
@EACH_WAY
def test_another_backend_answers_for_one_that_fails(api: Api, failure: str, stream: bool) -> None:
    route = with_fallback(api.target)
    order = troubled(route, **FAILURES[failure])
    assert answered(api, route, order, stream=stream) == (200, word_of(route, route.fallback[0]), "once")


@requirement("ROUTE-011", requests=1, needs=GATES, part="refuses the connection")
@EACH_WAY
def test_another_backend_answers_for_one_that_is_gone(api: Api, stream: bool) -> None:
    route = refused_first(api.target)
    assert answered(api, route, ordered(route), stream=stream) == (200, word_of(route, route.fallback[0]), "once")


BREAKS: dict[str, dict[str, Any]] = {
    "cut": {"cut_after": DIES_AFTER},
    "error": {"error_after": DIES_AFTER},
    "silence": {"stall_after": DIES_AFTER},
}


@requirement("ROUTE-012", requests=1, needs=STREAMS, lasts=beyond)
@pytest.mark.parametrize("broken", BREAKS)
def test_nobody_takes_over_in_the_middle(api: Api, up: Upstream, broken: str) -> None:
    """What the client has of one backend is not continued by another, nor is it all asked for once more."""
    route = with_fallback(api.target)
    order = troubled(route, text="one two three four five six seven", gap=GAP, **BREAKS[broken])
    stream = api.stream(order, model=route.model, how=patience(2 * api.target.promises.upstream_timeout))
    asked = [seen.engine for seen in up.wait(order, until=lambda seen: len(seen) > 1, within=SETTLED)]
    if "one" not in stream.text():
        raise Inconclusive(f"nothing of {route.backend} had come when it broke off: {stream.text()!r}")
    assert (asked, word_of(route, route.fallback[0]) in stream.text()) == ([route.backend], False)


@requirement("ROUTE-013", requests=1, needs=GATES, part="of the first backend")
@pytest.mark.parametrize("status", [400, 422])
def test_what_the_client_did_wrong_is_not_tried_elsewhere(api: Api, up: Upstream, status: int) -> None:
    route = with_fallback(api.target)
    order = troubled(route, status=status)
    exchange = api.chat(order, model=route.model)
    assert (exchange.status // 100, [seen.engine for seen in up.wait(order)]) == (4, [route.backend])


@requirement("ROUTE-013", requests=1, needs=(*GATES, "auth.bearer"), part="of the gateway")
def test_a_caller_without_a_key_is_not_tried_anywhere(anonymous: Api, up: Upstream) -> None:
    route = with_fallback(anonymous.target)
    order = ordered(route)
    exchange = anonymous.chat(order, model=route.model)
    asked = up.wait(order, within=SETTLED)
    assert (exchange.status // 100, [seen.engine for seen in asked]) == (4, [])


# Failures after which any breaker has noticed: LiteLLM puts a deployment aside after 3, Envoy a host after 5 in a row.
NOTICED = 10
BACK_FOR_GOOD = 3  # answers of the first backend in a row
LOOKS = 20  # at most, in the time that it has


@requirement("ROUTE-014", requests=NOTICED + LOOKS + BACK_FOR_GOOD, needs=GATES)
def test_the_first_backend_gets_its_requests_back(api: Api) -> None:
    """Last of this file: where a breaker stays open, nothing that needs the first backend could be judged after it."""
    route, within = with_fallback(api.target), api.target.promises.recovery
    wait_allowed(api, within, "the first backend would have to be given time to come back")
    burst(lambda: api.chat(troubled(route, status=503), model=route.model), NOTICED)
    first, deadline, served = [str(route.backend)] * BACK_FOR_GOOD, time.monotonic() + within, list[str]()
    while served[-BACK_FOR_GOOD:] != first and (time.monotonic() < deadline or len(served) < BACK_FOR_GOOD):
        served.append(watched(api, route))
        time.sleep(within / LOOKS)
    assert served[-BACK_FOR_GOOD:] == first
