"""RATE: what goes wrong with request limits."""

from __future__ import annotations

from gateproof.stack.faults import Fault

FAULTS = (
    Fault(
        "limit_is_inclusive",
        where="gateway",
        breaks=("RATE-001", "RATE-002", "RATE-025"),
        clouds=("ROUTE-006",),
        stands_for="a comparison off by one: the request after the last is let through",
        shows="6 admitted",
    ),
    Fault(
        "refused_one_early",
        where="gateway",
        breaks=("RATE-001", "RATE-010", "RATE-019"),
        stands_for="429 one request before the limit, counters that do not agree",
        link="https://github.com/BerriAI/litellm/issues/8430",
        shows="429 after 4 admitted",
    ),
    Fault(
        "count_is_lost_in_parallel",
        where="gateway",
        breaks=("RATE-002", "RATE-025"),
        clouds=("ROUTE-006",),
        stands_for="check and count in two steps: requests under way together do not see each other",
        link="https://github.com/BerriAI/litellm/issues/40291",
        shows="admitted between",
    ),
    Fault(
        "burst_is_counted_twice",
        where="gateway",
        breaks=("RATE-003", "RATE-025"),
        stands_for="a counter raised by two layers when requests overlap, so that a burst gets half of its limit",
        link="https://github.com/BerriAI/litellm/issues/18953",
        shows="3 admitted",
    ),
    Fault(
        "rate_limit_as_text",
        where="gateway",
        breaks=("RATE-004", "RATE-026"),
        stands_for="a limiter in front of the gateway that answers in its own words: `Too Many Requests`",
        link="https://github.com/Kuadrant/wasm-shim",
        shows="text/plain",
    ),
    Fault(
        "no_retry_after",
        where="gateway",
        breaks=("RATE-005", "RATE-006", "RATE-007"),
        stands_for="429 without Retry-After, as Limitador and Portkey answer",
        shows="Retry-After: None",
    ),
    Fault(
        "retry_after_with_fraction",
        where="gateway",
        breaks=("RATE-006", "RATE-007"),
        stands_for="a float of seconds printed as it is, which no client may read (RFC 9110 §10.2.3)",
        shows="Retry-After: 2.0",
    ),
    Fault(
        "retry_after_zero",
        where="gateway",
        breaks=("RATE-007",),
        stands_for="the rest of the window rounded down to nothing: clients come back at once and are refused again",
        shows="429 after 1",
    ),
    Fault(
        "window_carries_over",
        where="gateway",
        breaks=("RATE-010", "QUOTA-007"),
        stands_for="a shared window counter that blocks for longer than its window",
        link="https://github.com/BerriAI/litellm/issues/24677",
        shows="3 admitted",
    ),
    Fault(
        "tenants_share_counters",
        where="gateway",
        breaks=("RATE-019", "QUOTA-015"),
        stands_for="a counter whose key does not tell two tenants apart",
        shows="429",
    ),
    Fault(
        "refusals_block_everybody",
        where="gateway",
        breaks=("RATE-019",),
        stands_for="a refusal that waits for its store without letting others run",
    ),
    Fault(
        "streams_are_counted_twice",
        where="gateway",
        breaks=("RATE-025",),
        stands_for="a stream counted when it is admitted and again by the hook at its end",
        shows="'429': 3",
    ),
    Fault(
        "refused_stream_is_200",
        where="gateway",
        breaks=("RATE-025", "RATE-026"),
        stands_for="the head of a stream sent before its limits are asked, the refusal as an event in it",
        link="https://github.com/Kuadrant/wasm-shim/issues/372",
        shows="text/event-stream",
    ),
)
