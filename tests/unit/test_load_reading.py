"""Streams read under load: the right instants, however the bytes were cut, and a name for all that goes wrong."""

from __future__ import annotations

import itertools
import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateproof.load.wire.answer import Answer
from gateproof.load.wire.call import Call, Failure
from gateproof.load.wire.clock import Clock
from gateproof.load.wire.outcome import Outcome
from gateproof.load.wire.reading import Reading, read

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOCK = Clock()
SECOND = 1_000_000_000


def chunk(**delta: Any) -> dict[str, Any]:
    finish = delta.pop("finish", None)
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


ROLE = chunk(role="assistant", content="")
USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}}
GOOD = [ROLE, chunk(content="he"), chunk(content="llo"), chunk(finish="stop"), USAGE, "[DONE]"]


def sse(events: list[Any], eol: bytes = b"\n") -> list[bytes]:
    lines = (event if isinstance(event, str) else json.dumps(event) for event in events)
    return [b"data: " + line.encode() + eol + eol for line in lines]


def chunked(*pieces: bytes) -> list[bytes]:
    return [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]


def whole(events: list[Any], eol: bytes = b"\n") -> list[bytes]:
    return [HEAD, *chunked(*sse(events, eol)), b"0\r\n\r\n"]


def reading_of(
    parts: list[bytes], *, api: str = "chat", streamed: bool = True, failure: Failure | None = None
) -> Reading:
    """As if part n had come n seconds after the clock's zero."""
    call = Call(b"", streamed)
    answer = Answer()
    for number, part in enumerate(parts):
        call.parts.append(part)
        call.stamps.append(stamp(number))
        call.reads.append(number * SECOND + 5)
        answer.took(call.parts)
    call.failure = failure
    return read(call, answer, api, CLOCK)


def stamp(second: int) -> bytes:
    return struct.pack("qq", *divmod(second * SECOND + CLOCK.offset, SECOND))


def test_a_role_is_no_token() -> None:
    """The first token is in the third part: the head is 0, the role 1."""
    reading = reading_of(whole(GOOD))
    assert (reading.outcome, reading.events) == (Outcome.OK, 5)
    assert (reading.first_byte, reading.first_event, reading.first_token, reading.last_token) == (
        0,
        1 * SECOND,
        2 * SECOND,
        3 * SECOND,
    )
    assert reading.read_first_token == 2 * SECOND + 5
    assert (reading.prompt_tokens, reading.completion_tokens) == (7, 2)


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "x"},
        {"reasoning_content": "x"},
        {"reasoning": "x"},
        {"refusal": "x"},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]},
        {"audio": {"data": "x"}},
    ],
    ids=lambda delta: next(iter(delta)),
)
def test_a_token_counts_in_any_channel(delta: dict[str, Any]) -> None:
    reading = reading_of(whole([ROLE, chunk(**delta), chunk(finish="stop"), USAGE, "[DONE]"]))
    assert (reading.first_token, reading.first_visible > 0) == (2 * SECOND, "content" in delta)


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"], ids=["lf", "crlf"])
@settings(deadline=None)
@given(cuts=st.lists(st.integers(1, 2000), max_size=30))
def test_where_the_bytes_were_cut_does_not_matter(eol: bytes, cuts: list[int]) -> None:
    """The same events, each dated by the part that completed it."""
    raw = b"".join(whole(GOOD, eol))
    places = sorted({0, *(cut for cut in cuts if cut < len(raw)), len(raw)})
    parts = [raw[start:end] for start, end in itertools.pairwise(places)]
    reading = reading_of(parts)
    assert (reading.outcome, reading.events, len(reading.token_times)) == (Outcome.OK, 5, 2)
    expected = [part_with(raw, parts, sse([event], eol)[0]) * SECOND for event in GOOD[1:3]]
    assert reading.token_times.tolist() == expected


def part_with(raw: bytes, parts: list[bytes], event: bytes) -> int:
    """The part in which an event's last byte lies."""
    end, seen = raw.index(event) + len(event), 0
    for number, part in enumerate(parts):
        seen += len(part)
        if seen >= end:
            return number
    raise AssertionError("the event is not there")


