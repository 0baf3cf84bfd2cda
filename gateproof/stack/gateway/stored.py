"""Whose stored response is whose, and which engine holds it. A guess by anybody else is a 404."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from gateproof.stack.faults import worn
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.upstream import Origin

MOST_KEPT = 10_000  # ids; the oldest are forgotten first


class Stored:
    """Response ids, their owner and their place."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[str, Origin]] = OrderedDict()

    def note(self, payload: Any, tenant: str, origin: Origin) -> bool:
        """Remember the id of a reply or of a stream event; whether there was one."""
        holder = payload.get("response", payload) if isinstance(payload, dict) else None
        if not isinstance(holder, dict) or holder.get("object") != "response" or not isinstance(holder.get("id"), str):
            return False
        self._known[holder["id"]] = (tenant, origin)
        while len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)
        return True

    def origin(self, response_id: str, tenant: str) -> Origin:
        owner, origin = self._known.get(response_id, (None, None))
        if origin is None or (owner != tenant and not worn("stored_responses_open_to_all")):
            raise Refusal(404, "No response with this id was found.", code="response_not_found")
        return origin

    def previous(self, request: dict[str, Any], tenant: str) -> Origin | None:
        """Where a conversation has to continue; None when it is a new one."""
        previous = request.get("previous_response_id")
        if previous is None:
            return None
        if not isinstance(previous, str):
            raise Refusal(400, "previous_response_id must be a string.", param="previous_response_id")
        try:
            return self.origin(previous, tenant)
        except Refusal:
            message = "The previous response was not found."
            raise Refusal(404, message, code="previous_response_not_found", param="previous_response_id") from None

    def forget(self, response_id: str) -> None:
        self._known.pop(response_id, None)
