"""RATE: when a used-up limit is open again, and whether what the refusals say of it is true (RFC 9110 §10.2.3)."""

from __future__ import annotations

from fixtures.limits import first_wrong
from fixtures.rates import (
    COUNTDOWN,
    HALF_WAY,
    HAMMERED,
    SDK_RETRIES,
    TWO_WINDOWS,
    WAITED_OUT,
    promised_wait,
)
from fixtures.watches import Watched
from gateproof.limits import Shot, retry_after_counts_down, truthful_after, truthful_before, window_resets
from gateproof.limits.refusals import refusals_cost_nothing
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import NotDeclared

SDK_PATIENCE = 120  # s; the longest Retry-After that the official SDK follows (openai, MAX_RETRY_AFTER_DELAY)


@requirement("RATE-007", watch=WAITED_OUT)
def test_a_request_after_retry_after_is_admitted(watched: Watched) -> None:
    """Three windows of three tenants, where they can be made, waited out together; else one."""
    pairs = watched(WAITED_OUT)
    assert first_wrong([truthful_after(Shot.of(no), Shot.of(yes)) for no, yes in pairs])


@requirement("RATE-008", watch=HALF_WAY)
def test_a_request_at_half_of_retry_after_is_still_refused(watched: Watched) -> None:
    refusal, again = watched(HALF_WAY).sent[-2:]
    assert truthful_before(Shot.of(refusal), Shot.of(again))


@requirement("RATE-009", watch=COUNTDOWN)
def test_retry_after_falls_with_the_clock(watched: Watched) -> None:
    seen = watched(COUNTDOWN)
    assert retry_after_counts_down(seen.history)


@requirement("RATE-010", watch=TWO_WINDOWS)
def test_a_new_window_admits_the_full_limit_again(watched: Watched) -> None:
    used, again = watched(TWO_WINDOWS)
    assert window_resets(used.limit, used.history, again.history)


@requirement("RATE-018", watch=HAMMERED)
def test_refused_requests_neither_count_nor_extend_the_window(watched: Watched) -> None:
    seen = watched(HAMMERED)
    assert refusals_cost_nothing(seen.limit, seen.history)


@requirement("RATE-034", watch=SDK_RETRIES, needs=("lim.req", "api.chat"))
def test_the_sdk_recovers_through_a_refusal(watched: Watched) -> None:
    refusal, trouble = watched(SDK_RETRIES)
    if (wait := promised_wait(refusal)) is not None and wait > SDK_PATIENCE:
        raise NotDeclared(f"Retry-After: {wait:.0f} s; the SDK follows no more than {SDK_PATIENCE} s")
    assert trouble is None
