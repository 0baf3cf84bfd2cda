"""What a list of models must look like (OpenAI `GET /models`). Pure, over parsed JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# How gateways mark a model that is listed and cannot be called now.
_MARKS: Mapping[str, tuple[Any, ...]] = {
    "status": ("unavailable", "offline", "down", "inactive", "disabled", "error"),
    "available": (False,),
    "active": (False,),
    "ready": (False,),
    "healthy": (False,),
}


def listing_flaws(body: object) -> list[str]:
    """What keeps a parsed body from being a list of models."""
    if not isinstance(body, dict):
        return [f"no object: {body!r:.120}"]
    flaws = [] if body.get("object") == "list" else [f"object is {body.get('object')!r:.120}"]
    return flaws if isinstance(body.get("data"), list) else [*flaws, f"data is {body.get('data')!r:.120}"]


def card_flaws(card: object) -> list[str]:
    """What keeps one entry from being a model; each flaw names the model."""
    if not isinstance(card, dict):
        return [f"no object: {card!r:.120}"]
    created = card.get("created")
    wrong = {
        "id": not isinstance(card.get("id"), str),
        "object": card.get("object") != "model",
        "created": not isinstance(created, int) or isinstance(created, bool),
        "owned_by": not isinstance(card.get("owned_by"), str),
    }
    return [f"{card.get('id')}: {name} is {card.get(name)!r:.120}" for name, bad in wrong.items() if bad]


def is_unavailable(card: Mapping[str, Any]) -> bool:
    """Whether the list itself says that this model cannot be called."""
    return any(card.get(name) in values for name, values in _MARKS.items() if name in card)
