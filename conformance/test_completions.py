"""COMP: text completions (openai-openapi, createCompletion)."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.api import OMIT, PROMPT, Api
from gateproof.shape.text_completion import OBJECT, choices_of, completion_flaws, completion_tokens
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive
from gateproof.wire.chat import ChatStream
from gateproof.wire.exchange import Exchange

PROMPTS = ["the moon is", "a green boat", "seven wise owls"]
FEW = 4  # max_tokens that tell one answer from another
REPEATABLE: dict[str, Any] = {"temperature": 0, "max_tokens": FEW}
DEFAULT_TOKENS = 16  # max_tokens when the request names none, openai-openapi
# Few models would end this before the default limit does.
ENDLESS = "one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve,"


def answered(exchange: Exchange) -> Any:
    """The JSON of an answer to a request that must be served."""
    assert exchange.status == 200
    return exchange.json()


def texts(exchange: Exchange) -> list[Any]:
    return [choice.get("text") for choice in choices_of(answered(exchange))]


@requirement("COMP-001", requests=1)
def test_a_completion_has_its_form(api: Api) -> None:
    assert completion_flaws(answered(api.complete())) == []


NUMBERED = [
    pytest.param(PROMPTS[0], 1, id="one-text"),
    pytest.param(PROMPTS, 1, id="three-texts"),
    pytest.param(PROMPTS, 2, id="three-texts-twice", marks=pytest.mark.needs("f.n")),
]


@requirement("COMP-002", part="indexes", requests=1)
@pytest.mark.parametrize(("prompt", "number"), NUMBERED)
def test_every_prompt_gets_its_choices(api: Api, prompt: Any, number: int) -> None:
    completion = answered(api.complete(prompt, n=number if number > 1 else OMIT))
    prompts = len(prompt) if isinstance(prompt, list) else 1
    assert [choice.get("index") for choice in choices_of(completion)] == list(range(prompts * number))


@requirement("COMP-002", part="order", requests=len(PROMPTS) + 1)
def test_choices_come_in_the_order_of_their_prompts(api: Api) -> None:
    alone = [texts(api.complete(prompt, **REPEATABLE))[0] for prompt in PROMPTS]
    together = texts(api.complete(PROMPTS, **REPEATABLE))
    if together != alone and (len(set(alone)) < len(alone) or not set(together) <= set(alone)):
        raise Inconclusive(f"the model does not repeat itself: {alone} one by one, {together} together")
    assert together == alone


@requirement("COMP-003", requests=1)
def test_a_prompt_of_tokens_is_one_prompt_or_refused(api: Api) -> None:
    exchange = api.complete([1, 2, 3])
    choices = len(choices_of(exchange.json())) if exchange.status == 200 else 0
    assert (exchange.status, choices) in {(200, 1), (400, 0)}


@requirement("COMP-004", requests=1)
def test_echo_puts_the_prompt_in_front(api: Api) -> None:
    text = texts(api.complete(PROMPTS[0], echo=True, max_tokens=FEW))[0]
    # Tokenizers may put a blank before the first word.
    assert str(text).lstrip()[: len(PROMPTS[0])] == PROMPTS[0]


@requirement("COMP-005", requests=1, needs=("f.stream",))
def test_a_stream_of_completions_has_its_form(api: Api) -> None:
    stream = ChatStream.of(api.complete(stream=True))
    assert {payload.data.get("object") for payload in stream.payloads} == {OBJECT}
    assert stream.done_positions == [stream.events[-1].index]


def longest(target: Target) -> int:
    """Tokens that an answer without any limit may have."""
    return target.context_window or 8192


@requirement("COMP-006", requests=1, tokens=longest)
def test_an_answer_has_sixteen_tokens_unless_told_otherwise(api: Api) -> None:
    completion = answered(api.complete(ENDLESS, max_tokens=OMIT))
    reasons = {choice.get("finish_reason") for choice in choices_of(completion)}
    tokens = completion_tokens(completion)
    if isinstance(tokens, int) and tokens < DEFAULT_TOKENS and reasons == {"stop"}:
        raise Inconclusive(f"the model itself ended after {tokens} tokens: no limit shows")
    assert (tokens, reasons) == (DEFAULT_TOKENS, {"length"})


BEST_OF = [
    pytest.param({"n": 3, "best_of": 2}, id="less-than-n"),
    pytest.param({"best_of": 2, "stream": True}, id="with-a-stream", marks=pytest.mark.needs("f.stream")),
]


@requirement("COMP-007", requests=1)
@pytest.mark.parametrize("fields", BEST_OF)
def test_a_best_of_that_makes_no_sense_is_refused(api: Api, fields: dict[str, Any]) -> None:
    assert api.complete(PROMPT, **fields).status == 400
