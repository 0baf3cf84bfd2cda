"""The judge of chat completions: right ones pass, each flaw is named, and nothing malformed makes it fall over."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits.finding import Undecided
from gateproof.shape import completion as shape

CHOICE: dict[str, Any] = {
    "index": 0,
    "message": {"role": "assistant", "content": "red oak"},
    "logprobs": None,
    "finish_reason": "stop",
}
REPLY: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_760_000_000,
    "model": "m",
    "choices": [CHOICE],
    "usage": {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6},
}
ENTRY: dict[str, Any] = {"token": "red", "logprob": -0.25, "bytes": [114, 101, 100], "top_logprobs": []}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "choices", "message", "usage", "content", "logprobs", "index"]), each)
    ),
    max_leaves=12,
)


def with_choice(**changes: Any) -> dict[str, Any]:
    return {**REPLY, "choices": [{**CHOICE, **changes}]}


def test_a_right_reply_has_no_flaw() -> None:
    assert (shape.reply_flaws(REPLY), shape.choice_flaws(REPLY), shape.usage_flaws(REPLY["usage"])) == ([], [], [])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", ""),
        ("id", None),
        ("object", "text_completion"),
        ("created", 1.5),
        ("created", True),
        ("model", None),
        ("choices", []),
        ("choices", {}),
    ],
)
def test_each_flaw_of_a_reply_is_named_with_its_value(name: str, value: Any) -> None:
    assert shape.reply_flaws({**REPLY, name: value}) == [f"{name} is {value!r}"]


@pytest.mark.parametrize(
    ("changes", "flaw"),
    [
        ({"index": "0"}, "choices[0]: index is '0'"),
        ({"finish_reason": None}, "choices[0]: finish_reason is None"),
        ({"finish_reason": "eos"}, "choices[0]: finish_reason is 'eos'"),
        ({"message": None}, "choices[0]: message is None"),
        ({"message": {"role": "assistant"}}, "choices[0]: message.content is None"),
        ({"message": {"role": "model", "content": ""}}, "choices[0]: message.role is 'model'"),
    ],
)
def test_each_flaw_of_a_choice_is_named(changes: dict[str, Any], flaw: str) -> None:
    assert shape.choice_flaws(with_choice(**changes)) == [flaw]


def test_no_content_is_content() -> None:
    assert shape.choice_flaws(with_choice(message={"role": "assistant", "content": None})) == []


@pytest.mark.parametrize("value", [True, -1, 4.0, "4", None])
def test_a_count_is_a_whole_number_and_no_boolean(value: Any) -> None:
    assert shape.usage_flaws({**REPLY["usage"], "prompt_tokens": value}) == [f"prompt_tokens is {value!r}"]


@pytest.mark.parametrize(
    ("details", "flaws"),
    [
        ({}, 0),
        ({"prompt_tokens_details": None, "completion_tokens_details": {}}, 0),
        ({"prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}}, 0),
        ({"prompt_tokens_details": {"cached_tokens": None}}, 0),
        ({"prompt_tokens_details": {"cached_tokens": 5}}, 1),
        ({"completion_tokens_details": {"reasoning_tokens": 3}}, 1),
        ({"prompt_tokens_details": {"cached_tokens": -1}}, 1),
    ],
)
def test_details_are_bounded(details: dict[str, Any], flaws: int) -> None:
    assert len(shape.detail_flaws({**REPLY["usage"], **details})) == flaws


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("gpt-4o", True),
        ("gpt-4o-2024-08-06", True),
        ("gpt-4o-0613", True),
        ("openai/gpt-4o", True),
        ("gpt-4o-mini", False),
        ("gpt-4o-mini-2024-07-18", False),
        ("gpt-4", False),
        ("/models/gpt-4o", False),
        (None, False),
    ],
)
def test_a_reply_names_the_model_or_a_snapshot_of_it(said: object, right: bool) -> None:
    assert shape.names_model(said, "gpt-4o", ["openai/gpt-4o"]) is right


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I think so", False),
        ("<think>hm</think>42", True),
        ("hm</think>42", True),
        ("[THINK]hm[/THINK]", True),
        ("<|channel|>analysis", True),
        ("a < b > c", False),
    ],
)
def test_thoughts_left_in_a_text_are_found(text: str, found: bool) -> None:
    assert bool(shape.thoughts_in(text)) is found


@pytest.mark.parametrize(
    ("text", "reason", "right"),
    [
        ("one ", "stop", True),
        ("one ", "length", False),
        ("one two", "stop", False),
        ("one two three", "length", False),
        ("on", "stop", False),
    ],
)
def test_a_stop_string_ends_the_text_before_it(text: str, reason: str, right: bool) -> None:
    assert bool(shape.stops_before("one two three", "two", text, reason)) is right


def test_another_text_decides_nothing() -> None:
    with pytest.raises(Undecided):
        assert shape.stops_before("one two three", "two", "four", "stop")


@given(st.text(alphabet=st.sampled_from("ab1 \ufffd\n"), max_size=30))
def test_a_stop_string_is_in_the_text_and_not_at_its_beginning(text: str) -> None:
    stop = shape.stop_within(text)
    assert stop is None or text.index(stop) >= 0


@pytest.mark.parametrize(
    ("text", "stop"),
    [
        ("one two three", "three"),
        ("Iv~\x0fv~\ufffd", "~"),  # no words: a character that the text does not begin with
        ("aaa", None),
        ("\ufffd\ufffd", None),
    ],
)
def test_a_stop_string_is_a_word_or_at_least_a_character(text: str, stop: str | None) -> None:
    assert shape.stop_within(text) == stop


@pytest.mark.parametrize("value", [0, -0.5, -9999.0])
def test_log_probabilities_may_be_zero_or_the_sentinel(value: float) -> None:
    assert shape.is_log_probability(value)


@pytest.mark.parametrize("value", [0.1, -math.inf, math.nan, None, "-1", True])
def test_other_values_are_no_log_probabilities(value: object) -> None:
    assert not shape.is_log_probability(value)


def test_an_entry_of_logprobs_is_judged() -> None:
    assert shape.token_flaws(ENTRY) == []
    assert shape.token_flaws({**ENTRY, "bytes": None}) == []
    assert shape.token_flaws({name: value for name, value in ENTRY.items() if name != "bytes"}) == ["bytes is None"]
    assert shape.token_flaws({**ENTRY, "bytes": [256]}) == ["bytes is [256]"]
    assert shape.joined_bytes([ENTRY, {"token": "é", "bytes": None}]) == "redé".encode()


@pytest.mark.parametrize(
    ("error", "named"),
    [
        ({"code": "context_length_exceeded", "message": "no"}, True),
        ({"code": None, "message": "This model's maximum context length is 8192 tokens."}, True),
        ({"code": 400, "message": "bad request"}, False),
        ("prompt is too long", True),
        (None, False),
    ],
)
def test_a_refusal_names_the_length(error: object, named: bool) -> None:
    assert shape.names_length({"error": error}) is named


def test_the_limit_ends_a_reply() -> None:
    assert shape.ends_at_limit({**with_choice(finish_reason="length")}, 2)
    assert not shape.ends_at_limit(with_choice(finish_reason="length"), 1)
    assert not shape.ends_at_limit(REPLY, 2)


@given(JSON)
def test_nothing_malformed_makes_it_fall_over(value: Any) -> None:
    for flaws in (shape.reply_flaws, shape.usage_flaws, shape.token_flaws):
        assert all(isinstance(flaw, str) for flaw in flaws(value))
    assert shape.names_length(value) in (True, False)
    if isinstance(value, dict):
        shape.choice_flaws(value)
        shape.detail_flaws(value)
        shape.text_of(value)
        shape.log_probabilities(shape.tokens_in(value))
        shape.finish_reason(value)
        shape.count_of(value, "prompt_tokens")
