"""What a stream said is told as it was, however wrong."""

from __future__ import annotations

import gzip
import json

import httpx
import pytest

from gateproof.wire.chat import ChatStream
from gateproof.wire.exchange import Answer, Chunk, Exchange, Failure, NoAnswer


def exchange(*chunks: tuple[float, bytes], **headers: str) -> Exchange:
    answer = Answer(200, httpx.Headers(headers))
    return Exchange("POST", "http://x/v1", "/v1", answer=answer, chunks=[Chunk(at, data) for at, data in chunks])


def event(data: object) -> bytes:
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def delta(choice: int = 0, finish: str | None = None, **fields: object) -> dict:
    return {"choices": [{"index": choice, "delta": fields, "finish_reason": finish}]}


def stream(*payloads: object) -> ChatStream:
    return ChatStream.of(exchange((0.0, b"".join(map(event, payloads)))))


def test_a_usual_stream() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    chat = stream(
        delta(role="assistant", content=""),
        delta(content="a"),
        delta(1, content="x"),
        delta(content="b"),
        delta(finish="stop"),
        delta(1, finish="length"),
        {"choices": [], "usage": usage},
        "[DONE]",
    )
    assert (chat.text(), chat.text(1)) == ("ab", "x")
    assert chat.role == "assistant"
    assert chat.finish_reasons == {0: ["stop"], 1: ["length"]}
    assert chat.usage == usage
    assert chat.done_positions == [7]
    assert [event.index for event in chat.content_events] == [1, 2, 3]
    assert (chat.error, chat.malformed, chat.violations) == (None, [], [])
    assert len(chat.payloads) == 7


def test_completions_bring_text() -> None:
    assert stream({"choices": [{"index": 0, "text": "a"}]}, {"choices": [{"index": 0, "text": "b"}]}).text() == "ab"


def test_wrongs_are_kept_not_hidden() -> None:
    chat = stream(
        "{broken",
        "[1]",
        "null",
        delta(finish="stop"),
        delta(finish="stop"),
        {"error": {"code": 500}},
        "[DONE]",
        "[DONE]",
    )
    assert [event.data for event in chat.malformed] == ["{broken", "[1]", "null"]
    assert chat.finish_reasons == {0: ["stop", "stop"]}
    assert chat.error == {"code": 500}
    assert chat.done_positions == [6, 7]


@pytest.mark.parametrize(
    "payload",
    [{"choices": None}, {"choices": [1]}, {"choices": [{"delta": 1}]}, {"choices": [{"delta": {"content": 5}}]}],
)
def test_shapes_that_are_wrong_do_not_break_the_views(payload: dict) -> None:
    chat = stream(payload)
    assert (chat.text(), chat.role, chat.usage, chat.spread) == ("", None, None, 0.0)


def test_cadence_counts_content_only() -> None:
    start = [(0.0, event(delta(role="assistant")))]
    steps = [(1.0 + at / 10, event(delta(content="x"))) for at in range(5)]
    chat = ChatStream.of(exchange(*start, *steps, (9.0, event("[DONE]"))))
    assert chat.spread == pytest.approx(0.4)
    assert chat.gaps == pytest.approx([0.1] * 4)
    assert [chat.largest_burst(within) for within in (0.0, 0.15, 0.25, 10)] == [1, 2, 3, 5]


def test_burst_of_one_read() -> None:
    assert stream(*[delta(content="x")] * 7).largest_burst(within=0.01) == 7


def test_gzip_keeps_arrivals() -> None:
    packer = gzip.zlib.compressobj(wbits=31)  # type: ignore[attr-defined]  # zlib as gzip imports it
    first = packer.compress(event(delta(content="a"))) + packer.flush(gzip.zlib.Z_SYNC_FLUSH)  # type: ignore[attr-defined]
    second = packer.compress(event(delta(content="b"))) + packer.flush()
    chat = ChatStream.of(exchange((1.0, first), (2.0, second), **{"content-encoding": "gzip"}))
    assert (chat.text(), chat.spread) == ("ab", 1.0)


def test_no_answer_is_no_stream() -> None:
    with pytest.raises(NoAnswer):
        ChatStream.of(Exchange("POST", "http://x/", "/", failure=Failure("refused", "no")))