BROKEN: dict[str, tuple[list[bytes], Outcome]] = {
    "error event": (whole([*GOOD[:2], {"error": {"message": "out of memory"}}, "[DONE]"]), Outcome.ERROR_INSIDE),
    "no finish reason": (whole([*GOOD[:3], "[DONE]"]), Outcome.TRUNCATED),
    "half an event": ([HEAD, *chunked(*sse(GOOD[:4]), b"data: {"), b"0\r\n\r\n"], Outcome.TRUNCATED),
    "no done": (whole(GOOD[:-1]), Outcome.DONE_MISSING),
    "done twice": (whole([*GOOD, "[DONE]"]), Outcome.DONE_TWICE),
    "usage behind done": (whole([*GOOD[:4], "[DONE]", USAGE]), Outcome.DONE_TWICE),
    "not JSON": (whole([*GOOD[:2], "{oops", *GOOD[3:]]), Outcome.MALFORMED),
    "two values in one event": (whole([*GOOD[:2], "{},{}", *GOOD[3:]]), Outcome.MALFORMED),
    "wrong type": (whole([*GOOD[:2], {"choices": "none"}, *GOOD[3:]]), Outcome.MALFORMED),
    "usage that does not add up": (
        whole([*GOOD[:4], {"usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 8}}, "[DONE]"]),
        Outcome.WRONG_USAGE,
    ),
    "counted but not sent": (whole([ROLE, chunk(finish="stop"), USAGE, "[DONE]"]), Outcome.EMPTY),
}


@pytest.mark.parametrize(("parts", "outcome"), BROKEN.values(), ids=BROKEN)
def test_a_broken_stream_has_its_own_name(parts: list[bytes], outcome: Outcome) -> None:
    assert reading_of(parts).outcome is outcome


@pytest.mark.parametrize("failure", [Failure.CUT, Failure.STALLED, Failure.TIMEOUT, Failure.ABANDONED])
def test_what_came_before_the_end_is_still_read(failure: Failure) -> None:
    reading = reading_of(whole(GOOD)[:4], failure=failure)
    assert (reading.outcome, reading.first_token, len(reading.token_times)) == (Outcome.of(failure), 2 * SECOND, 2)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (429, Outcome.REFUSED),
        (400, Outcome.CLIENT_ERROR),
        (503, Outcome.SERVER_ERROR),
        (204, Outcome.ODD_STATUS),
        (302, Outcome.ODD_STATUS),
    ],
)
def test_a_refusal_is_told_apart(status: int, outcome: Outcome) -> None:
    body = b'{"error": {"message": "no"}}' if status != 204 else b""
    reading = reading_of([b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)])
    assert (reading.outcome, reading.status, reading.detail) == (outcome, status, body.decode())


def unary(body: bytes, kind: bytes = b"application/json") -> list[bytes]:
    return [b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (kind, len(body), body)]


def test_a_unary_answer_tells_its_usage() -> None:
    body = b'{"choices": [{}], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}'
    reading = reading_of(unary(body), streamed=False)
    assert (reading.outcome, reading.prompt_tokens, reading.completion_tokens) == (Outcome.OK, 3, 4)


@pytest.mark.parametrize(
    ("parts", "outcome"),
    [
        (unary(b"{oops"), Outcome.MALFORMED),
        (unary(b'{"error": {"message": "no"}}'), Outcome.ERROR_INSIDE),
        (unary(b"", b"audio/wav"), Outcome.EMPTY),
        (unary(b"RIFF", b"audio/wav"), Outcome.OK),
    ],
    ids=["not JSON", "an error in 200", "no audio", "audio"],
)
def test_a_unary_answer_is_judged(parts: list[bytes], outcome: Outcome) -> None:
    assert reading_of(parts, streamed=False).outcome is outcome


def typed(kind: str, **more: Any) -> str:
    return json.dumps({"type": kind, **more})


def test_a_responses_stream_ends_without_done() -> None:
    done = {"usage": {"input_tokens": 5, "output_tokens": 1, "total_tokens": 6}}
    events = [typed("response.created"), typed("response.output_text.delta", delta="x")]
    reading = reading_of(whole([*events, typed("response.completed", response=done)]), api="responses")
    assert (reading.outcome, reading.first_token, reading.completion_tokens) == (Outcome.OK, 2 * SECOND, 1)
    assert reading_of(whole(events), api="responses").outcome is Outcome.TRUNCATED


def test_a_messages_stream_tells_its_usage_in_two_places() -> None:
    events = [
        typed("message_start", message={"usage": {"input_tokens": 5, "output_tokens": 1}}),
        typed("content_block_delta", delta={"type": "text_delta", "text": "x"}),
        typed("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9}),
        typed("message_stop"),
    ]
    reading = reading_of(whole(events), api="messages")
    assert (reading.outcome, reading.prompt_tokens, reading.completion_tokens) == (Outcome.OK, 5, 9)


def test_without_kernel_stamps_our_own_serve() -> None:
    call, answer = Call(b"", streamed=True), Answer()
    for number, part in enumerate(whole(GOOD)):
        call.parts.append(part)
        call.stamps.append(b"")
        call.reads.append(number * SECOND)
        answer.took(call.parts)
    assert read(call, answer, "chat", CLOCK).first_token == 2 * SECOND
