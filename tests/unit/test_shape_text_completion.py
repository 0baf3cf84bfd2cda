"""Text completions: what a whole answer must have."""

from __future__ import annotations

from typing import Any

import pytest

from gateproof.shape.text_completion import choices_of, completion_flaws, completion_tokens


def answer(**changes: Any) -> dict[str, Any]:
    choice = {"index": 0, "text": "", "finish_reason": "stop", "logprobs": None}
    return {"id": "c", "object": "text_completion", "created": 1, "model": "m", "choices": [choice], **changes}


def with_choice(**changes: Any) -> dict[str, Any]:
    return answer(choices=[{**answer()["choices"][0], **changes}])


def test_a_right_answer_has_no_flaws() -> None:
    assert completion_flaws(answer()) == []


@pytest.mark.parametrize(
    ("body", "flaw"),
    [
        ([], "no object: []"),
        (answer(id=""), "id is '', not a text"),
        (answer(object="chat.completion"), "object is 'chat.completion', not 'text_completion'"),
        (answer(created=1.5), "created is 1.5, not Unix seconds"),
        (answer(choices=[]), "choices is [], not a non-empty array"),
        (answer(choices=[None]), "choices[0] is None, not an object"),
        (with_choice(text=None), "choices[0].text is None, not a text"),
        (with_choice(index=True), "choices[0].index is True, not an index"),
        (with_choice(finish_reason={}), "choices[0].finish_reason is {}, not one of"),
    ],
)
def test_each_flaw_is_named(body: object, flaw: str) -> None:
    assert [found for found in completion_flaws(body) if found.startswith(flaw)] != []


@pytest.mark.parametrize("body", [None, {}, {"choices": 7, "usage": 7}])
def test_what_is_not_there_is_nothing(body: object) -> None:
    assert (choices_of(body), completion_tokens(body)) == ([], None)
