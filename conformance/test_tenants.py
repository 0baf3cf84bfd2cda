"""TENANT: what one tenant says, is told, uses and keeps is nobody else's."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

import pytest

from fixtures.api import Api, unique
from fixtures.auth import ASK_TOKENS, header_name, key_of, same_shape
from fixtures.burst import history_of, side_by_side
from fixtures.chat import words
from fixtures.endpoints import CALLS
from fixtures.errors import of_unknown_model
from fixtures.isolation import Letter, Reply, by_rank, carriers, credentials, crossed, held, letters, posing_as, telling
from fixtures.limits import (
    affordable,
    alone,
    fresh_window,
    in_turn,
    limit_of,
    most_until_refused,
    neighbour,
    refused,
    tenant_of,
    until_refused,
    within_reach,
)
from fixtures.load import not_starved, spent_on_siege
from fixtures.refusals import barred_model, own_model
from fixtures.streams import streamed
from fixtures.tenants import TenantWith
from fixtures.upstream import Script, Upstream, script
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive, NotDeclared, Observed, Untestable
from gateproof.wire.exchange import Exchange

LETTERS = 200  # (TENANT-001)
HELD = 0.15  # s for which our engine keeps each of them, so that all are under way together
PART_OF_CAPACITY = 0.8  # that they may take, where the target declares one
PATIENCE = 45.0  # s for 200 answers of a gateway that gives no more than five in a second
ANSWERED = 0.9  # of them; with fewer the crowd was too small to say

CACHED_WITHIN = 0.2  # s in which a reply is in whatever cache keeps it
MAX_AGE = 60  # s that client and engine allow a cache to keep it

FEW = 2  # requests that tell whether a limit is used up, give or take one (TENANT-004)

ROUNDS = 10  # of each kind (TENANT-003): 20 values fall into halves in 184,756 ways, finer than any α in use
PREFIX = 200  # words; a dozen blocks of the prefix cache of any model server
PART_OF_CONTEXT = 1 / 8
TOKENS_PER_WORD = 3  # at most, with a coarse tokenizer


@requirement("TENANT-001", requests=LETTERS, needs=("api.chat",), disrupts=True)
def test_no_reply_goes_to_somebody_else(pair: tuple[Api, Api]) -> None:
    """A word of its own in each of 200 questions, all under way at once; no word turns up in another's answer."""
    target = pair[0].target
    both = letters(pair, LETTERS, delay=held(target, HELD), patience=PATIENCE)
    sent = [letter for letter in both if streams(target) or not letter.streamed]
    width = LETTERS if target.load.capacity is None else max(1, int(PART_OF_CAPACITY * target.load.capacity))
    exchanges = side_by_side([letter.send for letter in sent], width)
    replies = [reply_of(letter, exchange) for letter, exchange in zip(sent, exchanges, strict=True)]
    astray = crossed(sent, replies, exact=held(target, HELD) > 0)
    if not astray and sum(reply is not None for reply in replies) < ANSWERED * len(sent):
        statuses = Counter(each.status if each.head is not None else None for each in exchanges)
        raise Inconclusive(f"too few of {len(sent)} questions at once were answered: {dict(statuses)}")
    assert astray == []


def streams(target: Target) -> bool:
    return target.capability("f.stream") == "supported"


def reply_of(letter: Letter, exchange: Exchange) -> Reply | None:
    """None for what did not come, or not whole."""
    served = exchange.head is not None and exchange.status == 200 and exchange.complete
    return Reply.of(exchange, streamed=letter.streamed) if served else None


PUBLIC = f"public, max-age={MAX_AGE}"
CACHES = ("the-same", "alike", "called-public", "asked-for")


@requirement("TENANT-002", requests=2, needs=("tenants.2", "api.chat"))
@pytest.mark.parametrize("how", CACHES)
def test_a_reply_is_not_served_again_to_another_tenant(pair: tuple[Api, Api], up: Upstream, how: str) -> None:
    """The engine sees the second tenant's question, too: equal, alike, called public, or with a cache asked for."""
    first, second = pair
    question = f"What is the capital of the country called {unique('land')}?"
    orders, fields = cacheable(first.target, question, how)
    reached = {"first": reaches(first, up, orders[0], fields)}
    time.sleep(CACHED_WITHIN)
    reached["second"] = reaches(second, up, orders[1], fields)
    assert reached == {"first": True, "second": True}


