"""The judgement over streams: right ones pass, each wrong one is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits.finding import Undecided
from gateproof.shape.stream import (
    ends,
    first_roles,
    follows_cadence,
    largest_burst,
    longest_gap,
    one_line_ending,
    unsteady,
    usage_comes_last,
    utf8_error,
)

CADENCE: dict[str, Any] = {"events": 20, "gap": 0.1}


def chunk(content: str | None = None, finish: str | None = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    delta = {} if content is None else {"content": content}
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **fields}


def test_utf8_error_tells_where() -> None:
    assert utf8_error("né 🌍".encode()) is None
    assert (utf8_error(b"ab\xe9") or "").startswith("byte 2: unexpected end of data")


def test_steady_chunks() -> None:
    assert unsteady([chunk("a"), chunk("b")]) == {}


@pytest.mark.parametrize(
    ("chunks", "wrong"),
    [
        ([chunk(), chunk(id="c2")], {"id": ["c1", "c2"]}),
        ([chunk(), chunk(created=2)], {"created": [1, 2]}),
        ([chunk(model="")], {"model": [""]}),
        ([chunk(object="chat.completion")], {"object": ["chat.completion"]}),
        ([{}], {"object": [None], "id": [None], "created": [None], "model": [None]}),
        ([], {"object": [], "id": [], "created": [], "model": []}),
    ],
)
def test_unsteady_chunks(chunks: list[dict[str, Any]], wrong: dict[str, Any]) -> None:
    assert unsteady(chunks) == wrong


@pytest.mark.parametrize(
    ("chunks", "story"),
    [
        ([chunk("a"), chunk(finish="stop")], {0: "stop"}),
        ([chunk("a", finish="stop")], {0: "stop"}),
        ([chunk("a")], {0: ""}),
        ([chunk(finish="stop"), chunk("a")], {0: "stop +"}),
        ([chunk(finish="stop"), chunk(finish="stop")], {0: "stop stop"}),
        ([chunk("a", index=1), chunk(finish="stop"), chunk(finish="length", index=1)], {0: "stop", 1: "length"}),
        ([chunk(finish="stop"), chunk("")], {0: "stop"}),
        ([{"choices": []}, {"choices": None}, {}], {}),
    ],
)
def test_how_choices_end(chunks: list[dict[str, Any]], story: dict[int, str]) -> None:
    assert ends(chunks) == story


def test_first_roles_are_those_of_the_first_delta() -> None:
    named = {"choices": [{"index": 0, "delta": {"role": "assistant"}}, {"index": 1, "delta": {"content": "x"}}]}
    late = {"choices": [{"index": 1, "delta": {"role": "assistant"}}]}
    assert first_roles([named, late]) == {0: "assistant", 1: None}


def test_usage_in_the_last_chunk() -> None:
    last = {"choices": [], "usage": {"total_tokens": 3}}
    assert usage_comes_last([chunk("a", usage=None), chunk(finish="stop"), last])


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk("a")],
        [chunk("a", usage={"total_tokens": 1}), {"choices": [], "usage": {"total_tokens": 3}}],
        [chunk(finish="stop", usage={"total_tokens": 3})],
        [{"choices": [], "usage": {"total_tokens": 3}}, chunk(finish="stop")],
        [],
    ],
)
def test_usage_elsewhere(chunks: list[dict[str, Any]]) -> None:
    assert usage_comes_last(chunks).holds is False


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\n"])
def test_one_line_ending(ending: bytes) -> None:
    assert one_line_ending(ending.join([b"data: 1", b"", b"data: 2", b"", b""]))


@pytest.mark.parametrize("data", [b"data: 1\r\n\n", b"data: 1\n\n\n\ndata: 2\n\n", b"data: 1\r\r\n\r\r\n", b"data: 1"])
def test_several_line_endings_or_doubled_ones(data: bytes) -> None:
    assert one_line_ending(data).holds is False


@given(st.lists(st.floats(-0.02, 0.02), min_size=20, max_size=20))
def test_a_faithful_relay_follows_the_cadence(jitter: list[float]) -> None:
    assert follows_cadence(sorted(index * 0.1 + delay for index, delay in enumerate(jitter)), **CADENCE)


@given(st.integers(3, 20))
def test_a_relay_that_holds_back_three_or_more_does_not(held: int) -> None:
    arrivals = [min((index // held + 1) * held - 1, 19) * 0.1 for index in range(20)]
    assert follows_cadence(arrivals, **CADENCE).holds is False


def test_a_relay_that_merges_three_events_into_one_does_not() -> None:
    assert follows_cadence([index * 0.3 for index in range(7)], **CADENCE).holds is False


def test_no_content_is_no_cadence() -> None:
    assert follows_cadence([], **CADENCE).holds is False


def late(start: float, end: float) -> list[float]:
    """What a faithful relay's events look like to a reader that was held up once."""
    return [end if start <= index * 0.1 <= end else index * 0.1 for index in range(20)]


def test_what_was_read_late_says_nothing() -> None:
    assert follows_cadence(late(0.45, 0.95), held_up=[(0.45, 0.95)], **CADENCE)
    assert follows_cadence(late(0.45, 0.95), **CADENCE).holds is False


def test_a_reader_that_was_held_up_for_most_of_it_cannot_tell() -> None:
    with pytest.raises(Undecided, match="held up"):
        bool(follows_cadence(late(0.2, 1.45), held_up=[(0.2, 1.45)], **CADENCE))


def test_heaps_beside_a_hold_up_may_be_the_machines() -> None:
    heaps = [0.0, 0.1, 0.2, *[0.6] * 4, *(0.7 + index * 0.1 for index in range(13))]
    with pytest.raises(Undecided):
        bool(follows_cadence(heaps, held_up=[(1.2, 1.35)], **CADENCE))


def test_a_hold_up_does_not_excuse_what_came_all_at_the_end() -> None:
    assert follows_cadence([1.9] * 20, held_up=[(1.0, 1.3)], **CADENCE).holds is False


def test_bursts_and_gaps() -> None:
    assert largest_burst([0, 0.005, 0.009, 1, 1.005]) == 3
    assert longest_gap([0, 0.5, 2, 2.1]) == 1.5
    assert (largest_burst([]), longest_gap([1])) == (0, 0.0)
