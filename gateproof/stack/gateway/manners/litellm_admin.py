"""LiteLLM's admin API: virtual keys and teams, for the holder of the master key.

A key of a team has the team's limits, or its own when it is in none; the real one applies both at once.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateproof.errors import ConfigError
from gateproof.stack import config
from gateproof.stack.gateway import admin
from gateproof.stack.gateway.body import parse_object
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.headers import RequestHeaders
from gateproof.stack.gateway.keyring import Key, Keyring
from gateproof.stack.gateway.manner import Asked, Reply, json_reply

KEY_BYTES = 16  # secrets.token_urlsafe(16), as generate_key_helper_fn has it
PAGE = 10  # rows of /key/list when `size` is not given
MOST_ROWS = 100
OVER_BUDGET = 422  # litellm.budget_exceeded_status_code when nobody sets it

ADMIN_PATHS = {
    "/key/generate": "POST",
    "/key/update": "POST",
    "/key/delete": "POST",
    "/key/block": "POST",
    "/key/unblock": "POST",
    "/key/info": "GET",
    "/key/list": "GET",
    "/team/new": "POST",
    "/team/update": "POST",
    "/team/delete": "POST",
    "/team/info": "GET",
    "/team/list": "GET",
}
_LIMITS = ("rpm_limit", "tpm_limit", "max_parallel_requests", "max_budget", "models")


def token_hash(key: str) -> str:
    """How LiteLLM stores a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def only_admins(path: str) -> Refusal:
    message = (
        "Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys/users/teams. "
        f"Route={path}. Your role=unknown. Your user_id=*******"
    )
    return Refusal(401, message, kind="auth_error", param="None", code="invalid_api_key")


@dataclass(slots=True)
class Row:
    """What was said of a key when it was made."""

    said: dict[str, Any]
    team: str | None = None


@dataclass(slots=True)
class Team:
    said: dict[str, Any] = field(default_factory=dict)