def reaches(api: Api, up: Upstream, order: Script, fields: dict[str, Any]) -> bool:
    """Whether the engine sees a question once more."""
    before = len(up.seen(order))
    assert api.chat(order, **fields).status == 200
    return len(up.seen(order)) > before


def cacheable(target: Target, question: str, how: str) -> tuple[tuple[Script, Script], dict[str, Any]]:
    """The questions of the two tenants, and how both are asked."""
    headers = {"cache-control": PUBLIC} if how == "called-public" else {}
    order = script(question, headers=headers)
    if how == "alike":
        return (order, script(question)), {}
    if how == "called-public":
        return (order, order), {"how": {"headers": headers}}
    if how == "asked-for":
        if not target.dialect.cache_fields:
            raise NotDeclared("no way is known to ask such a stack for a cached reply")
        return (order, order), dict(target.dialect.cache_fields)
    return (order, order), {}


@requirement(
    "TENANT-003",
    requests=3 * ROUNDS,
    tokens=3 * ROUNDS * PREFIX * TOKENS_PER_WORD,
    needs=("f.stream", "api.chat"),
)
def test_the_time_to_the_first_token_tells_nothing_of_others(pair: tuple[Api, Api]) -> None:
    """Report only: prompts that somebody else has sent before, and unsent ones, in random order, compared by time."""
    victim, spy = pair
    lots = random.Random(unique())
    primed: list[float] = []
    unsent: list[float] = []
    for _ in range(ROUNDS):
        known, unknown = long_prompt(victim.target), long_prompt(victim.target)
        streamed(victim, known, max_tokens=1)
        tries = [(known, primed), (unknown, unsent)]
        lots.shuffle(tries)
        for prompt, times in tries:
            times.append(first_token(spy, prompt))
    finding = by_rank(primed, unsent)
    if finding.holds is False:
        raise Observed(f"what another tenant has sent before is answered sooner: {finding.seen}")
    assert finding


def long_prompt(target: Target) -> str:
    """Words behind a new one, so that nothing before it can be known."""
    room = PREFIX if target.context_window is None else int(target.context_window * PART_OF_CONTEXT)
    return f"{unique('prefix')} {words(min(PREFIX, room))}"


def first_token(api: Api, prompt: str) -> float:
    stream = streamed(api, prompt, max_tokens=1)
    assert stream.exchange is not None
    return stream.events[0].at - stream.exchange.started


@requirement(
    "TENANT-004",
    part="limits",
    requests=within_reach(lambda limit: limit + 2 * FEW),
    needs=("lim.req", "api.chat"),
    consumes="requests",
)
def test_who_is_charged_is_told_by_the_key_alone(limited: Api, tenant_with: TenantWith) -> None:
    """Under another's name in every header that could matter, the caller uses up his own limit and nobody else's."""
    limit = limit_of(limited)
    affordable(limit.limit + 2 * FEW, limited)
    other = neighbour(limited, tenant_with, requests=True)
    headers = posing_as(other, limited)
    fresh_window(limited)
    posed = in_turn(lambda: limited.chat(max_tokens=1, how={"headers": headers}), limit.limit)
    alone(limited, history_of(posed))
    own = in_turn(lambda: limited.chat(max_tokens=1), FEW)
    others = in_turn(lambda: other.chat(max_tokens=1), FEW)
    if (others[-1].ended or 0.0) - posed[0].started > limit.window - limit.grain:
        raise Inconclusive(f"{len([*posed, *own, *others])} requests took longer than the window of {limit}")
    charged = any(map(refused, own)) or all(400 <= each.status < 500 for each in posed)
    found = {"the caller is charged": charged, "the other is charged": all(map(refused, others))}
    assert found == {"the caller is charged": True, "the other is charged": False}


@requirement("TENANT-004", part="rights", requests=3, needs=("api.chat",))
def test_who_may_do_what_is_told_by_the_key_alone(restricted: Api, pair: tuple[Api, Api]) -> None:
    barred = barred_model(restricted)
    own_model(restricted)
    if restricted.chat(model=barred, max_tokens=1).status < 400:
        raise Inconclusive(f"{barred} is served to a tenant without the right to it")
    headers = posing_as(pair[0], restricted)
    assert restricted.chat(model=barred, max_tokens=1, how={"headers": headers}).status >= 400


