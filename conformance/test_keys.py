"""AUTH: keys that are made, replaced and taken back, what a key may do, and what is left of a request without one."""

from __future__ import annotations

import threading
import time
from typing import Any

from fixtures.api import Api, unique
from fixtures.auth import ASK_TOKENS, header_name, key_of
from fixtures.burst import at_once
from fixtures.endpoints import CALLS
from fixtures.errors import flaws_of
from fixtures.keys import GONE, MOST_LOOKS, WORKS, Watched, in_use, is_gone, propagation, works
from fixtures.limits import first_wrong, most_until_refused, within_reach
from fixtures.refusals import REFUSALS, Door, barred_model, each_refusal, own_model
from fixtures.tenants import Keys, TenantWith
from fixtures.upstream import Upstream, script
from gateproof.limits import Finding
from gateproof.limits.propagation import no_gap
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive
from gateproof.wire.exchange import Exchange

NO_RIGHT = {403: "403 or 404", 404: "403 or 404"}


@requirement("AUTH-010", requests=2 * MOST_LOOKS, tokens=MOST_LOOKS * ASK_TOKENS, lasts=propagation)
def test_a_revoked_key_stops_working(tenant_with: TenantWith, keys: Keys) -> None:
    """Polled since the admin API confirmed it, for as long as the target says, then refused in a row."""
    api = in_use(tenant_with(minted=True))
    keys.revoke(api)
    assert Watched(api, is_gone).settle(since=time.monotonic(), streak=GONE)


@requirement("AUTH-011", requests=MOST_LOOKS, tokens=MOST_LOOKS * ASK_TOKENS, lasts=propagation)
def test_a_new_key_works(tenant_with: TenantWith) -> None:
    api = tenant_with(minted=True)
    assert Watched(api, works).settle(since=time.monotonic(), streak=WORKS)


@requirement("AUTH-012", requests=3 * MOST_LOOKS, tokens=2 * MOST_LOOKS * ASK_TOKENS, lasts=propagation)
def test_rotation_leaves_one_key_and_no_gap(tenant_with: TenantWith, keys: Keys) -> None:
    """Both keys are asked while one takes the place of the other; the old one's end is its change."""
    old = Watched(in_use(tenant_with(minted=True)), is_gone)
    over = threading.Event()
    _, (new, known) = at_once([lambda: watched_until(old, over), lambda: rotated(old.api, keys, over)])
    begins = new.settle(since=known, streak=WORKS)
    ends = old.settle(since=known, streak=GONE)
    gap = no_gap(old.looks, new.looks, known=known, within=propagation(old.api.target))
    assert first_wrong([named("new key", begins), named("old key", ends), gap])


def watched_until(old: Watched, over: threading.Event) -> tuple[Watched, float]:
    old.look_until(over)
    return old, 0.0


def rotated(old: Api, keys: Keys, over: threading.Event) -> tuple[Watched, float]:
    """The new key, and when it was known."""
    try:
        return Watched(keys.rotated(old), works), time.monotonic()
    finally:
        over.set()


def named(key: str, finding: Finding) -> Finding:
    return Finding(finding.holds, f"{key}: {finding.expected}", f"{key}: {finding.seen}")


@requirement("AUTH-014", requests=2, needs=("api.chat",))
def test_a_key_without_the_right_is_told_so(restricted: Api) -> None:
    barred = barred_model(restricted)
    own_model(restricted)
    refusal = restricted.chat(model=barred, max_tokens=1)
    assert (NO_RIGHT.get(refusal.status, refusal.status), flaws_of(refusal)) == ("403 or 404", [])


@requirement(
    "AUTH-015",
    requests=lambda target: within_reach(most_until_refused)(target) + 3,
    needs=("api.chat",),
    consumes="requests",
)
@each_refusal
def test_what_is_refused_does_not_reach_the_engine(door: Door, up: Upstream, refusal: str) -> None:
    """A request that is served afterwards has been seen by the engine: what came before it would have been, too."""
    order, after = script(), script()
    exchange = REFUSALS[refusal][0](door, order)
    if exchange.status < 400:
        raise Inconclusive(f"{exchange!r}: not refused, so there is nothing to look for")
    door.api.chat(after)
    up.one(after)
    assert [seen.engine for seen in up.seen(order)] == []


@requirement("AUTH-016", requests=2, needs=("api.messages",))
def test_messages_take_the_key_from_x_api_key(api: Api) -> None:
    """As Anthropic's SDK sends it. A made-up one is refused, so that it is the key that opened."""
    right, wrong = (messages_with(api, key).status for key in (key_of(api), unique("sk-unknown")))
    assert (right, wrong) == (200, 401)


def messages_with(api: Api, key: str) -> Exchange:
    others = {name: value for name, value in api.auth.items() if name.lower() != header_name(api.target)}
    api.run.redactor.add(key)
    headers: dict[str, Any] = {**others, "x-api-key": key, "anthropic-version": "2023-06-01"}
    return CALLS["messages"](api.with_auth(headers))
