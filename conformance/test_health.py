"""HEALTH: what a kubelet and a load balancer may rely on (Kubernetes probes, RFC 9110, RFC 9111)."""

from __future__ import annotations

import os

from fixtures.api import Api
from fixtures.auth import ask
from fixtures.probes import Load, body_behind, each_probe, enough, head_of, path_of, series
from fixtures.streams import controlled
from fixtures.tenants import TenantWith
from fixtures.upstream import Script, Seen, Upstream, script
from gateproof.shape.leaks import leaks, versions
from gateproof.targets.declared import limits
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive
from gateproof.wire.exchange import Exchange

# HEALTH-005, in its own numbers.
IDLE_P99, LOADED_P99 = 0.2, 1.0  # s
IDLE_PROBES, IDLE_EVERY = 100, 0.005  # so many make a p99; s
LOADED_PROBES, LOADED_EVERY = 10, 0.2  # 5 Hz; s
# Callers that keep a model server of the usual size busy, each waiting most of its time.
CALLERS, CALLS_EACH, CALL_LASTS = 16, 12, 0.2  # s
MODEL_REPLY = 64  # max_tokens for a model that takes no orders: even a tiny one is busy with them for a while
TOKENS_PER_CALL = 80  # orders for our engine and one token back, or a short prompt and a reply of a model

# HEALTH-010: a while longer than a cached answer of the readiness check may live.
READY_PROBES, READY_EVERY = 10, 0.06  # s


@requirement("HEALTH-001", requests=1, tokens=0, smoke=True)
def test_liveness_is_200(api: Api) -> None:
    assert api.get(path_of(api.target, "live")).status == 200


@requirement("HEALTH-002", requests=2, smoke=True)
def test_ready_means_that_a_call_is_served(api: Api) -> None:
    assert (api.get(path_of(api.target, "ready")).status, ask(api).status) == (200, 200)


@requirement("HEALTH-003", requests=2, tokens=0)
@each_probe
def test_a_probe_needs_no_credentials(api: Api, anonymous: Api, probe: str) -> None:
    path = path_of(api.target, probe)
    assert anonymous.get(path).status == api.get(path).status


@requirement("HEALTH-004", requests=2, tokens=0)
@each_probe
def test_head_agrees_with_get_and_has_no_body(anonymous: Api, probe: str) -> None:
    path = path_of(anonymous.target, probe)
    got, head = anonymous.get(path), head_of(anonymous, path)
    answer = (head.status, head.headers.get("content-type"), body_behind(head))
    assert answer == (got.status, got.headers.get("content-type"), b"")


@requirement("HEALTH-005", requests=IDLE_PROBES, tokens=0, needs=("health.live",), part="idle")
def test_an_idle_gateway_answers_probes_at_once(anonymous: Api) -> None:
    path = path_of(anonymous.target, "live")
    assert series(lambda: anonymous.get(path), IDLE_PROBES, IDLE_EVERY).within(IDLE_P99)


@requirement(
    "HEALTH-005",
    requests=LOADED_PROBES + CALLERS * CALLS_EACH,
    tokens=TOKENS_PER_CALL * CALLERS * CALLS_EACH,
    needs=("health.live", "api.chat"),
    part="busy",
    lasts=2.0,
)
def test_a_busy_gateway_still_answers_probes(api: Api, anonymous: Api) -> None:
    path = path_of(api.target, "live")
    with Load(lambda: a_lasting_call(api), CALLERS, CALLS_EACH) as load:
        probed = series(lambda: anonymous.get(path), LOADED_PROBES, LOADED_EVERY)
    finding = probed.within(LOADED_P99)
    if finding.holds and load.exhausted:
        raise Inconclusive(f"the load ended before the probes: {CALLERS} callers were served {CALLS_EACH} times each")
    assert finding


def a_lasting_call(api: Api) -> Exchange:
    if controlled(api.target):
        return api.chat(script(delay=CALL_LASTS), max_tokens=1)
    return api.chat(max_tokens=MODEL_REPLY)


@requirement("HEALTH-006", requests=enough, tokens=0, part="without a key")
def test_probes_are_not_limited(anonymous: Api) -> None:
    path = path_of(anonymous.target, "live")
    exchanges = [anonymous.get(path) for _ in range(enough(anonymous.target))]
    assert [repr(each) for each in exchanges if each.status == 429 or each.status >= 500] == []


def just_over(target: Target) -> int:
    return 2 + max((limit.limit for limit in limits(target)), default=0)


@requirement("HEALTH-006", requests=just_over, tokens=120, needs=("lim.req",), consumes="requests", part="with a key")
def test_probes_are_not_charged(tenant_with: TenantWith) -> None:
    """As many probes as the limit allows requests, all with the tenant's key: its first call is still served."""
    api = tenant_with(requests=True)
    assert api.tenant is not None
    assert api.tenant.requests is not None
    path = path_of(api.target, "live")
    probed = [api.get(path) for _ in range(api.tenant.requests.limit)]
    assert [repr(each) for each in [*probed, ask(api)] if each.status == 429] == []


@requirement("HEALTH-009", requests=1, tokens=0)
@each_probe
def test_a_probe_tells_nothing_about_the_inside(anonymous: Api, probe: str) -> None:
    exchange = anonymous.get(path_of(anonymous.target, probe))
    keys = [name for name, key in anonymous.run.keys.items() if key.reveal() in exchange.text]
    assert [*leaks(exchange.text), *versions(exchange.text), *(f"key of {name}" for name in keys)] == []


def unscripted(up: Upstream) -> dict[tuple[str, float], Seen]:
    """All calls to a model that carried no nonce of ours, by engine and instant."""
    return {(seen.engine, seen.started): seen for seen in up.seen(Script(nonce="", orders={}))}


@requirement("HEALTH-010", requests=READY_PROBES, tokens=0, needs=("health.ready",), lasts=READY_PROBES * READY_EVERY)
def test_readiness_does_not_call_the_model(anonymous: Api, up: Upstream) -> None:
    """Other checks may run meanwhile: calls that name another check as their sender are not the probe's."""
    path, before = path_of(anonymous.target, "ready"), unscripted(up)
    series(lambda: anonymous.get(path), READY_PROBES, READY_EVERY)
    agent = "gateproof/"
    new = [seen for at, seen in unscripted(up).items() if at not in before]
    called = [seen for seen in new if not_of_another_check(seen, agent)]
    if called and alongside() and not any(agent in seen.headers.get("user-agent", "") for seen in before.values()):
        raise Inconclusive("calls reached the engines, and nothing tells those of other checks from the probe's")
    assert [f"{seen.method} {seen.path} {seen.raw[:80]}" for seen in called] == []


def not_of_another_check(seen: Seen, agent: str) -> bool:
    sender = seen.headers.get("user-agent", "")
    return agent not in sender or "HEALTH-010" in sender


def alongside() -> bool:
    """Whether checks run in parallel."""
    return int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1


@requirement("HEALTH-013", requests=1, tokens=0)
@each_probe
def test_a_probe_is_not_stored(anonymous: Api, probe: str) -> None:
    control = anonymous.get(path_of(anonymous.target, probe)).headers.get("cache-control", "")
    assert {word.strip().lower() for word in control.split(",")} >= {"no-store"}