@requirement("TENANT-004", part="upstream", requests=2, needs=("up.ctl", "api.chat"))
def test_what_an_engine_hears_of_the_caller_is_not_the_callers_word(pair: tuple[Api, Api], up: Upstream) -> None:
    """Headers by which the stack tells its engines who is calling say the same, whatever the caller writes there."""
    api, other = pair
    headers = posing_as(other, api)
    plain, posed = script(), script()
    api.chat(plain)
    api.chat(posed, how={"headers": headers})
    before, after = up.one(plain).headers, up.one(posed).headers
    assert {name: after.get(name) for name in headers if name in before and after.get(name) != before[name]} == {}


@requirement("TENANT-005", part="tenant's key", requests=1, needs=("api.chat", "auth.bearer"))
def test_the_key_of_a_tenant_does_not_go_upstream(api: Api, up: Upstream) -> None:
    order = script()
    api.chat(order)
    assert carriers(up.one(order), key_of(api)) == []


@requirement("TENANT-005", part="tenant's x-api-key", requests=1, needs=("api.messages", "auth.xapikey"))
def test_the_key_in_x_api_key_does_not_go_upstream(api: Api, up: Upstream) -> None:
    order, key = script(), key_of(api)
    others = {name: value for name, value in api.auth.items() if name.lower() != header_name(api.target)}
    body = {"model": api.target.models.get("messages"), "max_tokens": 8, "messages": [user_of(order)]}
    exchange = api.with_auth({**others, "x-api-key": key}).post("messages", body)
    found = [up.one(order)] if exchange.status == 200 else up.seen(order)
    assert [carriers(seen, key) for seen in found if carriers(seen, key)] == []


def user_of(order: Script) -> dict[str, Any]:
    return {"role": "user", "content": order.text}


ENGINE_TROUBLE = (401, 429, 500)


@requirement("TENANT-005", part="gateway's key", requests=len(ENGINE_TROUBLE) + 3, needs=("api.chat",))
def test_the_key_of_the_gateway_is_not_told(api: Api, up: Upstream) -> None:
    """Neither in a reply nor in a list nor in any error, that of an engine which does not take the key among them."""
    order = script()
    answers = [api.chat(order), api.models(), of_unknown_model(api, "chat")]
    answers += [api.chat(script(status=status)) for status in ENGINE_TROUBLE]
    secrets = credentials(up.one(order).headers)
    if not secrets:
        raise NotDeclared("the engines get no key from the gateway")
    assert telling(answers, secrets) == []


@requirement(
    "TENANT-006",
    requests=lambda target: within_reach(most_until_refused)(target) + spent_on_siege(),
    tokens=lambda target: (within_reach(most_until_refused)(target) + spent_on_siege()) * ASK_TOKENS,
    needs=("tenants.2", "lim.req", "api.chat"),
    consumes="requests",
    lasts=2,
    disrupts=True,
)
def test_a_heavy_load_of_one_starves_nobody(limited: Api, api: Api) -> None:
    """95th percentile of a neighbour's requests beside many refused ones, and when nobody else asks, in turn."""
    if tenant_of(limited).name == api.target.main_tenant:
        raise Untestable("the only tenant is the limited one")
    until_refused(limited)
    assert not_starved(api, limited)


@requirement("TENANT-007", requests=8, needs=("api.responses",))
def test_a_stored_response_is_its_owners(pair: tuple[Api, Api]) -> None:
    """Its id, known to another tenant, opens nothing; nor does a made-up one, to anybody."""
    owner, stranger = pair
    made = CALLS["responses"](owner)
    identifier = (made.json() or {}).get("id") if made.status == 200 else None
    if not isinstance(identifier, str) or owner.get(place_of(owner, identifier)).status != 200:
        raise NotDeclared("responses are not stored")
    found = {
        "fetch": stranger.get(place_of(stranger, identifier)).status,
        "fetch what it answers": stranger.get(f"{place_of(stranger, identifier)}/input_items").status,
        "continue": continued(stranger, identifier).status,
        "delete": stranger.send("DELETE", place_of(stranger, identifier)).status,
        "guess": owner.get(place_of(owner, same_shape(identifier))).status,
    }
    kept = owner.send("DELETE", place_of(owner, identifier)).status
    opened = {what: status for what, status in found.items() if status not in CLOSED}
    assert (opened, kept) == ({}, 200)


CLOSED = (400, 403, 404, 405)


def place_of(api: Api, identifier: str) -> str:
    return f"{api.target.path('responses')}/{identifier}"


def continued(api: Api, identifier: str) -> Exchange:
    body = {"model": api.target.models.get("responses"), "input": "ping", "max_output_tokens": 16}
    return api.post("responses", {**body, "previous_response_id": identifier})
