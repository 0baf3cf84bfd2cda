"""RATE: so many requests of a tenant are under way at once, and whatever ends gives its place back."""

from __future__ import annotations

import time

from fixtures.api import Api
from fixtures.auth import ask
from fixtures.burst import history_of
from fixtures.limits import BEYOND, admitted, affordable, fresh_window, limit_of, within_reach
from fixtures.parallel import (
    AFTER_ABORTS,
    AFTER_FAILURES,
    HELD,
    LEARNT,
    all_at_once,
    begun_after,
    each_failure,
    held_and_beside,
    held_for,
    hold,
    slots_of,
    tokens_held,
    were_under_way,
)
from fixtures.rates import lasting
from fixtures.tenants import TenantWith
from fixtures.watches import Watched
from gateproof.limits.parallel import never_more_at_once
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive
from gateproof.wire.exchange import Exchange

OFF_BY_ONE = 1  # fewer: what RATE-001 is about is no matter here
ROOM = 5  # times as long as one is held: a window into which all of it fits, on a busy machine too
REFUSED_BESIDE = 3  # requests, one too many each (RATE-039)


@requirement(
    "RATE-036",
    part="never more",
    requests=held_for(lambda slots: slots + BEYOND),
    tokens=tokens_held(lambda slots: slots + BEYOND),
    needs=("api.chat",),
    consumes="parallel",
    lasts=HELD,
)
def test_never_more_are_under_way_than_the_limit(crowded: Api) -> None:
    slots = slots_of(crowded)
    burst = all_at_once(hold, crowded, slots + BEYOND)
    assert never_more_at_once(slots, history_of(burst), rtt=LEARNT)


@requirement(
    "RATE-036",
    part="as many",
    requests=held_for(lambda slots: slots + 1),
    tokens=tokens_held(lambda slots: slots + 1),
    needs=("api.chat",),
    consumes="parallel",
    lasts=HELD,
)
def test_as_many_as_the_limit_are_let_through(crowded: Api) -> None:
    """The limit is held, and one more comes while all of them run."""
    slots = slots_of(crowded)
    held, [more] = held_and_beside(crowded)
    were_under_way(held, more)
    assert [each.status for each in [*held, more]] == [200] * slots + [429]


@requirement("RATE-037", watch=AFTER_ABORTS, needs=("api.chat",))
def test_an_aborted_stream_gives_its_place_back(target: Target, watched: Watched) -> None:
    seen = watched(AFTER_ABORTS)
    if not all(each.hung_up for each in seen.first):
        raise Inconclusive(f"not all streams could be aborted: {seen.first}")
    got, slowest = [each.status for each in seen.then], max(map(begun_after, seen.first))
    if got != [200] * len(got) and slowest > target.promises.disconnect:
        raise Inconclusive(f"{got}, but the target took {slowest:.1f} s to begin a stream: it is too busy to tell")
    assert got == [200] * len(got)


@requirement("RATE-038", watch=AFTER_FAILURES, needs=("api.chat",))
@each_failure
def test_a_failed_request_gives_its_place_back(watched: Watched, kind: str) -> None:
    seen = watched(AFTER_FAILURES)[kind]
    if served := [each for each in seen.first if each.answer is not None and each.status < 400]:
        raise Inconclusive(f"{len(served)} of {len(seen.first)} requests that should fail were served: {served}")
    assert [each.status for each in seen.then] == [200] * len(seen.then)


@requirement(
    "RATE-039",
    requests=within_reach(lambda limit: limit + REFUSED_BESIDE),
    tokens=within_reach(lambda limit: 400 * (limit + REFUSED_BESIDE)),
    needs=("api.chat",),
    consumes="requests",
    lasts=HELD,
)
def test_one_too_many_at_once_does_not_count(target: Target, tenant_with: TenantWith) -> None:
    """One is held, some are refused beside it; then all that the request limit leaves are served one by one."""
    api = tenant_with(requests=lasting(target, ROOM * HELD), parallel=1)
    limit, slots = limit_of(api), slots_of(api)
    affordable(limit.limit + REFUSED_BESIDE, api)
    fresh_window(api)
    held, beside = held_and_beside(api, REFUSED_BESIDE)
    if [each.status for each in beside] != [429] * REFUSED_BESIDE:
        raise Inconclusive(f"not refused although {slots} were under way: {beside}")
    rest = [one_by_one(api) for _ in range(limit.limit - slots)]
    history = history_of([*held, *beside, *rest])
    if history.last_decided - history.first_sent > limit.window - limit.grain:
        raise Inconclusive(f"{len(history)} requests took longer than a window of {limit.window:g} s")
    assert sum(map(admitted, rest)) >= len(rest) - OFF_BY_ONE


def one_by_one(api: Api) -> Exchange:
    """The next request when the place of the last one is surely free."""
    time.sleep(LEARNT)
    return ask(api)
