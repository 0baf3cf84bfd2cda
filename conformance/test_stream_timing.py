"""STREAM: when things arrive: at the engine's pace, without silence, for as long as it takes."""

from __future__ import annotations

import math
import statistics

from fixtures.api import Api
from fixtures.burst import burst
from fixtures.chat import REPEATABLE
from fixtures.streams import STREAMS, Pulse, arrivals, controlled, counted, patience, streamed
from fixtures.upstream import Script, script
from gateproof.shape.stream import follows_cadence, longest_gap
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive, Untestable
from gateproof.wire.chat import ChatStream

EVENTS, GAP = 20, 0.1  # s between events (STREAM-017)
PACED_TOKENS = 10 * EVENTS + 200  # a paced reply, and a prompt with the script in it

RUNS = 5  # (STREAM-018)
LONG_REPLY = 64  # tokens (STREAM-018)
MODEL_REPLY = 512  # max_tokens for a model that takes no orders: a small one needs as many to take its time
FIRST_BY = 0.6  # share of the whole time (STREAM-018)
SHORTEST = 0.5  # s in all that a share can be told from (STREAM-018)

FIRST_TOKEN_AFTER = 2.0  # s (STREAM-019)
# A silence counts as one when it is this many keep-alive intervals long; one and a half are tolerated, since a timer
# that restarts with each event and one that runs on its own may differ by that.
SILENT_INTERVALS = 2.5
TOLERATED_INTERVALS = 1.5
# An engine that is silent for longer than this share of the upstream timeout is given up, and rightly.
TIMEOUT_SHARE = 0.9


def paced() -> Script:
    return script(tokens=EVENTS, gap=GAP)


@requirement("STREAM-017", requests=1, tokens=PACED_TOKENS, needs=STREAMS, lasts=2)
def test_tokens_arrive_as_the_engine_sends_them(api: Api) -> None:
    with Pulse() as pulse:
        stream = streamed(api, paced(), max_tokens=EVENTS)
    assert follows_cadence(arrivals(stream), events=EVENTS, gap=GAP, held_up=pulse.held_up)


@requirement("STREAM-029", requests=1, tokens=PACED_TOKENS, needs=STREAMS, lasts=2)
def test_compression_delays_no_event(api: Api) -> None:
    with Pulse() as pulse:
        stream = streamed(api, paced(), max_tokens=EVENTS, how={"headers": {"accept-encoding": "gzip"}})
    assert follows_cadence(arrivals(stream), events=EVENTS, gap=GAP, held_up=pulse.held_up)


@requirement("STREAM-018", requests=RUNS, tokens=RUNS * (MODEL_REPLY + LONG_REPLY), lasts=1)
def test_the_first_content_comes_long_before_the_end(api: Api, target: Target) -> None:
    """The median share of 5 runs at once, so that two slow ones decide nothing; our engine is told to take its time."""
    lasting = script(tokens=LONG_REPLY, gap=1.5 * SHORTEST / LONG_REPLY) if controlled(target) else None
    prompt = lasting or "Count from one to one hundred, in words."
    # As surely as a model can be told not to end early by chance.
    streams = burst(lambda: streamed(api, prompt, max_tokens=MODEL_REPLY, **REPEATABLE), RUNS)
    share = statistics.median(first_content_share(stream) for stream in streams)
    assert share < FIRST_BY


def first_content_share(stream: ChatStream) -> float:
    exchange = stream.exchange
    assert exchange is not None
    assert exchange.sent is not None
    assert exchange.ended is not None
    total = exchange.ended - exchange.sent
    if total < SHORTEST or not stream.content_events:
        raise Inconclusive(f"{len(stream.content_events)} pieces of content in {total:.2f} s: too short to tell")
    return (stream.content_events[0].at - exchange.sent) / total


@requirement("STREAM-019", requests=1, needs=STREAMS, lasts=1)
def test_the_head_comes_before_the_first_token(api: Api, target: Target) -> None:
    wait = min(FIRST_TOKEN_AFTER, target.promises.upstream_timeout / 2)
    stream = streamed(api, script(ttft=wait))
    exchange = stream.exchange
    assert exchange is not None
    assert exchange.head is not None
    lead = stream.events[0].at - exchange.head
    # The engine sends its head at once: half of the wait is left for every delay on the way.
    assert lead >= wait / 2


@requirement("STREAM-020", requests=1, needs=STREAMS, lasts=2)
def test_a_silent_stream_is_kept_alive(api: Api, target: Target) -> None:
    interval = target.promises.keepalive
    silence = min(SILENT_INTERVALS * interval, TIMEOUT_SHARE * target.promises.upstream_timeout)
    if silence < 1.1 * TOLERATED_INTERVALS * interval:
        raise Untestable(
            f"promises: after {target.promises.upstream_timeout:g} s of silence the engine is given up, "
            f"too soon to see a keep-alive every {interval:g} s"
        )
    with Pulse() as pulse:
        stream = streamed(api, script(silent=silence), how=patience(silence))
    longest = longest_gap(instants(stream))
    if TOLERATED_INTERVALS * interval < longest < silence and pulse.lag > interval / 4:
        raise Inconclusive(f"nothing for {longest:.2f} s, but we ourselves were held up for {pulse.lag:.2f} s")
    assert longest <= TOLERATED_INTERVALS * interval


def instants(stream: ChatStream) -> list[float]:
    """Every moment at which something came, from our last byte on: what is held back to the end is silence, too."""
    exchange = stream.exchange
    assert exchange is not None
    assert exchange.sent is not None
    return [exchange.sent, *(chunk.at for chunk in exchange.chunks)]


@requirement(
    "STREAM-021",
    requests=1,
    tokens=lambda target: 2 * events_of(target) + 300,
    needs=STREAMS,
    lasts=lambda target: target.promises.longest_stream,
)
def test_a_long_stream_is_not_cut(api: Api, target: Target) -> None:
    text, gap = counted(events_of(target)), gap_of(target)
    longest = target.promises.longest_stream
    order = script(text=text, gap=gap)
    stream = streamed(api, order, max_tokens=2 * events_of(target), how=patience(longest))
    assert stream.exchange is not None
    assert (stream.exchange.failure, stream.error, stream.text()) == (None, None, text)


def gap_of(target: Target) -> float:
    """Short enough that no idle timeout strikes: it is the length of the whole that is tried."""
    return min(1.0, target.promises.longest_stream / 10)


def events_of(target: Target) -> int:
    return math.ceil(target.promises.longest_stream / gap_of(target)) + 2
