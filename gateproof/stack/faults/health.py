"""HEALTH: what goes wrong with probes."""

from __future__ import annotations

from gateproof.stack.faults import Fault

FAULTS = (
    Fault(
        "liveness_is_202",
        where="gateway",
        breaks=("HEALTH-001", "HEALTH-007"),
        stands_for="a liveness path that some other handler answers",
        shows="202",
    ),
    Fault(
        "never_ready",
        where="gateway",
        breaks=("HEALTH-002", "HEALTH-008", "HEALTH-011"),
        stands_for="a readiness check of something that is not needed to serve",
        shows="503",
    ),
    Fault(
        "probes_want_a_key",
        where="gateway",
        breaks=("HEALTH-003", "HEALTH-007", "HEALTH-008", "HEALTH-011"),
        stands_for="key checking in front of every path: the kubelet restarts a healthy gateway",
        shows="401",
    ),
    Fault(
        "probes_know_no_head",
        where="gateway",
        breaks=("HEALTH-004",),
        stands_for="a route for GET alone: load balancers that ask with HEAD see 405",
        shows="405",
    ),
    Fault(
        "probes_behind_the_work",
        where="gateway",
        breaks=("HEALTH-005",),
        stands_for="probes that queue behind requests on one event loop",
        link="https://github.com/BerriAI/litellm/pull/12669",
        shows="p99 of probes under 1000 ms",
    ),
    Fault(
        "probes_are_charged",
        where="gateway",
        breaks=("HEALTH-006",),
        stands_for="a limiter that counts every path",
        shows="429",
    ),
    Fault(
        "probe_tells_version",
        where="gateway",
        breaks=("HEALTH-009",),
        stands_for="a health page with the version that an attacker looks up",
        shows="1.4.2",
    ),
    Fault(
        "readiness_asks_the_model",
        where="gateway",
        breaks=("HEALTH-010",),
        stands_for="a readiness check that generates a token on every backend (LiteLLM's GET /health)",
        shows="are you well?",
    ),
    Fault(
        "probes_cacheable",
        where="gateway",
        breaks=("HEALTH-013",),
        stands_for="a cache on the way that answers for a gateway long dead",
        shows="max-age=60",
    ),
    Fault(
        "ready_without_backends",
        where="gateway",
        breaks=("HEALTH-007",),
        stands_for="a readiness that is liveness: traffic comes to a gateway that can serve none",
        shows="(True, 200)",
    ),
    Fault(
        "never_ready_again",
        where="gateway",
        breaks=("HEALTH-008",),
        stands_for="an outage that is remembered until a restart",
        shows="503",
    ),
    Fault(
        "ready_only_with_all",
        where="gateway",
        breaks=("HEALTH-011",),
        stands_for="one model of many is down, and the gateway is taken out for all of them",
        shows="(False, 503)",
    ),
)
