"""CHAT: unary chat completions of any target (OpenAI chat completions; RFC 9110 for what is around them)."""

from __future__ import annotations

import warnings
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from fixtures.api import OMIT, Api
from fixtures.chat import REFUSED, REPEATABLE, body_of, reply, stands_for, talk, told, user, words
from fixtures.streams import controlled, streamed
from fixtures.upstream import script
from gateproof.shape import completion as shape
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive, NotDeclared, Untestable
from gateproof.wire.encoding import BadEncoding

IDS = 20  # calls (CHAT-003)
DAY = 86_400.0  # s (CHAT-004)

# A context window is overrun by this share of it, since no tokeniser makes less than one token of a word.
OVERRUN = 1.1
TOKENS_PER_WORD = 2  # at most, of the short words that the check sends
SPENT_AT_MOST = 0.5  # of what may be spent in a run, should such a prompt be served after all

# The smallest PNG: one transparent pixel.
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
THINKING_TOKENS = 256  # enough for a model that thinks to begin, and mostly to end (CHAT-020)
COMPRESSIBLE = 400  # tokens; proxies leave small bodies as they are (CHAT-021)


@requirement("CHAT-001", requests=1, smoke=True)
def test_a_reply_is_a_chat_completion(api: Api) -> None:
    assert shape.reply_flaws(reply(api, talk())) == []


@requirement("CHAT-002", requests=1)
def test_its_choices_are_an_assistants(api: Api) -> None:
    assert shape.choice_flaws(reply(api, talk())) == []


@requirement("CHAT-003", requests=IDS)
def test_ids_differ_between_calls(api: Api) -> None:
    ids = [str(reply(api, talk(), max_tokens=1).get("id")) for _ in range(IDS)]
    assert sorted({each for each in ids if ids.count(each) > 1}) == []


@requirement("CHAT-004", requests=1)
def test_created_is_now_in_seconds(api: Api) -> None:
    """Beside the Date of the same answer, or our own clock where there is none."""
    exchange = api.chat(talk())
    created: Any = body_of(exchange).get("created")
    date = exchange.headers.get("date")
    now = parsedate_to_datetime(date).timestamp() if date else exchange.wall
    assert shape.is_number(created), f"created is {created!r}"
    assert abs(created - now) <= DAY, f"created is {created!r}, the time of the answer is {now:.0f}"


def asked_models(target: Target) -> list[str]:
    aliases = [route.model for route in target.routes if route.alias_of and route.api == "chat"]
    return [target.models["chat"], *aliases[:1]]


@requirement("CHAT-005", requests=2)
def test_the_reply_names_the_model(api: Api, target: Target) -> None:
    said = {asked: reply(api, talk(), model=asked).get("model") for asked in asked_models(target)}
    wrong = {a: model for a, model in said.items() if not shape.names_model(model, a, stands_for(target, a))}
    assert wrong == {}


MIXES = [
    pytest.param(["user"], id="user"),
    pytest.param(["system", "user"], id="system-user"),
    pytest.param(["user", "assistant", "user"], id="user-assistant-user"),
    pytest.param(["system", "user", "assistant", "user"], id="system-user-assistant-user"),
]


@requirement("CHAT-006", requests=1)
@pytest.mark.parametrize("roles", MIXES)
def test_the_roles_of_a_conversation_are_accepted(api: Api, roles: list[str]) -> None:
    exchange = api.chat([{"role": role, "content": "ping"} for role in roles])
    assert exchange.status == 200, f"{roles}: {exchange!r}: {told(exchange)}"


@requirement("CHAT-008", part="accepted", requests=2)
def test_text_and_a_text_part_cost_the_same(api: Api) -> None:
    text, parts = reply(api, "ping"), reply(api, [user([{"type": "text", "text": "ping"}])])
    assert shape.count_of(parts, "prompt_tokens") == shape.count_of(text, "prompt_tokens")


@requirement("CHAT-009", requests=1)
def test_max_tokens_is_kept(api: Api) -> None:
    assert shape.ends_at_limit(reply(api, talk(), max_tokens=1), 1)


@requirement("CHAT-010", part="alone", requests=1)
def test_max_completion_tokens_is_kept(api: Api) -> None:
    assert shape.ends_at_limit(reply(api, talk(), max_tokens=OMIT, max_completion_tokens=1), 1)


@requirement("CHAT-010", part="both", requests=1)
def test_both_names_of_the_limit_do_no_harm(api: Api) -> None:
    assert api.chat(max_tokens=1, max_completion_tokens=1).status < 500


@requirement("CHAT-016", requests=1)
def test_half_a_character_does_no_harm(api: Api, target: Target) -> None:
    body = rb'{"model":"%s","max_tokens":8,"messages":[{"role":"user","content":"ping \ud800"}]}'
    assert api.post_bytes("chat", body % target.models["chat"].encode()).status < 500


@requirement("CHAT-017", requests=1)
def test_no_messages_are_refused(api: Api) -> None:
    assert api.chat([]).status in REFUSED


def overlong(target: Target) -> int:
    """Words that overrun the declared context window; 0 when that is not known, or too dear to try."""
    needed = round((target.context_window or 0) * OVERRUN)
    return needed if needed * TOKENS_PER_WORD <= SPENT_AT_MOST * target.spend.tokens else 0


