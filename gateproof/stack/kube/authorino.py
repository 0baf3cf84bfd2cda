"""What Authorino answers when Envoy asks about a request: whose key it carries, or why it may not pass.

The AuthPolicy of TokenLabs: API keys in Secrets with the labels below, in `Authorization: Bearer`, allowed for
whoever is in one of its groups. Statuses, reasons and the challenge are those of Authorino
(pkg/service/auth.go, pkg/auth/credentials.go), whose answers have no body.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from gateproof.stack.kube.store import SecretStore, annotations_of, value_of

LABELS = {"authorino.kuadrant.io/managed-by": "authorino", "app": "token-labs"}
GROUPS = "kuadrant.io/groups"
USER = "secret.kuadrant.io/user-id"
API_KEY = "api_key"
"""Of a Secret: the key of its data that holds the tenant's key."""

PREFIX = "Bearer "
"""Compared as it stands: schemes are case-insensitive for HTTP, not for Authorino."""
CHALLENGE = f'{PREFIX}realm="api-key-tenants"'
REASON = "x-ext-auth-reason"
NO_CREDENTIAL, UNKNOWN_KEY, NO_GROUP = "credential not found", "the API Key provided is invalid", "Unauthorized"
SELECTOR = ",".join(f"{name}={value}" for name, value in LABELS.items())


@dataclass(frozen=True, slots=True)
class Decision:
    """200 lets the request pass; user and groups are what the limits go by."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    groups: tuple[str, ...] = ()


class Authorino:
    """Decides by what the store holds now; `allowed` are the groups of the policy."""

    def __init__(self, store: SecretStore, allowed: Collection[str]) -> None:
        self._store, self._allowed = store, frozenset(allowed)
        self._version = ""
        self._identities: dict[str, Decision] = {}

    def decide(self, authorization: str | None) -> Decision:
        if authorization is None or not authorization.startswith(PREFIX):
            return _unauthenticated(NO_CREDENTIAL)
        known = self.identities().get(authorization.removeprefix(PREFIX))
        return _unauthenticated(UNKNOWN_KEY) if known is None else known

    def identities(self) -> Mapping[str, Decision]:
        """What each key comes to, made anew when a Secret has changed. Of two Secrets with one key the older counts."""
        if self._version != self._store.version:
            self._identities = {}
            for each in self._store.selected(SELECTOR):
                if key := value_of(each, API_KEY):
                    self._identities.setdefault(key, self._decision(annotations_of(each)))
            self._version = self._store.version
        return self._identities

    def _decision(self, annotations: Mapping[str, str]) -> Decision:
        groups = tuple(filter(None, (group.strip() for group in annotations.get(GROUPS, "").split(","))))
        if not self._allowed.intersection(groups):
            return Decision(403, {REASON: NO_GROUP})
        return Decision(200, user=annotations.get(USER), groups=groups)


def secret(name: str, key: str, *, user: str, groups: str) -> dict[str, object]:
    """The Secret that makes this key a user's."""
    metadata = {"name": name, "labels": dict(LABELS), "annotations": {GROUPS: groups, USER: user}}
    return {"metadata": metadata, "stringData": {API_KEY: key}}


def _unauthenticated(reason: str) -> Decision:
    return Decision(401, {"www-authenticate": CHALLENGE, REASON: reason})
