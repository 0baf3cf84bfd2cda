"""The engine's orders, tokens and replies, without a server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.stack.engine import reply, tokens, vectors
from gateproof.stack.engine.script import Script, parse, text_of
from gateproof.stack.engine.wire import Refused


def said(body: dict[str, Any], **orders: Any) -> tuple[str, str]:
    made = reply.choice(Script(**orders), body, 0, None)
    return made.text, made.finish_reason


def test_orders_are_taken_out_of_the_prompt() -> None:
    script = parse('before <<gateproof:{"nonce":"n1","tokens":3}>> after', "a")
    assert (script.nonce, script.tokens, script.spoken) == ("n1", 3, "before after")


@pytest.mark.parametrize(
    "text",
    ["", "plain", "<<gateproof:", "<<gateproof:nonsense>>", "<<gateproof:[1]>>", '<<gateproof:{"tokens":'],
)
def test_what_is_no_order_is_text(text: str) -> None:
    assert parse(text, "a") == Script(spoken=text)


def test_unknown_orders_are_left_alone() -> None:
    assert parse('<<gateproof:{"future":1,"gap":0.5}>>', "a").gap == 0.5


@pytest.mark.parametrize(("engine", "status"), [("a", 503), ("b", 0)])
def test_orders_may_be_for_one_engine_only(engine: str, status: int) -> None:
    assert parse('<<gateproof:{"nonce":"n","on":{"a":{"status":503}}}>>', engine).status == status


@pytest.mark.parametrize("by_engine", ["null", "7", '{"a":null}'])
def test_senseless_orders_for_one_engine_are_none(by_engine: str) -> None:
    assert parse(f'<<gateproof:{{"nonce":"n","on":{by_engine}}}>>', "a").nonce == "n"


def test_braces_and_marks_inside_strings_are_data() -> None:
    assert parse('<<gateproof:{"text":"}>> <<gateproof:{"}>> tail', "a").text == "}>> <<gateproof:{"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        ([{"type": "text", "text": "one "}, {"type": "text", "text": "two"}], "one two"),
        ([{"type": "image_url"}, {"text": 7}, None], ""),
        (None, ""),
    ],
)
def test_the_text_of_a_message(content: Any, text: str) -> None:
    assert text_of(content) == text


@given(st.text())
def test_tokens_joined_are_the_text(text: str) -> None:
    assert "".join(tokens.split(text)) == text


@pytest.mark.parametrize(("text", "count"), [("", 0), ("four", 1), ("fives", 2), ("a b", 2), ("a ", 2), ("  ", 1)])
def test_tokens_are_counted(text: str, count: int) -> None:
    assert tokens.count(text) == count


@pytest.mark.parametrize("number", [0, 1, 8, 100])
def test_made_up_text_has_the_ordered_tokens(number: int) -> None:
    assert tokens.count(tokens.made_up("seed", number)) == number


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({}, ("one two six", "stop")),
        ({"max_tokens": 3}, ("one two six", "stop")),
        ({"max_tokens": 2}, ("one two", "length")),
        ({"max_tokens": 9, "max_completion_tokens": 1}, ("one", "length")),
        ({"stop": "two"}, ("one ", "stop")),
        ({"stop": ["six", "two"]}, ("one ", "stop")),
        ({"stop": ["two"], "max_tokens": 1}, ("one", "length")),
        ({"stop": [""]}, ("one two six", "stop")),
    ],
)
def test_limits_and_stops(body: dict[str, Any], answer: tuple[str, str]) -> None:
    assert said(body, text="one two six") == answer


def test_the_same_prompt_gives_the_same_text_and_another_choice_another() -> None:
    first, again, other = (reply.choice(Script(spoken="x"), {}, index, None).text for index in (0, 0, 1))
    assert first == again != other


def test_a_vector_depends_on_its_text_alone_and_has_length_one() -> None:
    one, again, other = vectors.vector("x", 64), vectors.vector("x", 64), vectors.vector("y", 64)
    assert one == again != other
    assert sum(number * number for number in one) == pytest.approx(1)


@pytest.mark.parametrize(
    ("given", "texts"),
    [("x", ["x"]), (["x", "y"], ["x", "y"]), ([1, 2], ["1 2"]), ([[1], [2, 3]], ["1", "2 3"])],
)
def test_inputs_of_embeddings(given: Any, texts: list[str]) -> None:
    assert vectors.inputs_of(given) == texts


@pytest.mark.parametrize("given", ["", [], [""], [[]], ["x", ""], 7, [True], {"x": 1}, ["x"] * 2049])
def test_inputs_that_are_refused(given: Any) -> None:
    with pytest.raises(Refused):
        vectors.inputs_of(given)
