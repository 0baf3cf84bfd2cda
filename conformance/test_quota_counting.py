"""QUOTA: what the engine says an answer cost is charged, however the answer comes, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.api import Api
from fixtures.auth import made_up_key
from fixtures.limits import fresh_window
from fixtures.quota_costs import (
    READINGS,
    REFUSED,
    Ordered,
    ask_in_full,
    costs_nothing,
    is_refused_outright,
    lasting,
    ordered_tokens,
    stream_with_usage,
    stream_without_usage,
    use_up_ordered,
)
from fixtures.quotas import Call, quota_of, requests_for, stops, stops_exactly, tokens_for, use_up
from fixtures.tenants import TenantWith
from fixtures.upstream import Script, Upstream, script
from gateproof.limits.charges import is_charged
from gateproof.targets.model import Target
from gateproof.verdict.claim import TOKENS_PER_REQUEST, requirement
from gateproof.wire.exchange import Exchange

# A gateway that counts for itself has another tokenizer, and may not know of the last tokens before a hang-up.
HALF = 0.5
TIMES = 2  # portions for one quota, of which half has to be counted

BEYOND_ASCII = "é ж 漢 字 € 🌍 ñ ü"  # eight tokens, of two to four bytes a character
BYTE_BY_BYTE = 1  # bytes in one piece of the stream, so that pieces end within characters

# Where a stream tells its usage, in the engine's words.
PLACES = ("last", "before-last", "running", "before-comment", "before-extra-event")

HEARD = 4  # pieces of an answer after which we hang up (QUOTA-011)
LONG_ANSWER = {"tokens": 40, "gap": 0.02}  # 0.8 s, ten times what we listen to
PIECE = b'"content":'  # of a chunk; the first chunk has an empty one

SEVERAL = 3  # (QUOTA-021)
FORGED = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
FORGED_FIELDS = {
    "x-usage-total-tokens": "0",
    "x-total-tokens": "0",
    "x-ratelimit-limit-tokens": "1000000",
    "x-ratelimit-remaining-tokens": "1000000",
}
SAID = '{"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}'

FAILURES = 20  # (QUOTA-012)
IDLE_CALLS = 25  # of each of four kinds (QUOTA-023)


METERED = {"tokens": ordered_tokens, "consumes": "tokens", "lasts": 1}
STREAMED = ("quota.tokens", "api.chat", "f.stream")


@requirement("QUOTA-008", requests=requests_for(cycles=TIMES), needs=STREAMED, **METERED)
def test_streams_that_tell_no_usage_are_counted_or_refused(metered: Api, up: Upstream) -> None:
    fresh_window(metered)
    history = use_up_ordered(metered, up, stream_without_usage, times=TIMES)
    assert is_refused_outright(history) or is_charged(quota_of(metered), history, share=HALF)


@requirement("QUOTA-009", requests=requests_for(), needs=STREAMED, **METERED)
def test_streams_cut_within_characters_are_counted(metered: Api, up: Upstream) -> None:
    fresh_window(metered)
    history = use_up_ordered(metered, up, stream_with_usage, text=BEYOND_ASCII, split=BYTE_BY_BYTE)
    assert stops_exactly(metered, history)


@requirement("QUOTA-010", requests=requests_for(), needs=STREAMED, **METERED)
@pytest.mark.parametrize("place", PLACES)
def test_counting_does_not_depend_on_where_usage_stands(metered: Api, up: Upstream, place: str) -> None:
    fresh_window(metered)
    assert stops_exactly(metered, use_up_ordered(metered, up, stream_with_usage, usage_at=place))


@requirement("QUOTA-011", requests=requests_for(cycles=TIMES), needs=STREAMED, **METERED)
def test_answers_that_nobody_waits_for_are_not_free(metered: Api, up: Upstream) -> None:
    fresh_window(metered)
    history = use_up_ordered(metered, up, hang_up, times=TIMES, cost=heard, **LONG_ANSWER)
    assert is_charged(quota_of(metered), history, share=HALF)


def hang_up(api: Api, order: Script) -> Exchange:
    """A stream left after some of it."""
    how = {"hang_up_when": lambda body: body.count(PIECE) > HEARD}
    return api.chat(order, stream=True, max_tokens=LONG_ANSWER["tokens"], how=how)


def heard(up: Upstream, order: Script) -> int | None:
    """The tokens of the prompt and of what we certainly got."""
    seen = up.wait(order)
    return seen[0].usage.get("prompt_tokens", 0) + HEARD if seen else None


@requirement(
    "QUOTA-012",
    requests=READINGS + FAILURES,
    tokens=(READINGS + FAILURES) * TOKENS_PER_REQUEST,
    needs=("up.ctl", "quota.tokens", "api.chat"),
    consumes="tokens",
    lasts=READINGS,
)
def test_failures_of_the_engine_cost_nothing(tenant_with: TenantWith, target: Target) -> None:
    api = lasting(tenant_with, target)
    assert costs_nothing(api, "failures", lambda: api.chat(script(status=500)), FAILURES)


@requirement("QUOTA-017", requests=requests_for(), needs=("quota.tokens", "api.chat"), **METERED)
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(ask_in_full, id="unary"),
        pytest.param(stream_with_usage, id="streamed", marks=pytest.mark.needs("f.stream")),
    ],
)
def test_compressed_answers_are_counted(metered: Api, up: Upstream, call: Ordered) -> None:
    fresh_window(metered)
    assert stops_exactly(metered, use_up_ordered(metered, up, call, coding="gzip"))


@requirement("QUOTA-018", requests=requests_for(), tokens=tokens_for(), needs=("api.chat",), consumes="tokens", lasts=1)
@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"usage": FORGED}, id="field"),
        pytest.param({"how": {"headers": FORGED_FIELDS}}, id="headers"),
    ],
)
def test_a_client_cannot_say_what_it_used(metered: Api, forged: dict[str, Any]) -> None:
    fresh_window(metered)
    sent = use_up(metered, lambda api, prompt: api.chat(prompt, **forged))
    assert sent[0].status in REFUSED or stops(metered, sent)


@requirement("QUOTA-018", part="generated", requests=requests_for(), needs=("up.ctl", *STREAMED), **METERED)
def test_a_model_cannot_say_what_it_used(metered: Api, up: Upstream) -> None:
    fresh_window(metered)
    assert stops_exactly(metered, use_up_ordered(metered, up, ask_in_full, stream_with_usage, text=SAID))


@requirement(
    "QUOTA-021", requests=requests_for(), tokens=tokens_for(), needs=("quota.tokens",), consumes="tokens", lasts=1
)
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(
            lambda api, prompt: api.chat(prompt, n=SEVERAL), id="choices", marks=pytest.mark.needs("api.chat")
        ),
        pytest.param(
            lambda api, prompt: api.complete([prompt] * SEVERAL),
            id="prompts",
            marks=pytest.mark.needs("api.completions"),
        ),
    ],
)
def test_several_choices_and_prompts_are_charged_in_full(metered: Api, call: Call) -> None:
    fresh_window(metered)
    assert stops(metered, use_up(metered, call))


@requirement(
    "QUOTA-023",
    requests=READINGS + 4 * IDLE_CALLS,
    needs=("quota.tokens", "api.chat"),
    consumes="tokens",
    lasts=READINGS,
)
def test_what_generates_nothing_costs_nothing(tenant_with: TenantWith, target: Target) -> None:
    """Lists of models, probes, OPTIONS and unknown keys."""
    api = lasting(tenant_with, target)
    assert costs_nothing(api, "rounds of calls without tokens", lambda: idle(api), IDLE_CALLS)


def idle(api: Api) -> None:
    api.models()
    api.send("OPTIONS", api.target.path("chat"))
    api.with_key(made_up_key()).chat()
    probe = api.target.live or api.target.ready
    if probe is not None:
        api.with_auth({}).get(probe)
