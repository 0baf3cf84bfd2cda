"""PARAM: n, stop, seed, logprobs and sampling parameters (OpenAI chat completions)."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

import pytest

from fixtures.api import OMIT, Api
from fixtures.chat import NOT_OFFERED, REFUSED, REPEATABLE, reply, told
from fixtures.streams import controlled
from fixtures.upstream import script
from gateproof.shape import completion as shape
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive, NotDeclared

CHOICES = 3
RUNS = 5  # (PARAM-006)
SEED = 7
LONG_REPLY = 32  # tokens of which a stop string is cut out of the middle (PARAM-004)
MOST_ALTERNATIVES = 20  # OpenAPI: top_logprobs is 0 to 20
SPECIAL = re.compile(r"<[^<>]+>")  # how tokenisers write what is no text, and only a poor model says (PARAM-010)
FEW = 4  # tokens, each of which comes with up to 20 alternatives

pytestmark = pytest.mark.needs("api.chat")


@requirement("PARAM-001", requests=1)
def test_n_choices_come_with_their_indexes(api: Api) -> None:
    assert sorted(shape.indexes(reply(api, n=CHOICES)), key=str) == list(range(CHOICES))


@requirement("PARAM-002", requests=1)
def test_all_choices_are_counted(api: Api) -> None:
    assert shape.count_of(reply(api, n=CHOICES, max_tokens=1), "completion_tokens") == CHOICES


@requirement("PARAM-003", requests=1)
def test_n_is_honoured_or_refused(api: Api, target: Target) -> None:
    """Two choices, or where `n` is not declared an honest refusal; never one choice for two."""
    exchange = api.chat(n=2, max_tokens=1)
    if target.capability("f.n") != "supported" and exchange.status in NOT_OFFERED:
        assert "error" in exchange.json()
        return
    assert exchange.status == 200, told(exchange)
    assert len(shape.indexes(exchange.json())) == 2


@requirement("PARAM-004", requests=2, tokens=400)
def test_a_stop_string_ends_the_text_before_it(api: Api) -> None:
    """A piece from the middle of what the model says is made the stop string of the same request."""
    prompt = "Count from one to twenty, in words."
    whole = shape.text_of(reply(api, prompt, max_tokens=LONG_REPLY, **REPEATABLE))
    stop = shape.stop_within(whole)
    if stop is None:
        raise Inconclusive(f"there is no word to stop at in {whole!r}")
    stopped = reply(api, prompt, max_tokens=LONG_REPLY, stop=stop, **REPEATABLE)
    assert shape.stops_before(whole, stop, shape.text_of(stopped), shape.finish_reason(stopped))


NEVER_SAID = "<never said {}>"
STOPS = [
    pytest.param(NEVER_SAID, id="string"),
    pytest.param([NEVER_SAID], id="one"),
    pytest.param([NEVER_SAID.format(number) for number in range(4)], id="four"),
]


@requirement("PARAM-005", requests=1)
@pytest.mark.parametrize("stop", STOPS)
def test_stop_may_be_one_or_up_to_four(api: Api, stop: object) -> None:
    exchange = api.chat(stop=stop)
    assert exchange.status == 200, told(exchange)


@requirement("PARAM-005", part="five", requests=1)
def test_five_stops_do_no_harm(api: Api) -> None:
    assert api.chat(stop=[NEVER_SAID.format(number) for number in range(5)]).status < 500


@requirement("PARAM-006", requests=RUNS)
def test_the_same_seed_gives_the_same_text(api: Api) -> None:
    texts = Counter(shape.text_of(reply(api, seed=SEED, **REPEATABLE)) for _ in range(RUNS))
    agreed = max(texts.values())
    assert agreed == RUNS, f"{agreed} of {RUNS} runs agree: {dict(texts)}"


def with_logprobs(api: Api, top: int | None = 2, prompt: object = "ping") -> dict[str, Any]:
    fields = {"max_tokens": FEW, "top_logprobs": OMIT if top is None else top}
    return reply(api, prompt, logprobs=True, **fields)


def some_tokens(found: dict[str, Any]) -> list[Any]:
    entries = shape.tokens_in(found)
    assert entries != [], "logprobs.content is missing or empty, though asked for"
    return entries


ASKED = [pytest.param(None, id="alone"), pytest.param(2, id="with-alternatives")]


@requirement("PARAM-007", requests=1)
@pytest.mark.parametrize("top", ASKED)
def test_logprobs_tell_each_token(api: Api, top: int | None) -> None:
    flaws = [flaw for entry in some_tokens(with_logprobs(api, top)) for flaw in shape.token_flaws(entry)]
    assert flaws == []


@requirement("PARAM-008", requests=1)
def test_log_probabilities_are_not_positive(api: Api) -> None:
    values = shape.log_probabilities(some_tokens(with_logprobs(api)))
    assert [value for value in values if not shape.is_log_probability(value)] == []


@requirement("PARAM-009", requests=1)
@pytest.mark.parametrize("top", [0, 1, 5, MOST_ALTERNATIVES])
def test_alternatives_are_at_most_k_and_sorted(api: Api, top: int) -> None:
    rows = [alternatives_of(entry) for entry in some_tokens(with_logprobs(api, top))]
    assert [row for row in rows if len(row) > top or row != sorted(row, reverse=True)] == []


def alternatives_of(entry: Any) -> list[float]:
    """The log probabilities of the alternatives; what is no number sorts first, which is wrong in any order."""
    values: list[Any] = [each.get("logprob") for each in shape.alternatives(entry) if isinstance(each, dict)]
    return [value if shape.is_number(value) else -math.inf for value in values]


@requirement("PARAM-009", part="too many", requests=1)
def test_more_alternatives_than_allowed_are_refused(api: Api) -> None:
    assert api.chat(logprobs=True, top_logprobs=MOST_ALTERNATIVES + 1, max_tokens=FEW).status in REFUSED


@requirement("PARAM-010", requests=1)
def test_the_bytes_of_the_tokens_are_the_text(api: Api, target: Target) -> None:
    said = "a \u00e9 \u4f60"
    found = with_logprobs(api, top=None, prompt=script(text=said) if controlled(target) else "Repeat: a \u00e9 \u4f60")
    text, tokens = shape.text_of(found), some_tokens(found)
    strange = not controlled(target) and (shape.finish_reason(found) != "length" or any(map(is_special, tokens)))
    if "\ufffd" in text or strange:
        raise Inconclusive(f"{text!r}: broken characters, or a token of the end or of a template, which is no text")
    assert shape.joined_bytes(tokens) == text.encode("utf-8", "surrogatepass")


def is_special(entry: Any) -> bool:
    return isinstance(entry, dict) and SPECIAL.fullmatch(str(entry.get("token"))) is not None


@requirement("PARAM-011", requests=1)
def test_alternatives_without_logprobs_are_refused(api: Api) -> None:
    assert api.chat(top_logprobs=2).status in REFUSED


LEGAL: dict[str, dict[str, Any]] = {
    "logit_bias": {"logit_bias": {"1": -1}},
    "frequency_penalty": {"frequency_penalty": 2},
    "presence_penalty": {"presence_penalty": -2},
    "user": {"user": "gateproof"},
    "metadata": {"metadata": {"suite": "gateproof"}},
}


@requirement("PARAM-012", requests=1)
@pytest.mark.parametrize("name", LEGAL)
def test_parameters_are_accepted_at_legal_values(api: Api, name: str) -> None:
    exchange = api.chat(**LEGAL[name])
    if name == "metadata" and exchange.status == 400 and "store" in exchange.text:
        raise NotDeclared(f"metadata goes with stored completions only: {told(exchange)}")
    assert exchange.status == 200, f"{name}: {told(exchange)}"
