"""CHAT: what a gateway must leave alone, seen from behind it by our engine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fixtures.api import Api
from fixtures.chat import REFUSED, body_of, reply, user
from fixtures.upstream import Seen, Upstream, script
from gateproof.shape import completion as shape
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement

BESIDE = ("api.chat",)  # what these checks use beside their gate

# Chinese, an emoji of three, a combining accent, Hebrew, Arabic, and a line separator, which JavaScript once choked on.
FOREIGN = (
    "\u4f60\u597d \U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301 "
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 a\u2028b"
)
PAIRS = "caf\u00e9 \U0001f30d \u4f60"
ENOUGH = 64  # max_tokens above every text here

# One above what a double holds: a gateway that parses and writes the body again may lose it.
LARGEST_SEED = 2**53 + 1
FIELDS: dict[str, Any] = {
    "temperature": 0.7,
    "top_p": 0.95,
    "presence_penalty": -0.5,
    "frequency_penalty": 0.25,
    "seed": LARGEST_SEED,
    "stop": "never said",
    "user": "gateproof",
}
REWRITTEN = {"model"}  # by declared routes, and checked there
SAID_ANYWAY = {"stream": False}  # what a gateway may add, since it is what leaving it out means

# The largest integer that every reader of JSON keeps (RFC 8259 §6) is among it.
EXTENSION = {"text": "caf\u00e9", "numbers": [1, 2.5, 2**53 - 1], "nothing": None}

# A slow answer is this share of the time after which the engine is given up, and bounded.
SLOW_SHARE, SLOWEST = 0.7, 5.0  # s
SETTLED = 0.2  # s for a second request, sent before the answer of the first, to be in the engine's log


@requirement("CHAT-007", requests=1, needs=BESIDE)
def test_a_developer_message_arrives_or_is_refused(api: Api, up: Upstream) -> None:
    order = script()
    exchange = api.chat([{"role": "developer", "content": f"developer of {order.nonce}"}, user(order)])
    if exchange.status in REFUSED:
        return
    body_of(exchange)
    assert [text for text in texts(up.one(order)) if "developer of" in text] == [f"developer of {order.nonce}"]


@requirement("CHAT-008", part="seen", requests=2, needs=("up.ctl", *BESIDE))
def test_text_and_text_parts_arrive_alike(api: Api, up: Upstream) -> None:
    """But for the blank that may stand between two parts."""
    order, parted = script(), script()
    body_of(api.chat(f"{order.text} and more"))
    body_of(api.chat([user([{"type": "text", "text": part} for part in (parted.text, " and more")])]))
    whole, joined = (" ".join(texts(up.one(each))).replace(each.nonce, "NONCE") for each in (order, parted))
    assert joined.split() == whole.split()


@requirement("CHAT-011", requests=1, needs=BESIDE)
def test_the_request_arrives_unchanged(api: Api, up: Upstream) -> None:
    order = script()
    body = api.chat_body(order, **FIELDS)
    body_of(api.chat(order, **FIELDS))
    assert changes(up.one(order).body, body) == {}


def changes(seen: Any, sent: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """By field: (what arrived, what was sent), where they differ."""
    arrived = seen if isinstance(seen, dict) else {}
    arrived = {
        name: value for name, value in arrived.items() if name in sent or (name, value) not in SAID_ANYWAY.items()
    }
    names = (sent.keys() | arrived.keys()) - REWRITTEN
    both = {name: (arrived.get(name, "missing"), sent.get(name, "missing")) for name in sorted(names)}
    return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


@requirement("CHAT-012", requests=1, needs=BESIDE)
def test_an_unknown_field_arrives_or_is_refused(api: Api, up: Upstream) -> None:
    order = script()
    exchange = api.chat(order, x_conformance=EXTENSION)
    if exchange.status in REFUSED:
        return
    body_of(exchange)
    assert up.one(order).body.get("x_conformance") == EXTENSION


@requirement("CHAT-013", requests=1, needs=BESIDE)
def test_an_unknown_field_of_the_reply_survives(api: Api) -> None:
    assert reply(api, script(extra={"x_conformance": EXTENSION})).get("x_conformance") == EXTENSION


@requirement("CHAT-014", requests=1, needs=BESIDE)
def test_text_comes_and_goes_as_it_is(api: Api, up: Upstream) -> None:
    order = script(FOREIGN, echo=True)
    replied = shape.text_of(reply(api, order, max_tokens=ENOUGH))
    arrived = texts(up.one(order))[-1].partition(" <<gateproof:")[0]
    assert (ascii(arrived), ascii(replied)) == (ascii(FOREIGN), ascii(FOREIGN))


SPELLINGS = [pytest.param(True, id="escaped"), pytest.param(False, id="raw")]


@requirement("CHAT-015", requests=1, needs=BESIDE)
@pytest.mark.parametrize("escaped", SPELLINGS)
def test_an_escape_is_only_another_spelling(api: Api, up: Upstream, escaped: bool) -> None:
    order = script(PAIRS)
    exchange = api.post_bytes("chat", json.dumps(api.chat_body(order), ensure_ascii=escaped).encode())
    body_of(exchange)
    assert ascii(texts(up.one(order))[-1].partition(" <<gateproof:")[0]) == ascii(PAIRS)


def slow(target: Target) -> float:
    return min(SLOW_SHARE * target.promises.upstream_timeout, SLOWEST)


@requirement("CHAT-024", requests=1, needs=BESIDE, lasts=SLOWEST)
def test_a_slow_success_is_asked_for_once(api: Api, up: Upstream, target: Target) -> None:
    order = script(delay=slow(target))
    body_of(api.chat(order))
    seen = up.wait(order, until=lambda found: len(found) > 1, within=SETTLED)
    assert len(seen) == 1, f"{len(seen)} requests reached the engines for one call"


def texts(seen: Seen) -> list[str]:
    """The text of each message that an engine got, parts joined."""
    messages = seen.body.get("messages") if isinstance(seen.body, dict) else None
    return [text_of(each.get("content")) for each in messages or [] if isinstance(each, dict)]


def text_of(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content)
