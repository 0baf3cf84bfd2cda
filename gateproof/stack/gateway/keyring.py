"""Keys and the tenants that they belong to; new ones can be minted and revoked while the gateway runs."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

from gateproof.stack import config
from gateproof.stack.gateway.limits import Meter

KEY_BYTES = 24  # 192 random bits: not to be guessed
ID_DIGITS = 16  # of the SHA-256, enough to name a key without telling it


@dataclass(slots=True)
class Tenant:
    """A tenant, its rights and its meter. Two keys of one tenant share the meter."""

    name: str
    rights: config.Tenant
    meter: Meter
    minted: bool = False
    sibling: Tenant | None = None
    """The tenant made just before, not used by then: whose counters a fault mistakes for this one's."""

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
        self._keys = {value: Key(value, tenant, now) for value, tenant in settings.keys.items()}

    def tenant_of(self, token: str) -> Tenant | None:
        """Exact match only; an expired or revoked key is unknown."""
        key = self._keys.get(token)
        if key is None or (key.expires is not None and time.time() >= key.expires):
            return None
        return self.tenants[key.tenant]

    def mint(self, name: str | None, rights: config.Tenant | None, lifetime: float | None) -> Key:
        """A new key for a tenant, which is made when it is new and changed when `rights` are given."""
        tenant = self.tenants.get(name) if name else None
        if tenant is None:
            name = name or f"t-{secrets.token_hex(6)}"
            rights = rights or config.Tenant()
            before = next(reversed(self.tenants.values()), None)
            sibling = before if before is not None and before.minted and before.meter.untouched else None
            tenant = self.tenants[name] = Tenant(name, rights, Meter(rights), minted=True, sibling=sibling)
        elif rights is not None:
            self.change(tenant.name, rights)
        now = time.time()
        key = Key(
            f"gp-{secrets.token_urlsafe(KEY_BYTES)}", tenant.name, now, now + lifetime if lifetime is not None else None
        )
        self._keys[key.value] = key
        return key

    def find(self, value_or_id: str) -> Key | None:
        return self._keys.get(value_or_id) or next((k for k in self if k.id == value_or_id), None)

    def change(self, name: str, rights: config.Tenant) -> None:
        """Other rights for a tenant; what is used stays used where the window is the same."""
        tenant = self.tenants[name]
        tenant.rights = rights
        tenant.meter.change(rights)

    def revoke(self, value_or_id: str) -> bool:
        """Forget a key, and a minted tenant with its last key."""
        key = self.find(value_or_id)
        if key is None:
            return False
        del self._keys[key.value]
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
