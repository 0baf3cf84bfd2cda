"""RATE: there is no way around a limit: not by method, spelling of a path, name in a header, or connection."""

from __future__ import annotations

import math
from functools import partial

from fixtures.api import Api
from fixtures.auth import ask
from fixtures.burst import burst, history_of
from fixtures.bypasses import as_met, by_header, by_method, by_path, tried, tries
from fixtures.limits import (
    affordable,
    alone,
    boundary_of,
    fresh_window,
    in_turn,
    limit_of,
    within_reach,
)
from fixtures.rates import beyond, drained_from
from gateproof.limits import admits_at_most
from gateproof.verdict.claim import requirement
from gateproof.wire.client import Line

CONNECTIONS = 50  # (RATE-032)
LANES = 10  # of them at the same time, so that all fall into one window
KEPT = 2  # connections kept open beside new ones: with these, three counters would let three times the limit through


@requirement("RATE-021", requests=tries(by_method), consumes="requests")
def test_no_method_goes_past_the_limit(limited: Api) -> None:
    assert tried(limited, by_method(limited.target)).finding()


@requirement("RATE-022", requests=tries(by_path), consumes="requests")
def test_no_spelling_of_the_path_goes_past_the_limit(limited: Api) -> None:
    assert tried(limited, by_path(limited.target)).finding()


@requirement("RATE-023", requests=tries(by_header), consumes="requests")
def test_no_header_goes_past_the_limit(limited: Api) -> None:
    assert tried(limited, by_header(limited.target)).finding()


def over_each(limit: int) -> int:
    return KEPT * (limit + 1) + beyond(limit)


@requirement("RATE-024", requests=within_reach(over_each), consumes="requests")
def test_new_and_kept_connections_share_the_counter(limited: Api) -> None:
    affordable(over_each(limit_of(limited).limit), limited)
    sent = drained_from(limited).sent
    limit = as_met(limit_of(limited), sent)
    for _ in range(KEPT):
        with Line() as line:
            sent += in_turn(partial(ask, limited, line=line), limit_of(limited).limit + 1)
    assert admits_at_most(limit, alone(limited, history_of(sent)), boundary=boundary_of(limit, limited, sent))


def many(limit: int) -> int:
    """New connections that meet each of several replicas, more of them than the limit."""
    wanted = max(CONNECTIONS, 2 * limit)
    return math.ceil(wanted / LANES) * LANES


@requirement("RATE-032", requests=within_reach(many), consumes="requests")
def test_many_new_connections_share_the_counter(limited: Api) -> None:
    limit = limit_of(limited)
    size = affordable(many(limit.limit), limited)
    fresh_window(limited)
    sent = [each for _ in range(size // LANES) for each in burst(lambda: ask(limited), LANES)]
    assert admits_at_most(limit, history_of(sent), boundary=boundary_of(limit, limited, sent))
