"""llm-proxy's management API: projects, which cannot be deleted, and tokens with a number of requests for life."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateproof.stack import config
from gateproof.stack.gateway.body import parse_object
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.headers import RequestHeaders
from gateproof.stack.gateway.keyring import Key, Keyring
from gateproof.stack.gateway.manner import JSON_TYPE, TEXT_TYPE, Asked, Reply

TOKEN_BYTES = 16  # a UUID, 22 characters of base64url
LONGEST = 525600  # minutes, a year: maxDurationMinutes
_PROJECTS, _TOKENS = "/manage/projects", "/manage/tokens"


def plain_error(status: int, text: str) -> Reply:
    """http.Error: JSON that is called plain text."""
    return Reply(status, [(b"content-type", TEXT_TYPE), (b"x-content-type-options", b"nosniff")], text.encode() + b"\n")


def no(status: int, error: str, **more: str) -> Refusal:
    return Refusal(status, json.dumps({"error": error, **more}, separators=(",", ":")), code="admin")


@dataclass(slots=True)
class Project:
    name: str
    api_key: str
    active: bool = True
    created: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)


@dataclass(slots=True)
class Token:
    """`most` requests for life; 0: any number."""

    id: str
    project: str
    most: int


class LlmProxyAdmin:
    """One server with its store. Turning a project off changes nothing for its tokens, as it does there."""

    def __init__(self, keyring: Keyring, settings: config.Gateway) -> None:
        self._keyring, self._management_token = keyring, settings.admin_key
        self._projects: dict[str, Project] = {}
        self._tokens: dict[str, Token] = {}

    def check(self, headers: RequestHeaders, path: str) -> None:  # noqa: ARG002 - one token for all of it
        given = headers.get(b"authorization").decode("latin-1")
        if not given.startswith("Bearer ") or given == "Bearer ":
            raise no(401, "missing or invalid Authorization header")
        if self._management_token is None or not secrets.compare_digest(
            given.removeprefix("Bearer ").encode(), self._management_token.encode()
        ):
            raise no(401, "invalid management token")

    def answer(self, asked: Asked) -> Reply:
        path = asked.path.rstrip("/")
        if path == _PROJECTS:
            return self.projects(asked)
        if path == _TOKENS:
            return self.tokens(asked)
        if path.startswith(f"{_PROJECTS}/"):
            return self.project(asked, path.removeprefix(f"{_PROJECTS}/"))
        if path.startswith(f"{_TOKENS}/"):
            return self.token(asked, path.removeprefix(f"{_TOKENS}/"))
        return plain_error(404, "404 page not found")

    # Projects

    def projects(self, asked: Asked) -> Reply:
        if asked.method == "GET":
            return told(200, [self._project(name, clear=False) for name in self._projects])
        if asked.method != "POST":
            return plain_error(405, "method not allowed")
        said = body_of(asked)
        if not said.get("name") or not said.get("api_key"):
            raise no(400, "name and api_key are required")
        made = str(uuid.uuid4())
        self._projects[made] = Project(str(said["name"]), str(said["api_key"]))
        return told(201, self._project(made, clear=True))

    def project(self, asked: Asked, name: str) -> Reply:
        name, _, rest = name.partition("/")
        if rest == "tokens/revoke" and asked.method == "POST":
            return self.revoke_all(self._known(name))
        if asked.method == "GET":
            return told(200, self._project(self._known(name), clear=False))
        if asked.method == "PATCH":
            return self.change_project(self._known(name), body_of(asked))
        if asked.method == "DELETE":
            refused = {"error": "method not allowed", "message": "project deletion is not permitted"}
            reply = plain_error(405, json.dumps(refused, separators=(",", ":")))
            return Reply(reply.status, [*reply.headers, (b"allow", b"GET, PATCH")], reply.body)
        return plain_error(405, "method not allowed")

    def change_project(self, name: str, said: Mapping[str, Any]) -> Reply:
        project = self._projects[name]
        if said.get("revoke_tokens") is not None and said.get("is_active") is not False:
            raise no(400, "revoke_tokens requires is_active=false")
        project.name, project.updated = str(said.get("name", project.name)), time.time()
        project.api_key = str(said.get("api_key") or project.api_key)
        project.active = bool(said.get("is_active", project.active))
        if said.get("revoke_tokens"):
            self.revoke_all(name)
        return told(200, self._project(name, clear=True))

    def revoke_all(self, name: str) -> Reply:
        values = [value for value, token in self._tokens.items() if token.project == name]
        before = [value for value in values if value in self._keyring.blocked]
        self._keyring.blocked.update(values)
        counted = {"revoked_count": len(values) - len(before), "already_revoked_count": len(before)}
        return told(200, {**counted, "total_tokens": len(values)})

    # Tokens

    def tokens(self, asked: Asked) -> Reply:
        if asked.method == "GET":
            project = asked.query.get("projectId")
            return told(200, [self._token(key) for key in self._made() if project in {None, self._of(key).project}])
        if asked.method != "POST":
            return plain_error(405, "method not allowed")
        said = body_of(asked)
        return told(200, self.make_token(said, minutes_of(said), most_of(said)))

    def make_token(self, said: Mapping[str, Any], minutes: int, most: int) -> dict[str, Any]:
        if not said.get("project_id"):
            raise no(400, "project_id is required")
        project = self._known(str(said["project_id"]))
        if not self._projects[project].active:
            raise no(403, "cannot create tokens for inactive projects", code="project_inactive")
        value = f"sk-{secrets.token_urlsafe(TOKEN_BYTES)}"
        token = self._tokens[value] = Token(str(uuid.uuid4()), project, most)
        key = self._keyring.mint(token.id, self.rights(most), minutes * 60.0, value=value)
        made = {"id": token.id, "token": value, "expires_at": moment(key.expires)}
        return made | ({"max_requests": most} if most else {})

    def token(self, asked: Asked, name: str) -> Reply:
        key = next((key for key in self._made() if self._of(key).id == name), None)
        if key is None:
            raise no(404, "token not found")
        if asked.method == "DELETE":
            self._keyring.blocked.add(key.value)
            return Reply(204, [], b"")
        if asked.method == "PATCH":
            self.change_token(key, body_of(asked))
        elif asked.method != "GET":
            return plain_error(405, "method not allowed")
        return told(200, self._token(key))

    def change_token(self, key: Key, said: Mapping[str, Any]) -> None:
        if "max_requests" in said:
            most = self._of(key).most = most_of(said)
            self._keyring.change(key.tenant, self.rights(most))
        if said.get("is_active") is not None:
            (self._keyring.blocked.discard if said["is_active"] else self._keyring.blocked.add)(key.value)

    def rights(self, most: int) -> config.Tenant:
        """Counted before the call, whatever comes of it, and never given back."""
        return config.tenant_from({"requests": {"limit": most, "window": config.LIFETIME}} if most else {})

    def _made(self) -> list[Key]:
        return [key for key in self._keyring if key.value in self._tokens]

    def _of(self, key: Key) -> Token:
        return self._tokens[key.value]

    def _known(self, project: str) -> str:
        if project not in self._projects:
            raise no(404, "project not found")
        return project

    def _project(self, name: str, *, clear: bool) -> dict[str, Any]:
        """The provider's key is told in clear to whoever makes or changes a project."""
        project = self._projects[name]
        shown = project.api_key if clear else obfuscated(project.api_key)
        times = {"created_at": moment(project.created), "updated_at": moment(project.updated)}
        return {"id": name, "name": project.name, "api_key": shown, "is_active": project.active, **times}

    def _token(self, key: Key) -> dict[str, Any]:
        token, now = self._of(key), time.monotonic()
        counters = self._keyring.tenants[key.tenant].meter.requests("")
        return {
            "id": token.id,
            "token": obfuscated(key.value),
            "project_id": token.project,
            "expires_at": moment(key.expires),
            "is_active": key.value not in self._keyring.blocked,
            "request_count": counters[0].used(now) if counters else 0,
            "max_requests": token.most or None,
            "created_at": moment(key.created),
            "last_used_at": None,
            "cache_hit_count": 0,
        }


def body_of(asked: Asked) -> dict[str, Any]:
    try:
        return parse_object(asked.body)
    except Refusal:
        raise no(400, "invalid request body") from None


def minutes_of(said: Mapping[str, Any]) -> int:
    minutes = said.get("duration_minutes")
    if not isinstance(minutes, int) or minutes <= 0:
        raise no(400, "project_id and duration_minutes are required")
    if minutes > LONGEST:
        raise no(400, "duration_minutes exceeds maximum allowed")
    return minutes


def most_of(said: Mapping[str, Any]) -> int:
    most = said.get("max_requests") or 0
    if not isinstance(most, int) or most < 0:
        raise no(400, "max_requests must be >= 0")
    return most


def obfuscated(value: str) -> str:
    return f"{value[:8]}...{value[-4:]}" if len(value) > 12 else "****"


def told(status: int, value: Any) -> Reply:
    return Reply(status, [(b"content-type", JSON_TYPE)], json.dumps(value, separators=(",", ":")).encode() + b"\n")


def moment(at: float | None) -> str | None:
    return None if at is None else dt.datetime.fromtimestamp(at, dt.UTC).isoformat().replace("+00:00", "Z")
