"""RATE: what answers say of a limit in their headers, held against what happens."""

from __future__ import annotations

import pytest

from fixtures.api import Api
from fixtures.auth import ask
from fixtures.burst import history_of
from fixtures.limits import boundary_of
from fixtures.rates import COUNTDOWN, SERIES
from fixtures.watches import Watched
from gateproof.limits.header_series import (
    Notation,
    advertised_is_enforced,
    headers_well_formed,
    remaining_falls,
    zero_means_refused,
)
from gateproof.limits.resets import reset_counts_down
from gateproof.verdict.claim import requirement

RL03, OPENAI, IETF = Notation("rl03"), Notation("openai"), Notation("ietf")
OPENAI_TOKENS = Notation("openai", unit="tokens")

# Whoever declares a further notation means it: what holds of one must hold of each.
each_notation = pytest.mark.parametrize(
    "notation",
    [
        pytest.param(RL03, id="rl03"),
        pytest.param(OPENAI, id="openai", marks=pytest.mark.needs("lim.headers.openai")),
        pytest.param(IETF, id="ietf", marks=pytest.mark.needs("lim.headers.ietf")),
    ],
)


@requirement("RATE-011", watch=SERIES)
def test_the_headers_of_draft_03_are_well_formed(watched: Watched) -> None:
    assert headers_well_formed(RL03, watched(SERIES).history)


@requirement("RATE-012", watch=SERIES)
@each_notation
def test_remaining_falls_by_one_per_admitted_request(watched: Watched, notation: Notation) -> None:
    seen = watched(SERIES)
    assert remaining_falls(seen.limit, notation, seen.history, boundary=boundary_of(seen.limit, seen.api, seen.sent))


@requirement("RATE-013", watch=SERIES)
@each_notation
def test_nothing_remaining_means_that_the_next_is_refused(watched: Watched, notation: Notation) -> None:
    seen = watched(SERIES)
    assert zero_means_refused(seen.limit, notation, seen.history, boundary=boundary_of(seen.limit, seen.api, seen.sent))


@requirement("RATE-014", watch=COUNTDOWN)
@each_notation
def test_reset_falls_with_the_clock(watched: Watched, notation: Notation) -> None:
    seen = watched(COUNTDOWN)
    assert reset_counts_down(seen.limit, notation, seen.history)


@requirement("RATE-015", watch=SERIES)
@each_notation
def test_the_advertised_limit_is_the_enforced_one(watched: Watched, notation: Notation) -> None:
    seen = watched(SERIES)
    assert advertised_is_enforced(seen.limit, notation, seen.history)


@requirement("RATE-016", part="requests", watch=SERIES)
def test_openai_headers_on_requests_are_well_formed(watched: Watched) -> None:
    assert headers_well_formed(OPENAI, watched(SERIES).history)


@requirement("RATE-016", part="tokens", requests=1, needs=("quota.tokens",))
def test_openai_headers_on_tokens_are_well_formed(metered: Api) -> None:
    assert headers_well_formed(OPENAI_TOKENS, history_of([ask(metered)]))


@requirement("RATE-017", watch=SERIES)
def test_ratelimit_fields_are_structured(watched: Watched) -> None:
    assert headers_well_formed(IETF, watched(SERIES).history)
