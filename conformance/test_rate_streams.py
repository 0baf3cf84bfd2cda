"""RATE: streams count as requests do, and are neither cut nor begun by a limit that is used up."""

from __future__ import annotations

import time
from collections import Counter

from fixtures.api import Api
from fixtures.burst import at_once, history_of
from fixtures.limits import affordable, alone, fresh_window, limit_of, most_until_refused, within_reach
from fixtures.streams import controlled, patience
from fixtures.upstream import script
from gateproof.limits import History
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive
from gateproof.wire.chat import ChatStream
from gateproof.wire.exchange import Exchange

BEGUN = 0.1  # s after which a stream that is to be held open has been admitted
STREAM_HELD = 0.4  # share of a window for which a stream is kept open
LONGEST_HELD = 3.0  # s
LONG_STREAM = 256  # tokens, where the engine cannot be told to hold


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
    held, others = at_once([lambda: [lasting_stream(limited)], lambda: streams_after(BEGUN, limited, limit.limit)])
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
