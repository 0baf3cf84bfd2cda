"""Responses that were not asked to be forgotten: kept to be fetched, continued and deleted by their id."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

KEPT = 1000  # responses; the oldest are forgotten first


@dataclass(frozen=True, slots=True)
class Stay:
    """One response as it was answered, and the items that it answers."""

    response: dict[str, Any]
    items: list[Any]


class Stored:
    """An engine's memory of responses. It knows no tenants: whose is whose is for the gateway to know."""

    def __init__(self) -> None:
        self._stays: OrderedDict[str, Stay] = OrderedDict()

    def keep(self, response: dict[str, Any], given: Any) -> None:
        items = given if isinstance(given, list) else [{"type": "message", "role": "user", "content": given}]
        self._stays[response["id"]] = Stay(response, items)
        while len(self._stays) > KEPT:
            self._stays.popitem(last=False)

    def get(self, identifier: str) -> Stay | None:
        return self._stays.get(identifier)

    def delete(self, identifier: str) -> None:
        del self._stays[identifier]
