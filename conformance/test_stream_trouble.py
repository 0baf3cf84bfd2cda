"""STREAM: when somebody hangs up, reads slowly, dies in the middle, or is one of many."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from fixtures.api import Api, unique
from fixtures.burst import at_once
from fixtures.chat import REPEATABLE
from fixtures.streams import STREAMS, controlled, patience, said, streamed
from fixtures.upstream import Script, Seen, Upstream, script
from gateproof.shape.stream import ends
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive
from gateproof.wire.chat import ChatStream

# s until we hang up where nothing tells that the request has reached the engine; a gateway adds milliseconds.
SETTLED = 0.5
EVENTS_BEFORE_HANG_UP = 3
GAP = 0.02  # s between the events of a stream that is hung up on

DIES_AFTER = 3  # content events (STREAM-024)

CROWD = 50  # streams (STREAM-027)
REPEATS = 6  # of a stream's own word, so that each stream has some thirty events for others to stray into
CROWD_TOKENS = 64

# A slow reader takes this long: well over the time for which a normal stream beside it is watched.
SLOW_FOR = 3.5  # s
# More than the 4 MiB that Linux holds for a sender, so that a gateway that does not wait for its reader shows.
SLOW_EVENTS, SLOW_EVENT = 272, 16 * 1024  # bytes each
SLOW_RATE = SLOW_EVENTS * SLOW_EVENT / SLOW_FOR  # bytes/s
SLOW_MODEL_RATE = 4096.0  # bytes/s at which the reply of a model that takes no orders is read
SLOW_MODEL_TOKENS = 64


def hang_up_in_the_middle(busy: float) -> tuple[Script, dict[str, Any], dict[str, Any]]:
    order = script(tokens=round(busy / GAP), gap=GAP)
    return order, {"stream": True}, {"hang_up_when": lambda body: body.count(b"data:") >= EVENTS_BEFORE_HANG_UP}


def hang_up_before_the_first_token(busy: float) -> tuple[Script, dict[str, Any], dict[str, Any]]:
    return script(ttft=busy), {"stream": True}, {"hang_up_after": SETTLED}


def hang_up_on_a_unary_call(busy: float) -> tuple[Script, dict[str, Any], dict[str, Any]]:
    return script(delay=busy), {}, {"hang_up_after": SETTLED}


MOMENTS = [
    pytest.param(hang_up_in_the_middle, id="mid-stream"),
    pytest.param(hang_up_before_the_first_token, id="before-the-first-token"),
    pytest.param(hang_up_on_a_unary_call, id="unary"),
]


@requirement("STREAM-022", requests=1, tokens=400, needs=STREAMS, lasts=1)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_hang_up_cancels_the_engine(api: Api, up: Upstream, target: Target, moment: Any) -> None:
    within = target.promises.disconnect
    order, fields, how = moment(busy=SETTLED + within + 2.0)
    exchange = api.chat(order, max_tokens=1000, how=how, **fields)
    if not exchange.hung_up:
        raise Inconclusive(f"{exchange!r}: over before we could hang up")
    seen = up.wait(order, until=all_over, within=within)
    if not seen:
        raise Inconclusive(f"the request had not reached an engine when we hung up, {SETTLED:g} s after it was sent")
    assert [request.outcome for request in seen] == ["cancelled"] * len(seen)


def all_over(seen: list[Seen]) -> bool:
    return bool(seen) and all(request.outcome != "running" for request in seen)


@requirement("STREAM-023", requests=2, tokens=1000, lasts=SLOW_FOR)
def test_a_slow_reader_loses_nothing_and_slows_nobody(api: Api, target: Target) -> None:
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(read_slowly, api, target)
        threading.Event().wait(SLOW_FOR / 10)
        normal = streamed(api)
        read = slow.result()
    assert read.exchange is not None
    assert normal.exchange is not None
    assert (whole(read), whole(normal)) == ("whole", "whole")
    if controlled(target):
        assert len(read.text()) == SLOW_EVENTS * SLOW_EVENT
    if ended(read) - first_byte(read) < SLOW_FOR / 3:
        raise Inconclusive(f"{read!r}: over too soon for anybody to feel it")
    assert ended(normal) < ended(read)


def read_slowly(api: Api, target: Target) -> ChatStream:
    if controlled(target):
        order = script(tokens=SLOW_EVENTS, event_bytes=SLOW_EVENT)
        how = {"slow_read": SLOW_RATE, **patience(4 * SLOW_FOR)}
        return streamed(api, order, max_tokens=SLOW_EVENTS, how=how)
    prompt = "Count from one to one hundred, in words."
    # As surely as a model can be told not to end early by chance.
    return streamed(api, prompt, max_tokens=SLOW_MODEL_TOKENS, how={"slow_read": SLOW_MODEL_RATE}, **REPEATABLE)


def whole(stream: ChatStream) -> str:
    """`whole`, or what is missing."""
    assert stream.exchange is not None
    if stream.exchange.failure or stream.error:
        return f"broken off: {stream.exchange.failure or stream.error}"
    if stream.violations or stream.malformed:
        return f"mangled: {[*stream.violations, *stream.malformed][0]}"
    return "whole" if stream.done_positions else "broken off: no [DONE]"


def ended(stream: ChatStream) -> float:
    assert stream.exchange is not None
    assert stream.exchange.ended is not None
    return stream.exchange.ended


def first_byte(stream: ChatStream) -> float:
    assert stream.exchange is not None
    assert stream.exchange.first_byte is not None
    return stream.exchange.first_byte


@requirement("STREAM-024", requests=1, needs=STREAMS)
def test_a_dying_engine_is_never_a_clean_end(api: Api) -> None:
    stream = api.stream(script(cut_after=DIES_AFTER))
    end = end_of(stream)
    assert end in {"an error status", "an error event", "an abrupt end"}
    assert "stop" not in ends(said(stream)).get(0, "").split()


def end_of(stream: ChatStream) -> str:
    assert stream.exchange is not None
    if stream.exchange.status >= 400:
        return "an error status"
    if stream.error is not None or any(event.name == "error" for event in stream.events):
        return "an error event"
    return "a clean end" if stream.exchange.complete else "an abrupt end"


# An abrupt end is honest as well (STREAM-024): then there is no event whose form could be wrong.
TROUBLES = [
    pytest.param({"error_after": DIES_AFTER}, {"APIError"}, id="the-engine-reports"),
    pytest.param({"cut_after": DIES_AFTER}, {"APIError", "a broken connection"}, id="the-engine-dies"),
]


@requirement("STREAM-025", requests=1, needs=STREAMS)
@pytest.mark.parametrize(("trouble", "honest"), TROUBLES)
def test_an_error_in_the_middle_makes_the_sdk_raise(api: Api, trouble: dict[str, Any], honest: set[str]) -> None:
    raised = raised_by_the_sdk(api, script(**trouble))
    assert raised in honest


def raised_by_the_sdk(api: Api, order: Script) -> str:
    import httpx2  # noqa: PLC0415 - like the SDK, which takes most of a second to load
    import openai  # noqa: PLC0415

    from fixtures.sdk import read_by_the_sdk  # noqa: PLC0415

    _, error = read_by_the_sdk(api, api.chat_body(order))
    if error is None:
        return "nothing: the stream looks complete"
    if isinstance(error, httpx2.TransportError):
        return "a broken connection"
    return "APIError" if isinstance(error, openai.APIError) else repr(error)


@requirement("STREAM-027", requests=CROWD, tokens=CROWD * 4 * CROWD_TOKENS, needs=STREAMS, lasts=1)
def test_many_streams_do_not_mix(api: Api) -> None:
    texts = [" ".join([unique("own")] * REPEATS) for _ in range(CROWD)]
    orders = [script(text=text, gap=0.01) for text in texts]
    streams = at_once([partial(streamed, api, order, max_tokens=CROWD_TOKENS) for order in orders])
    read = [stream.text() for stream in streams]
    assert {text: got for text, got in zip(texts, read, strict=True) if got != text} == {}
