"""The reader follows WHATWG HTML §9.2, names every deviation, and does not care how bytes were cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateproof.wire import sse
from gateproof.wire.sse import Reader, read


def facts(reader: Reader) -> tuple:
    return (reader.events, reader.comments, reader.violations, reader.bom, reader.endings, reader.rest)


def datas(stream: bytes) -> list[str]:
    return [event.data for event in read(stream).events]


def kinds(stream: bytes) -> list[str]:
    return [violation.kind for violation in read(stream).violations]


@pytest.mark.parametrize("eol", [b"\n", b"\r", b"\r\n"], ids=["lf", "cr", "crlf"])
def test_every_line_ending_ends_a_line(eol: bytes) -> None:
    reader = read(b": hi\ndata: a\ndata: b\n\nevent: x\nid: 7\nretry: 10\ndata:c\n\n".replace(b"\n", eol))
    first, second = reader.events
    assert (first.data, first.name, first.id, first.retry) == ("a\nb", None, None, None)
    assert (second.data, second.name, second.id, second.retry) == ("c", "x", "7", 10)
    assert reader.endings == {eol.decode()}
    assert [(comment.text, comment.after) for comment in reader.comments] == [("hi", 0)]
    assert not reader.violations


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: x\n\n", ["x"]),
        (b"data:x\n\n", ["x"]),
        (b"data:  x\n\n", [" x"]),
        (b"data:\n\n", [""]),
        (b"data\n\n", [""]),
        (b"data\ndata\n\n", ["\n"]),
        (b"data: a: b\n\n", ["a: b"]),
        (b"event: x\n\ndata: y\n\n", ["y"]),
        (b"\xef\xbb\xbfdata: x\n\n", ["x"]),
        (b"\n\n\ndata: x\n\n\n\n", ["x"]),
        ("data: 你好🌍é\n\n".encode(), ["你好🌍é"]),
        ("data: a\u2028b\x0bc\x85d\n\n".encode(), ["a\u2028b\x0bc\x85d"]),
    ],
)
def test_events_are_read_as_the_standard_says(stream: bytes, expected: list[str]) -> None:
    assert datas(stream) == expected
    assert kinds(stream) == []


@pytest.mark.parametrize(
    ("stream", "kind", "offset", "expected"),
    [
        (b"data: x\n\nfoo: y\ndata: z\n\n", "unknown_field", 9, ["x", "z"]),
        (b"Data: x\n\n", "unknown_field", 0, []),
        (b'{"error": 1}\n\n', "unknown_field", 0, []),
        (b" data: x\n\n", "unknown_field", 0, []),
        (b"data: a\xffb\n\n", "utf8", 7, ["a\ufffdb"]),
        (b"data: a\n\ndata: \xe4\xbd\n\n", "utf8", 15, ["a", "\ufffd"]),
        (b"id: a\0b\ndata: x\n\n", "nul_in_id", 0, ["x"]),
        (b"retry: 1s\ndata: x\n\n", "bad_retry", 0, ["x"]),
        (b"data: a\n\ndata: [DONE]", "unterminated", 9, ["a"]),
        (b"data: a\n\ndata: [DONE]\n", "unterminated", 9, ["a"]),
        (b"data: a\r\n\r\ndata: [DONE]\r\n", "unterminated", 11, ["a"]),
        (b"data: a\n\nda", "unterminated", 9, ["a"]),
        (b"\xef\xbb\xbfdata: x\n\n\xef\xbb\xbfdata: y\n\n", "unknown_field", 12, ["x"]),
    ],
)
def test_every_deviation_has_a_name_and_a_place(stream: bytes, kind: str, offset: int, expected: list[str]) -> None:
    reader = read(stream)
    assert [(violation.kind, violation.offset) for violation in reader.violations] == [(kind, offset)]
    assert [event.data for event in reader.events] == expected


@pytest.mark.parametrize("stream", [b"", b": ping\n", b"data: x\n\n: bye\n", b"data: x\r\r"])
def test_a_stream_may_end_between_events(stream: bytes) -> None:
    assert kinds(stream) == []


def test_what_is_lost_at_the_end_can_be_seen() -> None:
    assert read(b"data: a\n\ndata: b\nda").rest == b"data: b\nda"


def test_byte_order_mark_is_a_fact_not_a_violation() -> None:
    assert read(b"\xef\xbb\xbfdata: x\n\n").bom
    assert not read(b"data: x\n\n").bom


def test_an_event_arrives_with_its_blank_line() -> None:
    reader = Reader()
    assert reader.feed(b"data: a\n", 1.0) == []
    (event,) = reader.feed(b"\ndata: b\r\n\r", 2.0)[:1]
    assert (event.at, event.raw) == (2.0, b"data: a\n")
    # A lone carriage return ends the line at once: nobody waits for a line feed that may not come.
    assert [event.at for event in reader.events] == [2.0, 2.0]
    assert reader.feed(b"\n: late\n", 3.0) == []
    assert reader.comments[0].at == 3.0
    assert [event.index for event in reader.events] == [0, 1]


def test_an_event_that_never_ends_is_dropped_not_kept() -> None:
    reader = Reader(max_event=1000)
    for _ in range(1000):
        reader.feed(b"x" * 10_000)
    reader.feed(b"\n\ndata: next\n\n")
    reader.close()
    assert [violation.kind for violation in reader.violations] == ["too_long"]
    assert [event.data for event in reader.events] == ["next"]


def test_endless_lines_are_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_LINES", 10)
    reader = read(b"data: x\n\n" * 100)
    assert len(reader.events) == 5
    assert reader.violations[0].kind == "too_many"


PIECES = st.sampled_from(
    b"data|: |:|x|\r|\n|\r\n|\xef\xbb\xbf|id|\0|event|retry|12|\xc3\xa9|\xff|\xe4|[DONE]| |data: x\n\n".split(b"|")
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=25).map(b"".join), st.sets(st.integers(1, 80)), st.sampled_from([8, 1000]))
@example(b"data: x\r\n\r\n", set(range(12)), 1000)
@example(b"data: xyz\r\n\r\n", {10}, 9)
def test_the_outcome_does_not_depend_on_how_bytes_are_cut(stream: bytes, cuts: set[int], max_event: int) -> None:
    whole, pieces = Reader(max_event=max_event), Reader(max_event=max_event)
    whole.feed(stream)
    whole.close()
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    for start, end in itertools.pairwise(edges):
        pieces.feed(stream[start:end])
    pieces.close()
    assert facts(pieces) == facts(whole)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=8), min_size=1)
    ),
    st.sampled_from(["\n", "\r", "\r\n"]),
    st.sampled_from(["data: ", "data:"]),
)
def test_what_is_written_is_read(events: list[list[str]], eol: str, prefix: str) -> None:
    stream = "".join("".join(f"{prefix}{line}{eol}" for line in event) + eol for event in events)
    expected = ["\n".join(line.removeprefix(" ") if prefix == "data:" else line for line in event) for event in events]
    assert datas(stream.encode()) == expected
    assert kinds(stream.encode()) == []