@requirement("CHAT-018", requests=1, tokens=lambda target: overlong(target) * TOKENS_PER_WORD)
def test_a_prompt_beyond_the_context_window_is_refused(api: Api, target: Target) -> None:
    if target.context_window is None:
        raise NotDeclared("the target declares no context_window")
    if not overlong(target):
        raise Untestable(f"a prompt beyond {target.context_window} tokens is too dear for spend.tokens")
    exchange = api.chat(words(overlong(target)), max_tokens=1)
    assert exchange.status == 400
    assert shape.names_length(exchange.json()), f"the refusal does not name the length: {told(exchange)}"


@requirement("CHAT-019", requests=2, tokens=3000, needs=("api.chat",))
def test_an_image_is_seen(api: Api) -> None:
    """It is accepted, and counts: a prompt that costs no more with an image than without was read without it."""
    text, image = {"type": "text", "text": "ping"}, {"type": "image_url", "image_url": {"url": PIXEL}}
    without, along = reply(api, [user([text])]), reply(api, [user([text, image])])
    counts = [shape.count_of(each, "prompt_tokens") or 0 for each in (without, along)]
    assert counts[1] > counts[0], f"prompt_tokens {counts[0]} without the image, {counts[1]} with it"


THINKERS = [
    pytest.param(False, id="unary"),
    pytest.param(True, id="streamed", marks=pytest.mark.needs("f.stream")),
]


@requirement("CHAT-020", requests=1, tokens=THINKING_TOKENS + 200, needs=("api.chat",))
@pytest.mark.parametrize("stream", THINKERS)
def test_thoughts_are_no_part_of_the_text(api: Api, target: Target, stream: bool) -> None:
    thinking = script(reasoning="six times seven, let me see", text="42")
    prompt = thinking if controlled(target) else "What is 6 times 7? Think, then answer with the number alone."
    text, thoughts = spoken(api, prompt, stream)
    assert shape.thoughts_in(text) == [], f"content is {text!r:.200}"
    if not thoughts:
        raise Inconclusive("no thoughts came, in no known field: nothing was there to be kept apart")


def spoken(api: Api, prompt: object, stream: bool) -> tuple[str, str]:
    """(content, reasoning text) of a reply, unary or joined from a stream."""
    if not stream:
        message = shape.message_of(reply(api, prompt, max_tokens=THINKING_TOKENS))
        return shape.text_in(message), shape.reasoning_in(message)
    deltas = [part.get("delta") or {} for _, part in streamed(api, prompt, max_tokens=THINKING_TOKENS).choices(0)]
    return "".join(map(shape.text_in, deltas)), "".join(map(shape.reasoning_in, deltas))


CODINGS = ["identity", "gzip", "br", "gzip, deflate, br", "*"]


@requirement("CHAT-021", requests=3, tokens=lambda target: 3 * 2 * COMPRESSIBLE if controlled(target) else 360)
@pytest.mark.parametrize("accepted", CODINGS)
def test_a_coding_changes_nothing(api: Api, target: Target, accepted: str) -> None:
    """The text is the same in every coding that the client accepts, and in no other."""
    prompt = script(text=words(COMPRESSIBLE)) if controlled(target) else "ping"
    limit = {"max_tokens": 2 * COMPRESSIBLE} if controlled(target) else {}
    plain, again = (shape.text_of(reply(api, prompt, **REPEATABLE, **limit)) for _ in range(2))
    if plain != again:
        raise Inconclusive(f"the model does not say the same twice: {plain!r:.100}, {again!r:.100}")
    exchange = api.chat(prompt, how={"headers": {"accept-encoding": accepted}}, **REPEATABLE, **limit)
    used = {name.strip().lower() for name in exchange.headers.get("content-encoding", "identity").split(",")}
    if "*" not in accepted:
        assert sorted(used - {"identity", *accepted.split(", ")}) == []
    assert shape.text_of(decoded(exchange, used)) == plain


def decoded(exchange: Any, used: set[str]) -> dict[str, Any]:
    if used - {"identity", "gzip", "x-gzip", "deflate"}:
        raise Inconclusive(f"content-encoding {', '.join(used)}: this suite has no reader for it")
    try:
        return body_of(exchange)
    except BadEncoding as error:
        raise AssertionError(f"content-encoding is {', '.join(used)}, but: {error}") from None


@requirement("CHAT-023", requests=1)
def test_the_sdk_reads_the_reply(api: Api) -> None:
    assert complaints(api) == []


def complaints(api: Api) -> list[str]:
    """What the official SDK has against a reply, and its models when asked for all they have read."""
    from openai import OpenAIError  # noqa: PLC0415 - the SDK takes most of a second to load
    from openai.types.chat import ChatCompletion  # noqa: PLC0415 - as above

    from fixtures.sdk import openai_sdk  # noqa: PLC0415 - as above

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            read: Any = openai_sdk(api).chat.completions.create(**api.chat_body(talk()))
        except (OpenAIError, ValueError) as error:
            return [f"{type(error).__name__}: {error}"]
        if not isinstance(read, ChatCompletion):
            return [f"read as {type(read).__name__}: {read!r:.100}"]
        read.model_dump_json()
    return [str(warning.message) for warning in caught]
