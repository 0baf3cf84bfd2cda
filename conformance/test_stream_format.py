"""STREAM: the form of a stream, line by line and chunk by chunk (WHATWG HTML §9.2, OpenAI chat streaming)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from fixtures.api import OMIT, Api, unique
from fixtures.streams import STREAMS, controlled, said, streamed
from fixtures.upstream import Script, script
from gateproof.shape import stream as shape
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive
from gateproof.wire.chat import ChatStream

# One, two, three and four bytes of UTF-8; the script's nonce keeps it out of caches.
CHARACTERS = "a é 你好 🌍"
SENTENCE = "seven plain words of an obedient engine"
ECHOED = 24  # max_tokens for a model to say some of it, at up to three tokens a character
ENOUGH = 64  # max_tokens above every text here, so that no limit cuts it

LARGE_EVENT = 256 * 1024  # bytes (STREAM-031)
SMALL_EVENTS = 5000  # (STREAM-031)


@pytest.fixture
def stream(api: Api, target: Target) -> ChatStream:
    """A small stream of whatever model there is."""
    return streamed(api, repeating(target), max_tokens=ECHOED)


def repeating(target: Target) -> object:
    """A prompt whose answer has more than ASCII in it, for sure where the model takes orders."""
    return script(CHARACTERS, echo=True) if controlled(target) else f"Repeat: {CHARACTERS}"


def told(api: Api, order: Script) -> ChatStream:
    return streamed(api, order, max_tokens=ENOUGH)


@requirement("STREAM-001", requests=1, smoke=True)
def test_a_stream_is_an_event_stream(api: Api, target: Target) -> None:
    exchange = api.chat(repeating(target), stream=True, max_tokens=ECHOED)
    assert (exchange.status, exchange.content_type) == (200, "text/event-stream")


@requirement("STREAM-002", requests=1)
def test_the_body_is_utf8(stream: ChatStream) -> None:
    assert shape.utf8_error(body(stream)) is None


@requirement("STREAM-003", requests=1, needs=STREAMS)
def test_characters_survive_being_split_over_chunks(api: Api) -> None:
    stream = told(api, script(text=CHARACTERS, split=1))
    assert stream.text() == CHARACTERS


@requirement("STREAM-004", requests=1)
def test_every_line_is_a_field_a_comment_or_empty(stream: ChatStream) -> None:
    assert [violation for violation in stream.violations if violation.kind != "utf8"] == []


@requirement("STREAM-005", requests=1, needs=STREAMS)
def test_line_endings_are_of_one_style(api: Api) -> None:
    stream = told(api, script(text=SENTENCE, eol="\r\n"))
    assert shape.one_line_ending(body(stream))


@requirement("STREAM-006", requests=1, needs=STREAMS)
def test_comments_of_the_engine_harm_nothing(api: Api) -> None:
    stream = told(api, script(text=SENTENCE, comment_every=1))
    assert (stream.text(), stream.malformed, stream.violations) == (SENTENCE, [], [])


@requirement("STREAM-007", requests=1, needs=STREAMS)
def test_the_space_after_the_colon_is_optional(api: Api) -> None:
    stream = told(api, script(text=SENTENCE, space=False))
    assert (stream.text(), stream.malformed) == (SENTENCE, [])


@requirement("STREAM-008", requests=1)
def test_no_byte_order_mark_comes_first(stream: ChatStream) -> None:
    assert body(stream)[:3] != b"\xef\xbb\xbf"


@requirement("STREAM-009", requests=1)
def test_every_payload_is_one_json_object(stream: ChatStream) -> None:
    assert [event.data for event in stream.malformed] == []


@requirement("STREAM-010", requests=1)
def test_done_comes_once_and_last(stream: ChatStream) -> None:
    assert stream.done_positions == [stream.events[-1].index]


@requirement("STREAM-011", requests=1)
def test_chunks_belong_together(stream: ChatStream) -> None:
    assert shape.unsteady(said(stream)) == {}


CHOICES = [
    pytest.param(1, id="one-choice"),
    pytest.param(2, id="two-choices", marks=pytest.mark.needs("f.n")),
]


@requirement("STREAM-012", requests=1)
@pytest.mark.parametrize("number", CHOICES)
def test_every_choice_ends_once(api: Api, target: Target, number: int) -> None:
    """One finish reason each, and nothing said after it."""
    stream = streamed(api, repeating(target), max_tokens=ECHOED, n=number if number > 1 else OMIT)
    ends = shape.ends(said(stream))
    assert list(ends) == list(range(number))
    assert {index: end for index, end in ends.items() if not end.isidentifier()} == {}


@requirement("STREAM-013", requests=1)
def test_the_first_delta_names_the_role(stream: ChatStream) -> None:
    assert shape.first_roles(said(stream)) == {0: "assistant"}


@requirement("STREAM-014", requests=2, needs=STREAMS)
def test_a_stream_says_what_the_unary_answer_says(api: Api) -> None:
    order = script(f'{CHARACTERS} "quoted" \\ back\tslash\n\nand a  gap', echo=True)
    unary = api.chat(order, max_tokens=ENOUGH).at("choices", 0, "message", "content")
    assert told(api, order).text() == unary


@requirement("STREAM-015", requests=1)
def test_usage_comes_in_the_last_chunk_when_asked_for(api: Api) -> None:
    stream = streamed(api, stream_options={"include_usage": True})
    assert shape.usage_comes_last(said(stream))


@requirement("STREAM-016", requests=1)
def test_no_usage_comes_unasked(stream: ChatStream) -> None:
    assert [payload.data["usage"] for payload in stream.usages] == []


REFUSED = [
    pytest.param({"model": "unknown"}, id="unknown-model"),
    pytest.param({"messages": "no list"}, id="messages-of-a-wrong-type"),
]


@requirement("STREAM-026", requests=1)
@pytest.mark.parametrize("wrong", REFUSED)
def test_an_error_known_before_the_first_byte_is_a_status(api: Api, wrong: dict[str, Any]) -> None:
    fields: dict[str, Any] = {name: unique(value) if name == "model" else value for name, value in wrong.items()}
    exchange = api.chat(stream=True, **fields)
    if exchange.status == 200 and ChatStream.of(exchange).content_events and not ChatStream.of(exchange).error:
        raise Inconclusive(f"the target answers {fields} as if nothing were wrong: there is no error to report")
    family, kind = f"{exchange.status // 100}xx", exchange.content_type
    assert (family, kind) in {("4xx", "application/json"), ("4xx", "application/problem+json")}
    assert "error" in exchange.json()


@requirement("STREAM-028", requests=1)
def test_a_stream_is_neither_cached_nor_measured(stream: ChatStream) -> None:
    assert stream.exchange is not None
    headers = stream.exchange.headers
    directives = {word.partition("=")[0].strip() for word in headers.get("cache-control", "").lower().split(",")}
    kept = sorted(directives & {"no-store", "no-cache"})
    assert (kept != [], headers.get("content-length")) == (True, None)


@requirement("STREAM-030", requests=1)
def test_the_sdk_reads_a_stream_to_its_end(api: Api, target: Target) -> None:
    from fixtures.sdk import read_by_the_sdk  # noqa: PLC0415 - the SDK takes most of a second to load

    chunks, error = read_by_the_sdk(api, api.chat_body(repeating(target), max_tokens=ECHOED))
    assert error is None
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1:] != [None]


@requirement("STREAM-031", part="one large event", requests=2, tokens=2000, needs=STREAMS)
def test_a_large_event_passes_whole(api: Api) -> None:
    order = script(tokens=1, event_bytes=LARGE_EVENT)
    stream = told(api, order)
    assert digest(stream.text()) == digest(content(api, order, ENOUGH))
    assert len(stream.text()) >= LARGE_EVENT


@requirement("STREAM-031", part="many small events", requests=2, tokens=2 * SMALL_EVENTS + 1000, needs=STREAMS)
def test_many_small_events_pass_whole(api: Api) -> None:
    order = script(tokens=SMALL_EVENTS)
    stream = streamed(api, order, max_tokens=SMALL_EVENTS)
    assert digest(stream.text()) == digest(content(api, order, SMALL_EVENTS))
    assert len(stream.content_events) >= SMALL_EVENTS


def content(api: Api, order: Script, max_tokens: int) -> str:
    """The same order without a stream; the engine says the same."""
    text: str = api.chat(order, max_tokens=max_tokens).at("choices", 0, "message", "content")
    return text


def digest(text: str) -> str:
    """Length and hash, so that a failure of 256 KiB fits one line."""
    return f"{len(text)} characters {hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def body(stream: ChatStream) -> bytes:
    assert stream.exchange is not None
    return stream.exchange.decoded
