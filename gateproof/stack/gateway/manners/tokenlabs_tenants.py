"""TokenLabs' tenants: API keys in Kubernetes Secrets, known by what Authorino makes of them.

A key belongs to a user and to groups, and a group is a tier: what it may use is the tier's. Limitador's counters go by
limit and user, so that all keys of one user in one tier share them, and who comes back to a tier finds his counters.
The API of the Secrets is at the gateway's own port, below /api/v1/namespaces/.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping

from gateproof.errors import ConfigError
from gateproof.stack import config
from gateproof.stack.gateway.headers import RequestHeaders
from gateproof.stack.gateway.keyring import Keyring
from gateproof.stack.gateway.manner import Asked, Reply
from gateproof.stack.kube import api, authorino
from gateproof.stack.kube.store import SecretStore

SECRETS_API = "/api/v1/namespaces/"
ALLOWED = 200  # of a decision
UNLIMITED = "unlimited"  # the tier of all where none is configured


class TokenLabsTenants:
    """The Secrets, and the keyring that follows them."""

    def __init__(self, keyring: Keyring, settings: config.Gateway) -> None:
        self._keyring, self._tiers = keyring, settings.tiers or {UNLIMITED: config.Tenant()}
        store = SecretStore()
        self._authorino = authorino.Authorino(store, self._tiers)
        token = settings.admin_key or secrets.token_hex()  # nobody's
        self._api = api.SecretsApi(store, namespace=settings.namespace, token=token)
        for number, (key, tenant) in enumerate(settings.keys.items()):
            tier = tier_of(tenant, settings.tenants[tenant], self._tiers)
            store.create(settings.namespace, authorino.secret(f"key-{number}", key, user=tenant, groups=tier))
        self._learn()

    def check(self, headers: RequestHeaders, path: str) -> None:
        """The API asks for its token itself."""

    def answer(self, asked: Asked) -> Reply:
        scope = {
            "method": asked.method,
            "path": asked.path,
            "query_string": asked.query_string,
            "headers": asked.headers.pairs,
        }
        status, body = self._api.answer(scope, asked.body)
        self._learn()
        fields = [(name.encode(), value.encode()) for name, value in api.HEADERS.items()]
        return Reply(status, fields, json.dumps(body).encode())

    def _learn(self) -> None:
        """Make the keyring say what the Secrets say; who is in no tier has a key that may do nothing."""
        found = self._authorino.identities()
        allowed = {key: each for key, each in found.items() if each.status == ALLOWED}
        wanted = {key: name_of(each.user or "", each.groups) for key, each in allowed.items()}
        for held in self._keyring:
            if wanted.get(held.value) != held.tenant:
                self._keyring.revoke(held.value)
        for key, name in wanted.items():
            if name not in self._keyring.tenants:
                self._keyring.add(name, rights_of(allowed[key].groups, self._tiers))
            if self._keyring.find(key) is None:
                self._keyring.mint(name, None, None, value=key)
        self._keyring.blocked = found.keys() - allowed.keys()


def tier_of(tenant: str, rights: config.Tenant, tiers: Mapping[str, config.Tenant]) -> str:
    """The tier that allows what a configured tenant may do."""
    for tier, terms in tiers.items():
        if terms == rights:
            return tier
    raise ConfigError("no tier has these limits", key=f"tenants.{tenant}", accepted=tiers)


def rights_of(groups: Iterable[str], tiers: Mapping[str, config.Tenant]) -> config.Tenant:
    """Who is in several tiers is held to the limits of all."""
    held = [tiers[group] for group in groups if group in tiers]
    return config.Tenant(
        requests=tuple(limit for tier in held for limit in tier.requests),
        tokens=tuple(limit for tier in held for limit in tier.tokens),
    )


def name_of(user: str, groups: Iterable[str]) -> str:
    """Of a tenant: whoever has counters in common."""
    return f"{user}/{','.join(groups)}"
