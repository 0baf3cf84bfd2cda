"""HEALTH: what the probes say while backends are gone. Each of these needs the target for itself."""

from __future__ import annotations

from fixtures.api import Api
from fixtures.outages import LOOKS, Outage, longest, until
from fixtures.probes import path_of
from fixtures.routing import two_models
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Untestable
from gateproof.wire.exchange import Exchange

PROBED = ("health.ready",)
PROBES = 2 * (LOOKS + 2) + 1  # for losing all backends, and for getting them back


def within(target: Target) -> float:
    return target.promises.failover


def well(answer: Exchange) -> bool:
    return answer.complete and answer.status // 100 == 2


def unwell(answer: Exchange) -> bool:
    return not well(answer)


@requirement(
    "HEALTH-011",
    requests=LOOKS + 3,
    needs=(*PROBED, "api.chat", "route.multi"),
    lasts=within,
    disrupts=True,
)
def test_without_one_of_its_backends_the_gateway_is_ready(api: Api, anonymous: Api, outage: Outage) -> None:
    one, other = (api.target.route(model) for model in two_models(api.target))
    gone = other or one
    if gone is None or gone.backend not in outage.names():
        raise Untestable(f"no model is known to be served by one of {', '.join(outage.names())} alone")
    with outage.of([gone.backend], most=longest(api.target)):
        answer = until(lambda each: each.status in {404, 503}, lambda: api.chat(model=gone.model), within(api.target))
        ready = anonymous.get(path_of(api.target, "ready"))
    assert (well(ready), answer.status) in {(True, 503), (True, 404)}


@requirement("HEALTH-007", requests=PROBES, tokens=0, needs=(*PROBED, "health.live"), lasts=within, disrupts=True)
def test_without_any_backend_the_gateway_lives_and_is_not_ready(anonymous: Api, outage: Outage) -> None:
    target = anonymous.target
    ready, live = path_of(target, "ready"), path_of(target, "live")
    with outage.of(outage.names(), most=longest(target)):
        answer = until(unwell, lambda: anonymous.get(ready), within(target))
        alive = anonymous.get(live)
    until(well, lambda: anonymous.get(ready), within(target))  # the next check shall find it as it was
    assert (well(answer), alive.status) == (False, 200)


@requirement("HEALTH-008", requests=PROBES, tokens=0, needs=PROBED, lasts=within, disrupts=True)
def test_the_gateway_is_ready_again_when_its_backends_are(anonymous: Api, outage: Outage) -> None:
    """Last of this file: a gateway that stays unready could not be judged by the others."""
    ready = path_of(anonymous.target, "ready")
    with outage.of(outage.names(), most=longest(anonymous.target)):
        until(unwell, lambda: anonymous.get(ready), within(anonymous.target))
    assert until(well, lambda: anonymous.get(ready), within(anonymous.target)).status // 100 == 2
