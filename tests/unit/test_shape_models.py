"""The judge of lists of models."""

from __future__ import annotations

from typing import Any

import pytest

from gateproof.shape.models import card_flaws, is_unavailable, listing_flaws

CARD: dict[str, Any] = {"id": "m", "object": "model", "created": 0, "owned_by": "me"}


@pytest.mark.parametrize(
    ("body", "flaws"),
    [
        ({"object": "list", "data": []}, []),
        ({"object": "models.info", "data": []}, ["object is 'models.info'"]),
        ({"object": "list"}, ["data is None"]),
        ([], ["no object: []"]),
    ],
)
def test_a_list_of_models_is_judged(body: object, flaws: list[str]) -> None:
    assert listing_flaws(body) == flaws


@pytest.mark.parametrize(
    ("changes", "flaws"),
    [
        ({}, []),
        ({"created": "2024"}, ["m: created is '2024'"]),
        ({"created": True}, ["m: created is True"]),
        ({"owned_by": None}, ["m: owned_by is None"]),
        ({"object": "engine", "id": 7}, ["7: id is 7", "7: object is 'engine'"]),
    ],
)
def test_an_entry_is_judged(changes: dict[str, Any], flaws: list[str]) -> None:
    assert card_flaws({**CARD, **changes}) == flaws


@pytest.mark.parametrize(
    ("mark", "unavailable"),
    [({}, False), ({"status": "ready"}, False), ({"status": "offline"}, True), ({"available": False}, True)],
)
def test_a_model_may_be_marked_unavailable(mark: dict[str, Any], unavailable: bool) -> None:
    assert is_unavailable({**CARD, **mark}) is unavailable
