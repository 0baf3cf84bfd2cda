"""The byte work: cutting streams at event ends, changing one JSON member, finding a form field."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.stack.gateway import multipart, splice, sse
from gateproof.stack.gateway.body import parse_object
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.headers import RequestHeaders
from gateproof.stack.gateway.relay import rename
from gateproof.stack.gateway.usage import Ledger

EVENTS = ["data: {}", "data:é 你好🌍", ": ping", "event: x{eol}data: 1", "data: [DONE]"]


@given(
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.sampled_from(EVENTS), min_size=1, max_size=8),
    st.lists(st.integers(1, 200), max_size=20),
    st.booleans(),
)
def test_splitter_gives_every_byte_once_and_only_whole_events(
    eol: str, events: list[str], cuts: list[int], ended: bool
) -> None:
    whole = "".join(event.replace("{eol}", eol) + eol * 2 for event in events) + ("" if ended else "data: tail")
    raw, splitter, taken = whole.encode(), sse.Splitter(), []
    places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    for begin, end in itertools.pairwise(places):
        taken.append(splitter.take(raw[begin:end]))
    rest = splitter.rest()
    assert b"".join(taken) + rest == raw
    for piece in filter(None, taken):
        assert piece.endswith((eol * 2).encode()) or piece == b"\n"
    assert not (ended and eol == "\n" and rest)


def test_an_event_of_many_pieces_is_held_until_it_is_whole() -> None:
    splitter = sse.Splitter()
    raw = "data: é\r\n\r\n".encode()
    assert [splitter.take(raw[at : at + 1]) for at in range(len(raw))][:-1] == [b""] * (len(raw) - 1)


def test_our_own_lines_end_as_the_upstream_ends_its_own() -> None:
    splitter = sse.Splitter()
    splitter.take(b"data: 1\r\n\r\n")
    assert sse.comment(b"keep-alive", splitter.eol) == b": keep-alive\r\n\r\n"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), values, max_size=5), st.sampled_from([None, 1]), st.text(max_size=9))
def test_replacing_a_member_changes_nothing_else(before: dict[str, Any], indent: int | None, name: str) -> None:
    given_body = json.dumps({**before, "model": "old", "z": 1.50}, indent=indent).encode()
    changed = splice.replace(given_body, "model", name)
    assert json.loads(changed) == {**before, "model": name, "z": 1.5}
    assert splice.replace(changed, "model", "old") == given_body


def test_numbers_and_spacing_survive_a_replacement() -> None:
    body = b'{ "a":1e400,\t"n":12345678901234567890123, "model" : "x" , "u":"\\u00e9\\ud800" }'
    assert splice.replace(body, "model", "yy") == body.replace(b'"x"', b'"yy"')


def test_adding_puts_the_member_in_front() -> None:
    assert splice.add(b' {"a":1}', "s", {"b": True}) == b' {"s":{"b": true},"a":1}'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"id":1,"model":"up","x":{"model":"up"}}', b'{"id":1,"model":"new","x":{"model":"up"}}'),
        (b'data: {"response":{"id":1,"model":"up"}}\n\n', b'data: {"response":{"id":1,"model":"new"}}\n\n'),
        (b"data: [DONE]\n\n", b"data: [DONE]\n\n"),
        (b'data: {"text":"\\"model\\":\\"up\\""}\n\n', b'data: {"text":"\\"model\\":\\"up\\""}\n\n'),
    ],
)
def test_only_the_replys_own_model_is_renamed(body: bytes, expected: bytes) -> None:
    assert rename(body, "new") == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"nul",
        b'{"a":NaN}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":"\xff"}',
        b'{"model":"a","model":"b"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_json_object_is_a_400(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse_object(body)
    assert caught.value.status == 400


def form(boundary: str, *parts: tuple[str, bytes]) -> bytes:
    pieces = [f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + body for head, body in parts]
    return b"\r\n".join([*pieces, f"--{boundary}--\r\n".encode()])


@pytest.mark.parametrize("boundary", ["x", "----WebKit'()+_,-./:=?", "a b"])
def test_the_model_is_found_in_a_form(boundary: str) -> None:
    headers = RequestHeaders([(b"content-type", f'multipart/form-data; charset=x; boundary="{boundary}"'.encode())])
    body = form(boundary, ('name="file"; filename="a\\"model\\".wav"', b"--x\r\n\r\nRIFF"), ('name="model"', b"m1"))
    name, begin, end = multipart.model_field(body, multipart.boundary_of(headers))
    assert (name, body[begin:end]) == ("m1", b"m1")


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\nfoo", b"junk"])
def test_a_broken_form_is_a_400(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        multipart.model_field(body, b"x")
    assert caught.value.status == 400


def test_usage_is_the_last_word_of_the_engine() -> None:
    ledger = Ledger()
    ledger.note({"usage": None})
    assert not ledger.known
    ledger.note({"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
    ledger.note({"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
    assert ledger.tokens == 7


def test_usage_of_an_anthropic_stream_is_put_together() -> None:
    ledger = Ledger()
    ledger.note({"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}})
    ledger.note({"type": "message_delta", "usage": {"output_tokens": 5}})
    assert ledger.tokens == 14
