"""The part of Portkey's control plane that makes API keys, here at the gateway itself.

https://portkey.ai/docs/api-reference/admin-api/control-plane/api-keys/create-api-key; windows are fixed and begin at
multiples of their length since the epoch (utils/rateLimiter.ts).
"""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateproof.stack import config
from gateproof.stack.gateway.body import parse_object
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.headers import RequestHeaders
from gateproof.stack.gateway.keyring import Keyring
from gateproof.stack.gateway.manner import Asked, Reply, json_reply

KEYS = "/v1/api-keys"
UNITS = {"rps": 1.0, "rpm": 60.0, "rph": 3600.0, "rpd": 86_400.0}  # s
KINDS = {f"{owner}/{kind}" for owner in ("organisation", "workspace") for kind in ("user", "service")}
BUDGET_STATUS = 412


@dataclass(slots=True)
class Made:
    """One key of the control plane."""

    value: str
    name: str
    said: dict[str, Any] = field(default_factory=dict)


class PortkeyAdmin:
    def __init__(self, keyring: Keyring, settings: config.Gateway) -> None:
        self._keyring, self._admin_key = keyring, settings.admin_key
        self._made: dict[str, Made] = {}

    def check(self, headers: RequestHeaders, path: str) -> None:  # noqa: ARG002 - one key for all of it
        given = headers.get(b"x-portkey-api-key")
        if self._admin_key is None or not secrets.compare_digest(given, self._admin_key.encode()):
            raise Refusal(401, "Invalid API Key", code="03")

    def answer(self, asked: Asked) -> Reply:
        below = asked.path.removeprefix(KEYS).strip("/")
        if asked.method == "POST" and below in KINDS:
            return self.make(below, parse_object(asked.body))
        if asked.method == "GET" and not below:
            return self.listing(asked.query)
        made = self._made.get(below)
        if made is None:
            raise Refusal(404, "API Key not found", code="failure")
        if asked.method == "DELETE":
            self._keyring.revoke(self._made.pop(below).value)
            return json_reply(200, {})
        if asked.method == "PUT":
            made.said |= parse_object(asked.body)
            self._keyring.change(below, rights(made.said))
            return json_reply(200, {})
        return json_reply(200, shown(below, made))

    def make(self, kind: str, said: dict[str, Any]) -> Reply:
        if not said.get("name") or (kind.startswith("workspace/") and not said.get("workspace_id")):
            raise Refusal(400, "name and workspace_id are required", code="failure")
        name, value = secrets.token_hex(8), secrets.token_urlsafe(21)
        self._keyring.mint(name, rights(said), lifetime(said), value=value)
        self._made[name] = Made(value, str(said["name"]), said)
        return json_reply(200, {"id": name, "key": value, "object": "api-key"})

    def listing(self, query: Mapping[str, str]) -> Reply:
        size, page = int(query.get("page_size", "100")), int(query.get("current_page", "0"))
        rows = [shown(name, made) for name, made in self._made.items()]
        return json_reply(200, {"object": "list", "total": len(rows), "data": rows[page * size : (page + 1) * size]})


def rights(said: Mapping[str, Any]) -> config.Tenant:
    """Request limits are taken before the call, token limits after it."""
    limits: dict[str, list[dict[str, Any]]] = {"requests": [], "tokens": []}
    for row in said.get("rate_limits") or []:
        if row.get("type") not in limits or row.get("unit") not in UNITS:
            raise Refusal(400, "Invalid rate_limits", code="failure")
        limits[row["type"]].append({"limit": row["value"], "window": UNITS[row["unit"]], "aligned": True})
    money = said.get("usage_limits") or {}
    budget = {"limit": money["credit_limit"], "status": BUDGET_STATUS} if money.get("credit_limit") else None
    return config.tenant_from({**limits, "budget": budget})


def lifetime(said: Mapping[str, Any]) -> float | None:
    """Seconds from now."""
    until = said.get("expires_at")
    if until is None:
        return None
    return dt.datetime.fromisoformat(str(until)).timestamp() - time.time()


def shown(name: str, made: Made) -> dict[str, Any]:
    told = {key: made.said.get(key) for key in ("rate_limits", "usage_limits", "workspace_id", "expires_at")}
    return {"id": name, "object": "api-key", "name": made.name, "key": f"{made.value[:4]}...{made.value[-4:]}", **told}
