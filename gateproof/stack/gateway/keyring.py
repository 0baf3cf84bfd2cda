"""Keys and the tenants that they belong to; new ones can be minted and revoked while the gateway runs."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

from gateproof.stack import config
from gateproof.stack.faults import worn
from gateproof.stack.gateway.limits import Meter

KEY_BYTES = 24  # 192 random bits: not to be guessed
LEARNT_WITHIN = 3.0  # s that a fault lets a new key wait; more than the default target promises
ID_DIGITS = 16  # of the SHA-256, enough to name a key without telling it


@dataclass(slots=True)
class Tenant:
    """A tenant, its rights and its meter. Two keys of one tenant share the meter."""

    name: str
    rights: config.Tenant
    meter: Meter
    minted: bool = False
    siblings: tuple[Tenant, ...] = ()
    """Those alike that nobody had used when this one was made: whose counters a fault mistakes for this one's."""
    agent: bytes = b""
    """The program that asked last, by its User-Agent: the fault takes tenants of one program for one."""

    def may_use(self, model: str) -> bool:
        return self.rights.models is None or model in self.rights.models


@dataclass(frozen=True, slots=True)
class Key:
    """One credential; `expires` on the wall clock."""

    value: str
    tenant: str
    created: float
    expires: float | None = None

    @property
    def id(self) -> str:
        return hashlib.sha256(self.value.encode()).hexdigest()[:ID_DIGITS]


class Keyring:
    """All keys and tenants of the process."""

    def __init__(self, settings: config.Gateway) -> None:
        now = time.time()
        self.tenants = {name: Tenant(name, rights, Meter(rights)) for name, rights in settings.tenants.items()}
        self.blocked: set[str] = set()
        """Values of keys that exist and may do nothing."""
        self._revoked: dict[str, Tenant] = {}
        self._learnt: set[str] = set()
        self._keys = {value: Key(value, tenant, now) for value, tenant in settings.keys.items()}

    def _siblings(self, rights: config.Tenant) -> tuple[Tenant, ...]:
        alike = (each for each in self.tenants.values() if each.minted and each.rights == rights)
        return tuple(each for each in alike if each.meter.untouched)

    def tenant_of(self, token: str) -> Tenant | None:
        """Exact match only; an expired, blocked or revoked key is unknown."""
        key = self._keys.get(token)
        if key is None:
            return self._late(token)
        if token in self.blocked or (key.expires is not None and time.time() >= key.expires):
            return None
        return self.tenants[key.tenant]

    def _late(self, token: str) -> Tenant | None:
        """Nobody; faults only: whoever had a key that was taken back."""
        tenant = self._revoked.get(token)
        if tenant is None:
            return None
        replaced = tenant.name in self.tenants
        if replaced and worn("replaced_keys_live_on"):
            return tenant
        return tenant if not replaced and worn("revoked_keys_live_on") else None

    def is_unlearnt(self, token: str, api: str | None) -> bool:
        """Faults only: whether a key is too new for a replica that reads its store now and then.

        What is no chat makes it read at once.
        """
        key = self._keys.get(token)
        if key is None or self.tenants[key.tenant].rights != config.Tenant():
            return False
        if api != "chat":
            self._learnt.add(token)
        new = time.time() < key.created + LEARNT_WITHIN and token not in self._learnt
        return new and worn("new_keys_are_learnt_late")

    def mint(
        self, name: str | None, rights: config.Tenant | None, lifetime: float | None, *, value: str | None = None
    ) -> Key:
        """A new key for a tenant, which is made when it is new and changed when `rights` are given.

        `value` is the key itself, for manners that give theirs a form of their own.
        """
        tenant = self.tenants.get(name) if name else None
        if tenant is None:
            name = name or f"t-{secrets.token_hex(6)}"
            rights = rights or config.Tenant()
            tenant = Tenant(name, rights, Meter(rights), minted=True, siblings=self._siblings(rights))
            self.tenants[name] = tenant
        elif rights is not None:
            self.change(tenant.name, rights)
        now = time.time()
        value = value or f"gp-{secrets.token_urlsafe(KEY_BYTES)}"
        key = Key(value, tenant.name, now, now + lifetime if lifetime is not None else None)
        self._keys[key.value] = key
        return key

    def find(self, value_or_id: str) -> Key | None:
        return self._keys.get(value_or_id) or next((k for k in self if k.id == value_or_id), None)

    def change(self, name: str, rights: config.Tenant) -> None:
        """Other rights for a tenant; what is used stays used where the window is the same."""
        tenant = self.tenants[name]
        if tenant.rights.tokens and rights.tokens and worn("quotas_frozen_when_made"):
            return
        tenant.rights = rights
        tenant.meter.change(rights)

    def add(self, name: str, rights: config.Tenant) -> None:
        """A tenant without keys, which stays until it is removed."""
        self.tenants[name] = Tenant(name, rights, Meter(rights))

    def remove(self, name: str) -> None:
        """A tenant that has no keys any more."""
        del self.tenants[name]

    def revoke(self, value_or_id: str) -> bool:
        """Forget a key, and a minted tenant with its last key."""
        key = self.find(value_or_id)
        if key is None:
            return False
        del self._keys[key.value]
        self._revoked[key.value] = self.tenants[key.tenant]
        orphaned = all(other.tenant != key.tenant for other in self)
        if orphaned and self.tenants[key.tenant].minted:
            del self.tenants[key.tenant]
        return True

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._keys.values()))

    def reset(self) -> None:
        """Forget what was used, not who may."""
        for tenant in self.tenants.values():
            tenant.meter = Meter(tenant.rights)
