"""What an ended request was: when its tokens came, what it cost, and whether it kept its promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from gateproof.load.wire.answer import Answer
from gateproof.load.wire.call import Call
from gateproof.load.wire.clock import Clock
from gateproof.load.wire.outcome import Outcome
from gateproof.load.wire.payloads import CHUNKS, EVENTS, TYPED, WHOLE, Chunk, Event, Usage

DONE = b"[DONE]"
FIELD = b"data:"
TOLD = 200  # characters of an error that a log keeps

Instants = NDArray[np.int64]
Events = Sequence[Chunk | Event]
_NONE = np.empty(0, dtype=np.int64)


@dataclass(slots=True)
class Reading:
    """All instants are nanoseconds of the monotonic clock, of the kernel's stamps where it gives some; 0: never.

    ``token_times`` has the arrival of every event that carried a generated token. ``events`` counts all events but
    ``[DONE]``. ``read_first_token`` is when we ourselves had read it.
    """

    outcome: Outcome
    detail: str = ""
    status: int = 0
    first_byte: int = 0
    first_event: int = 0
    first_token: int = 0
    first_visible: int = 0
    last_token: int = 0
    read_first_token: int = 0
    events: int = 0
    token_times: Instants = field(default_factory=lambda: _NONE)
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None


def read(call: Call, answer: Answer, api: str, clock: Clock) -> Reading:
    """The reading of a call that has ended."""
    reading = Reading(Outcome.OK, status=answer.status)
    if call.parts:
        reading.first_byte = clock.of_stamp(call.stamps[0]) if call.stamps[0] else call.reads[0]
    if answer.status and answer.status != 200:
        reading.outcome = Outcome.of_status(answer.status) or Outcome.OK
        reading.detail = _told(answer.content())
    elif call.streamed and answer.headers.get(b"content-type", b"").startswith(b"text/event-stream"):
        _read_stream(reading, call, answer, api, clock)
    elif call.failure is None:
        _read_whole(reading, answer)
    if call.failure is not None:
        reading.outcome, reading.detail = Outcome.of(call.failure), call.detail
    return reading


def _arrivals(call: Call, clock: Clock) -> Instants:
    """When each piece of the answer came."""
    if not call.stamps[0]:
        return np.array(call.reads, dtype=np.int64)
    pairs = np.frombuffer(b"".join(call.stamps), dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0] * 1_000_000_000 + pairs[:, 1] - clock.offset


def _read_whole(reading: Reading, answer: Answer) -> None:
    if b"json" not in answer.headers.get(b"content-type", b""):
        if not answer.body:
            reading.outcome = Outcome.EMPTY
        return  # audio, say: whole, and without usage
    try:
        whole = WHOLE.decode(answer.content())
    except msgspec.DecodeError as error:
        reading.outcome, reading.detail = Outcome.MALFORMED, str(error)
        return
    if whole.usage is not None:
        _account(reading, whole.usage)
    if whole.error is not None:
        reading.outcome, reading.detail = Outcome.ERROR_INSIDE, _told(answer.content())


def _read_stream(reading: Reading, call: Call, answer: Answer, api: str, clock: Clock) -> None:
    answer.parse(call.parts)
    body = answer.content()
    blocks, ends, rest = split(body)
    # the usual: each event is one line
    simple = body.count(b"\n") == 2 * len(blocks) and b"\r" not in body
    payloads = [block[6:] if simple and block.startswith(b"data: ") else _payload(block) for block in blocks]
    kept = [number for number, payload in enumerate(payloads) if payload and payload != DONE]
    dones = [number for number, payload in enumerate(payloads) if payload == DONE]
    reading.events = len(kept)
    try:
        events = _decoded([payloads[number] for number in kept], api)
    except msgspec.DecodeError as error:
        reading.outcome, reading.detail = Outcome.MALFORMED, str(error)
        events = []
    if kept:
        pieces = np.minimum(np.searchsorted(answer.marks, ends[kept]), len(call.stamps) - 1)
        _time(reading, call, _arrivals(call, clock), pieces, events)
    for event in events:
        for usage in event.usages:
            _account(reading, usage)
    if reading.outcome is Outcome.OK:
        last_kept = kept[-1] if kept else -1
        reading.outcome, reading.detail = _judged(reading, events, dones, rest, last_kept, typed=api in TYPED)


def split(body: bytes) -> tuple[list[bytes], Instants, bytes]:
    """The blocks of an event stream, where each ends in the body, and what stands behind the last of them."""
    crlf = b"\r\n\r\n" in body
    mark = b"\r\n\r\n" if crlf else b"\n\n"
    blocks = body.split(mark)
    rest = blocks.pop()
    ends = np.cumsum(np.fromiter(map(len, blocks), dtype=np.int64, count=len(blocks)) + len(mark))
    return blocks, ends, rest


def _payload(block: bytes) -> bytes:
    """The data of an event; empty for comments and the like."""
    if block.startswith(b"data: ") and b"\n" not in block:
        return block[6:]
    lines = block.replace(b"\r\n", b"\n").split(b"\n")
    return b"\n".join(line[len(FIELD) :].removeprefix(b" ") for line in lines if line.startswith(FIELD))


def _decoded(payloads: list[bytes], api: str) -> Events:
    """One call for all of them: the decoder is faster than the way to it."""
    array = b"[" + b",".join(payloads) + b"]"
    events: Events = EVENTS.decode(array) if api in TYPED else CHUNKS.decode(array)
    if len(events) != len(payloads):  # `1,2` is no payload, and yet the array would have room for it
        raise msgspec.DecodeError("several values in one event")
    return events


def _time(reading: Reading, call: Call, arrivals: Instants, pieces: Instants, events: Events) -> None:
    reading.first_event = int(arrivals[pieces[0]])
    tokens = [number for number, event in enumerate(events) if event.token]
    if not tokens:
        return
    reading.token_times = arrivals[pieces[tokens]]
    reading.first_token, reading.last_token = int(reading.token_times[0]), int(reading.token_times[-1])
    reading.read_first_token = call.reads[pieces[tokens[0]]]
    visible = next((number for number in tokens if events[number].visible), None)
    reading.first_visible = 0 if visible is None else int(arrivals[pieces[visible]])


def _account(reading: Reading, usage: Usage) -> None:
    """Later usage replaces earlier one, but what it leaves out stays."""
    for name, value in (
        ("prompt_tokens", usage.prompt),
        ("completion_tokens", usage.completion),
        ("cached_tokens", usage.cached),
    ):
        if value is not None:
            setattr(reading, name, value)
    if not usage.adds_up:
        reading.outcome = Outcome.WRONG_USAGE
        reading.detail = f"{usage.prompt} + {usage.completion} is not {usage.total_tokens}"


def _judged(
    reading: Reading,
    events: Events,
    dones: list[int],
    rest: bytes,
    last_kept: int,
    *,
    typed: bool,
) -> tuple[Outcome, str]:
    """A whole stream: does it keep what its API promises?"""
    error = next((event.error for event in events if event.error is not None), None)
    if error is not None:
        return Outcome.ERROR_INSIDE, _told(msgspec.json.encode(error))
    if rest.strip():
        return Outcome.TRUNCATED, f"{len(rest)} bytes behind the last event"
    if not any(event.finished for event in reversed(events)):  # it stands near the end
        return Outcome.TRUNCATED, f"no finish_reason in {len(events)} events"
    if typed:
        return Outcome.OK, ""
    if not dones:
        return Outcome.DONE_MISSING, ""
    if len(dones) > 1 or dones[0] < last_kept:
        return Outcome.DONE_TWICE, f"{len(dones)} times, {max(0, last_kept - dones[0])} events behind the first"
    if not len(reading.token_times) and reading.completion_tokens:
        return Outcome.EMPTY, f"{reading.completion_tokens} tokens counted, none seen"
    return Outcome.OK, ""


def _told(body: bytes) -> str:
    return " ".join(body.decode("utf-8", "replace").split())[:TOLD]
