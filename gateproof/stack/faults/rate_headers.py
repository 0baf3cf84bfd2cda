"""RATE: limit headers that are malformed or untrue, in one notation each."""

from __future__ import annotations

from gateproof.stack.faults import Fault

FAULTS = (
    Fault(
        "advertised_limit_is_stale",
        where="gateway",
        breaks=("RATE-015",),
        stands_for="headers written from a configuration that the limiter has not loaded yet",
        shows="limit 10",
    ),
    Fault(
        "remaining_falls_by_two",
        where="gateway",
        breaks=("RATE-012", "RATE-013"),
        stands_for="a header written by two layers of one limiter, each of which takes the request off",
        link="https://github.com/envoyproxy/ai-gateway/issues/1754",
        shows="remaining -1",
    ),
    Fault(
        "remaining_is_told_before_the_request",
        where="gateway",
        breaks=("RATE-013",),
        stands_for="what was left before the request that is answered: a client that believes it is refused",
        shows="after remaining 1",
    ),
    Fault(
        "reset_is_the_whole_window",
        where="gateway",
        breaks=("RATE-014",),
        stands_for="a reset that tells how long windows are instead of when this one ends",
        shows="moved away",
    ),
    Fault(
        "reset_is_an_instant",
        where="gateway",
        breaks=("RATE-011",),
        clouds=("RATE-014",),
        stands_for="epoch seconds, as code forges write them, where the draft has seconds from now",
        link="https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api",
        shows="epoch",
    ),
    Fault(
        "openai_reset_is_a_number",
        where="gateway",
        breaks=("RATE-016",),
        clouds=("RATE-012", "RATE-013", "RATE-014", "RATE-015"),
        stands_for="seconds without a unit where the SDK's users read `1m30s` or `12ms`",
        shows="x-ratelimit-reset-requests",
    ),
    Fault(
        "ratelimit_name_unquoted",
        where="gateway",
        breaks=("RATE-017",),
        clouds=("RATE-012", "RATE-013", "RATE-014", "RATE-015"),
        stands_for="a Token where draft 10 has a String, which a strict RFC 9651 parser does not take for a policy",
        shows="requests",
    ),
)
