"""USAGE: what a reply says it cost (OpenAI CompletionUsage, project policy)."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.api import Api
from fixtures.chat import REPEATABLE, reply, talk, words
from fixtures.streams import streamed
from fixtures.tenants import TenantWith
from fixtures.token_metrics import DOORS, LOOKS, counted, counted_as_told, part_of
from fixtures.upstream import script
from gateproof.limits.finding import Finding
from gateproof.shape import completion as shape
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement

CALLS = 5  # (USAGE-003)
PREFIX = 40  # words: long enough for a prefix cache to show (USAGE-003, USAGE-004)
MORE = (0, 1, 10, 100)  # words appended (USAGE-004)
LIMITS = (1, 2, 8)  # max_tokens (USAGE-005)
# What an engine counts that no text shows, so that a gateway which counts for itself tells something else (USAGE-008).
BILL = {
    "prompt_tokens": 101,
    "completion_tokens": 23,
    "total_tokens": 124,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
KINDS_COUNTED = 2  # replies of each of two kinds (USAGE-009)
LONG_PROMPT = 600  # tokens of a prompt with all that is appended, at most

KINDS = [
    pytest.param({}, id="unary"),
    pytest.param({"max_tokens": 1}, id="one-token"),
    pytest.param({"n": 2}, id="two-choices", marks=pytest.mark.needs("f.n")),
    pytest.param({"stream": True}, id="streamed", marks=pytest.mark.needs("f.stream")),
]


@pytest.fixture
def usage(api: Api, kind: dict[str, Any]) -> Any:
    """The usage of a reply of one kind."""
    return usage_in(api, talk(), **kind)


def usage_in(api: Api, prompt: object, *, stream: bool = False, **fields: Any) -> Any:
    """The usage of a unary or streamed reply, as it is told."""
    if stream:
        return streamed(api, prompt, stream_options={"include_usage": True}, **fields).usage
    return reply(api, prompt, **fields).get("usage")


def counts(usage: Any) -> dict[str, int]:
    """The three counts of a usage that has them."""
    assert shape.usage_flaws(usage) == [], f"usage: {', '.join(shape.usage_flaws(usage))}"
    return {name: usage[name] for name in shape.USAGE}


@requirement("USAGE-001", requests=1)
def test_a_unary_reply_tells_what_it_cost(api: Api) -> None:
    assert shape.usage_flaws(reply(api, talk()).get("usage")) == []


@requirement("USAGE-002", requests=1)
@pytest.mark.parametrize("kind", KINDS)
def test_the_total_is_the_sum(usage: Any) -> None:
    told = numbers(usage)
    assert told["total_tokens"] == told["prompt_tokens"] + told["completion_tokens"], f"usage is {usage!r:.200}"


def numbers(usage: Any) -> dict[str, Any]:
    """The three numbers of a usage, whatever kind of number they are."""
    found = {name: usage.get(name) if isinstance(usage, dict) else None for name in shape.USAGE}
    assert all(map(shape.is_number, found.values())), f"usage is {usage!r:.200}"
    return found


@requirement("USAGE-003", requests=CALLS, tokens=CALLS * LONG_PROMPT)
def test_the_same_prompt_costs_the_same(api: Api) -> None:
    prompt = words(PREFIX)
    costs = [counts(usage_in(api, prompt, max_tokens=1))["prompt_tokens"] for _ in range(CALLS)]
    assert costs == costs[:1] * CALLS


@requirement("USAGE-004", requests=len(MORE), tokens=len(MORE) * LONG_PROMPT)
def test_a_longer_prompt_costs_more(api: Api) -> None:
    prompts = [words(PREFIX + more) for more in MORE]
    costs = [counts(usage_in(api, prompt, max_tokens=1))["prompt_tokens"] for prompt in prompts]
    assert costs == sorted(set(costs)), f"prompt_tokens {costs} for {', '.join(f'+{more}' for more in MORE)} words"


@requirement("USAGE-005", requests=len(LIMITS))
def test_no_more_is_generated_than_allowed(api: Api) -> None:
    used = {limit: numbers(usage_in(api, talk(), max_tokens=limit))["completion_tokens"] for limit in LIMITS}
    assert {limit: tokens for limit, tokens in used.items() if tokens > limit} == {}


@requirement("USAGE-006", requests=1)
@pytest.mark.parametrize("kind", KINDS)
def test_details_are_parts_of_their_whole(usage: Any) -> None:
    assert shape.detail_flaws(numbers(usage) | usage) == []


@requirement("USAGE-007", requests=2, needs=("api.chat",))
def test_a_stream_costs_what_the_unary_reply_costs(api: Api) -> None:
    unary = reply(api, talk(), **REPEATABLE)
    stream = streamed(api, talk(), stream_options={"include_usage": True}, **REPEATABLE)
    assert same_bill(unary.get("usage"), stream.usage, same_text=stream.text() == shape.text_of(unary))


def same_bill(unary: Any, stream: Any, *, same_text: bool) -> Finding:
    one, other = numbers(unary), numbers(stream)
    expected, seen = f"{one} as for the unary reply", f"{other} for the stream"
    if one == other:
        return Finding.yes(expected, seen)
    if one["prompt_tokens"] == other["prompt_tokens"] and not same_text:
        return Finding.undecided(expected, f"{seen}: the model did not say the same twice")
    return Finding.no(expected, seen)


@requirement("USAGE-008", requests=1, needs=("api.chat",))
@pytest.mark.parametrize("kind", [KINDS[0], KINDS[-1]])
def test_a_reply_tells_the_usage_of_its_engine(api: Api, kind: dict[str, Any]) -> None:
    assert part_of(usage_in(api, script(usage=BILL), **kind), BILL) == BILL


@requirement("USAGE-009", requests=2 * KINDS_COUNTED + DOORS * (LOOKS + 3), needs=("api.chat",), lasts=1)
def test_the_metrics_count_what_the_replies_told(tenant_with: TenantWith, target: Target) -> None:
    """Of a tenant that nobody else uses, where one can be made."""
    streams = target.capability("f.stream") == "supported"
    kinds: list[dict[str, Any]] = [{}, {"stream": True}] if streams else [{}, {}]
    api = tenant_with()
    before = counted(api)
    told = [numbers(usage_in(api, talk(), **kind))["total_tokens"] for kind in kinds * KINDS_COUNTED]
    assert counted_as_told(api, before, sum(told))
