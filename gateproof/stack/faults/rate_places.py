"""RATE: limits on parallel requests whose places are given twice, or never given back."""

from __future__ import annotations

from gateproof.stack.faults import Fault

FAULTS = (
    Fault(
        "parallel_limit_is_inclusive",
        where="gateway",
        breaks=("RATE-036",),
        clouds=("RATE-039",),
        stands_for="a comparison off by one: one more runs than may",
        link="https://github.com/BerriAI/litellm/issues/16011",
        shows="3 under way",
    ),
    Fault(
        "aborted_stream_keeps_its_place",
        where="gateway",
        breaks=("RATE-035", "RATE-037"),
        stands_for="a slot that is freed by a callback at the end of the answer, which an aborted stream never reaches",
        link="https://github.com/BerriAI/litellm/issues/27955",
        shows="[429, 429]",
    ),
    Fault(
        "timed_out_call_keeps_its_place",
        where="gateway",
        breaks=("RATE-038",),
        stands_for="a slot that is freed on success only: provider timeouts lock a key out for good",
        link="https://github.com/BerriAI/litellm/issues/20256",
        shows="[429, 429]",
    ),
    Fault(
        "malformed_call_keeps_a_place",
        where="gateway",
        breaks=("RATE-038",),
        stands_for="a slot taken before the body is parsed, and lost when it cannot be",
        link="https://github.com/BerriAI/litellm/issues/1477",
        shows="[429, 429]",
    ),
    Fault(
        "crowded_out_is_counted",
        where="gateway",
        breaks=("RATE-039",),
        stands_for="counters that are raised together before any of them is asked",
        link="https://github.com/BerriAI/litellm/issues/39309",
        shows="1 >= ",
    ),
)
