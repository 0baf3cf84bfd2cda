"""Lots, seats and the order in which backends are asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateproof.stack.config import Backend, Model
from gateproof.stack.engine.ledger import Ledger
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.lots import drawn, for_call, share_of
from gateproof.stack.gateway.seats import Seats

A, B, C = Backend("a", weight=70), Backend("b", weight=30), Backend("c", weight=0)


@pytest.mark.parametrize(("lot", "engine"), [(0.0, "a"), (0.699, "a"), (0.701, "b"), (0.9999, "b")])
def test_a_lot_falls_on_a_backends_part(lot: float, engine: str) -> None:
    assert drawn((A, B, C), lot).engine == engine


def test_weight_zero_is_never_drawn() -> None:
    assert {drawn((C, A, C), lot / 100).engine for lot in range(100)} == {"a"}


def asking(prompt: str) -> Any:
    return SimpleNamespace(request={"messages": [{"role": "user", "content": prompt}]}, client=("127.0.0.1", 1))


def test_equal_beginnings_go_to_one_backend_where_the_model_wants_it() -> None:
    model = Model(backends=(A, B), affinity=True)
    same = {for_call(asking("x" * 300 + str(end)))(model, model.backends).engine for end in range(50)}
    other = {for_call(asking(str(start) + "x" * 300))(model, model.backends).engine for start in range(50)}
    assert (len(same), other) == (1, {"a", "b"})


def test_a_share_depends_on_the_text_alone() -> None:
    assert share_of("x") == share_of("x") != share_of("y")
    assert 0 <= share_of("\ud800") < 1


def test_a_request_beyond_the_capacity_is_refused_until_one_ends() -> None:
    seats = Seats(1)
    with seats.taken("m"):
        seats.check("n")
        with pytest.raises(Refusal) as refused:
            seats.check("m")
        assert (refused.value.status, refused.value.headers) == (503, [(b"retry-after", b"1")])
    seats.check("m")


def test_without_a_capacity_nothing_is_refused() -> None:
    seats = Seats(None)
    with seats.taken("m"):
        seats.check("m")


def test_requests_wait_for_a_slot_of_their_nonce() -> None:
    ledger = Ledger("a")
    first, second, third = (ledger.turn("n", 2, 1.0) for _ in range(3))
    assert (round(first), round(second), round(third)) == (1, 1, 2)
    assert round(ledger.turn("other", 1, 1.0)) == 1