class LiteLLMAdmin:
    """One proxy with its database."""

    def __init__(self, keyring: Keyring, settings: config.Gateway) -> None:
        self._keyring, self._master, self._window = keyring, settings.admin_key, settings.window
        self._rows: dict[str, Row] = {}
        self._teams: dict[str, Team] = {}
        self._doors: dict[str, Callable[[dict[str, Any]], Any]] = {
            "/key/generate": self.generate,
            "/key/update": self.update,
            "/key/delete": self.delete,
            "/key/block": lambda said: self.block(said, blocked=True),
            "/key/unblock": lambda said: self.block(said, blocked=False),
            "/key/info": self.info,
            "/key/list": self.listed,
            "/team/new": self.new_team,
            "/team/update": self.update_team,
            "/team/delete": self.delete_teams,
            "/team/info": self.team_info,
            "/team/list": lambda _: [self._team(name) for name in self._teams],
        }

    def check(self, headers: RequestHeaders, path: str) -> None:
        if not admin.is_admin(headers, self._master):
            raise only_admins(path)

    def answer(self, asked: Asked) -> Reply:
        said = parse_object(asked.body or b"{}") if asked.method == "POST" else dict(asked.query)
        return json_reply(200, self._doors[asked.path](said))

    # Keys

    def generate(self, said: dict[str, Any]) -> dict[str, Any]:
        alias, team = said.get("key_alias"), said.get("team_id")
        if alias is not None and any(row.said.get("key_alias") == alias for row in self._rows.values()):
            problem = f"Key with alias '{alias}' already exists. Unique key aliases across all keys are required."
            raise Refusal(400, problem, kind="bad_request_error", param="key_alias", code="alias")
        if team is not None and team not in self._teams:
            raise Refusal(400, f"Unable to find team_id={team}", kind="bad_request_error", code="team")
        rights = self.rights(said) if team is None or any(said.get(name) for name in _LIMITS) else None
        name = team if team is not None and rights is None else self.tenant_for(alias)
        value = str(said.get("key") or f"sk-{secrets.token_urlsafe(KEY_BYTES)}")
        key = self._keyring.mint(name, rights, self.lifetime(said), value=value)
        self._rows[key.value] = Row(said, team)
        return {**self._row(key), "key": key.value, "token_id": token_hash(key.value)}

    def tenant_for(self, alias: str | None) -> str:
        """A new tenant, called as its key is, which the metrics tell."""
        free = alias is not None and alias not in self._keyring.tenants
        return str(alias) if free else f"{alias or 'key'}-{secrets.token_hex(4)}"

    def update(self, said: dict[str, Any]) -> dict[str, Any]:
        key = self._named(said.get("key"))
        row = self._rows.setdefault(key.value, Row({}))
        row.said |= {name: value for name, value in said.items() if name != "key"}
        if row.team is None:
            self._keyring.change(key.tenant, self.rights(row.said))
        return {"key": key.value, **self._row(key)}

    def delete(self, said: dict[str, Any]) -> dict[str, Any]:
        named, aliases = list(said.get("keys") or ()), list(said.get("key_aliases") or ())
        doomed = [key for key in self._keyring if key.value in named or token_hash(key.value) in named]
        doomed += [key for key in self._keyring if self._alias(key) in aliases]
        if not doomed:
            raise Refusal(404, "{'error': 'No keys found'}", kind="not_found_error", code="key_not_found")
        for key in doomed:
            self._keyring.revoke(key.value)
            self._rows.pop(key.value, None)
        return {"deleted_keys": named or aliases}

    def block(self, said: dict[str, Any], *, blocked: bool) -> dict[str, Any]:
        key = self._named(said.get("key"))
        (self._keyring.blocked.add if blocked else self._keyring.blocked.discard)(key.value)
        return self._row(key)

    def info(self, said: dict[str, Any]) -> dict[str, Any]:
        key = self._named(said.get("key"))
        return {"key": said["key"], "info": self._row(key)}

    def listed(self, said: dict[str, Any]) -> dict[str, Any]:
        try:
            page, size = int(said.get("page", 1)), min(MOST_ROWS, int(said.get("size", PAGE)))
        except ValueError:
            raise Refusal(422, "page and size must be integers", code="invalid") from None
        alias = said.get("key_alias")
        keys = [key for key in self._keyring if alias is None or self._alias(key) == alias]
        whole = said.get("return_full_object") == "true"
        shown = keys[(page - 1) * size : page * size]
        return {
            "keys": [self._row(key) if whole else token_hash(key.value) for key in shown],
            "total_count": len(keys),
            "current_page": page,
            "total_pages": -(-len(keys) // size),
        }

    # Teams

    def new_team(self, said: dict[str, Any]) -> dict[str, Any]:
        name = str(said.get("team_id") or uuid.uuid4())
        self._teams[name] = Team(said)
        self._keyring.add(name, self.rights(said))
        return self._team(name)

    def update_team(self, said: dict[str, Any]) -> dict[str, Any]:
        name = self._known_team(said.get("team_id"))
        self._teams[name].said |= said
        self._keyring.change(name, self.rights(self._teams[name].said))
        return {"team_id": name, "data": self._team(name)}

    def delete_teams(self, said: dict[str, Any]) -> list[dict[str, Any]]:
        """Their keys go with them."""
        names = [self._known_team(name) for name in said.get("team_ids") or ()]
        gone = [self._team(name) for name in names]
        for key in [key for key in self._keyring if self._team_of(key) in names]:
            self._keyring.revoke(key.value)
            self._rows.pop(key.value, None)
        for name in names:
            del self._teams[name]
            self._keyring.remove(name)
        return gone

    def team_info(self, said: dict[str, Any]) -> dict[str, Any]:
        name = self._known_team(said.get("team_id"))
        keys = [self._row(key) for key in self._keyring if self._team_of(key) == name]
        return {"team_id": name, "team_info": self._team(name), "keys": keys}

    # What is known of them

    def rights(self, said: Mapping[str, Any]) -> config.Tenant:
        """One window for all limits, beginning with the first request; tokens are reserved before the call."""
        window = {"window": self._window}
        given: dict[str, Any] = {"parallel": said.get("max_parallel_requests"), "models": said.get("models") or None}
        if said.get("rpm_limit") is not None:
            given["requests"] = {"limit": said["rpm_limit"], **window}
        if said.get("tpm_limit") is not None:
            given["tokens"] = {"limit": said["tpm_limit"], "mode": "reserve", **window}
        if said.get("max_budget") is not None:
            lasts = said.get("budget_duration") or config.LIFETIME
            given["budget"] = {"limit": said["max_budget"], "window": lasts, "status": OVER_BUDGET}
        try:
            return config.tenant_from(given)
        except (ConfigError, TypeError, ValueError) as error:
            raise Refusal(422, str(error), code="invalid") from None

    def lifetime(self, said: Mapping[str, Any]) -> float | None:
        duration = said.get("duration")
        try:
            return None if duration is None else config.duration(duration)
        except ConfigError:
            raise Refusal(400, f"Invalid duration: {duration}", kind="bad_request_error", code="duration") from None

    def _row(self, key: Key) -> dict[str, Any]:
        row = self._rows.get(key.value, Row({}))
        rights = self._keyring.tenants[key.tenant].rights
        return {
            "token": token_hash(key.value),
            "key_name": f"sk-...{key.value[-4:]}",
            "key_alias": self._alias(key),
            "spend": self._spent(key),
            "max_budget": row.said.get("max_budget"),
            "expires": None if key.expires is None else _iso(key.expires),
            "models": list(rights.models or ()),
            "user_id": row.said.get("user_id"),
            "team_id": row.team,
            "max_parallel_requests": row.said.get("max_parallel_requests"),
            "metadata": row.said.get("metadata") or {},
            "tpm_limit": row.said.get("tpm_limit"),
            "rpm_limit": row.said.get("rpm_limit"),
            "budget_duration": row.said.get("budget_duration"),
            "blocked": key.value in self._keyring.blocked or None,
            "created_at": _iso(key.created),
        }

    def _team(self, name: str) -> dict[str, Any]:
        said = self._teams[name].said
        named = ("team_alias", "budget_duration", *_LIMITS)
        told = {each: said.get(each) for each in named}
        return {**told, "team_id": name, "models": said.get("models") or [], "spend": 0.0, "blocked": False}

    def _spent(self, key: Key) -> float:
        purse = self._keyring.tenants[key.tenant].meter.purse
        return 0.0 if purse is None else purse.spent(time.monotonic())

    def _alias(self, key: Key) -> str | None:
        row = self._rows.get(key.value)
        return key.tenant if row is None else row.said.get("key_alias")

    def _team_of(self, key: Key) -> str | None:
        row = self._rows.get(key.value)
        return None if row is None else row.team

    def _named(self, value: Any) -> Key:
        found = next((key for key in self._keyring if value in (key.value, token_hash(key.value))), None)
        if found is None:
            raise Refusal(404, "Key not found in database", kind="not_found_error", param="key", code="key_not_found")
        return found

    def _known_team(self, value: Any) -> str:
        if value not in self._teams:
            message = f"Team not found, passed team_id={value}"
            raise Refusal(404, message, kind="not_found_error", code="team_not_found")
        return str(value)


def _iso(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat()
