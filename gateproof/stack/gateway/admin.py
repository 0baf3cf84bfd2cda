"""Minting and revoking keys while the gateway runs; only for the holder of the admin key."""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateproof.errors import ConfigError
from gateproof.stack import config
from gateproof.stack.gateway.auth import bearer_token, unauthorized
from gateproof.stack.gateway.body import parse_object
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.headers import RequestHeaders
from gateproof.stack.gateway.keyring import Key, Keyring

_RIGHTS = ("requests", "tokens", "parallel", "budget", "models")
_ACCEPTED = ("tenant", *_RIGHTS, "expires_in")


def check_admin(headers: RequestHeaders, admin_key: str | None) -> None:
    """401 without the admin key; without one in the configuration nobody is admin."""
    values = headers.all(b"authorization")
    if len(values) != 1:
        raise unauthorized("The admin key is needed here.")
    token = bearer_token(values[0])
    if admin_key is None or not hmac.compare_digest(token.encode(), admin_key.encode()):
        raise unauthorized("Incorrect admin key provided.", token_sent=True)


def is_admin(headers: RequestHeaders, admin_key: str | None) -> bool:
    try:
        check_admin(headers, admin_key)
    except Refusal:
        return False
    return True


def mint(keyring: Keyring, body: bytes) -> dict[str, Any]:
    """A new key; rights that are given for an existing tenant replace its rights."""
    asked = _asked(body, _ACCEPTED)
    with _valid():
        rights = _rights(asked) if any(name in asked for name in _RIGHTS) else None
        lifetime = config.duration(asked["expires_in"]) if asked.get("expires_in") is not None else None
    tenant = asked.get("tenant")
    if tenant is not None and not isinstance(tenant, str):
        raise Refusal(400, "The tenant must be a string.", param="tenant")
    key = keyring.mint(tenant, rights, lifetime)
    return {"key": key.value, **_told(key)}


def change(keyring: Keyring, value_or_id: str, body: bytes) -> dict[str, Any]:
    """Other rights for the tenant of a key, all of them; what is used stays used."""
    key = keyring.find(value_or_id)
    if key is None:
        raise Refusal(404, "No such key.", code="key_not_found")
    with _valid():
        keyring.change(key.tenant, _rights(_asked(body, _RIGHTS)))
    return _told(key)


def _asked(body: bytes, accepted: Sequence[str]) -> dict[str, Any]:
    asked = parse_object(body or b"{}")
    for name in asked:
        if name not in accepted:
            raise Refusal(400, f"Unknown field. Accepted: {', '.join(accepted)}.", param=name[:100])
    return asked


def _rights(asked: Mapping[str, Any]) -> config.Tenant:
    return config.tenant_from({name: asked[name] for name in _RIGHTS if name in asked})


@contextlib.contextmanager
def _valid() -> Iterator[None]:
    try:
        yield
    except (ConfigError, TypeError, ValueError) as error:
        raise Refusal(400, f"The rights are not valid: {error}", code="invalid_rights") from None


def listing(keyring: Keyring) -> dict[str, Any]:
    """Ids instead of keys: no answer but the minting one carries a key."""
    return {"keys": [_told(key) for key in keyring]}


def revoke(keyring: Keyring, value_or_id: str) -> dict[str, Any]:
    if not keyring.revoke(value_or_id):
        raise Refusal(404, "No such key.", code="key_not_found")
    return {"deleted": True}


def _told(key: Key) -> dict[str, Any]:
    return {"id": key.id, "tenant": key.tenant, "created": key.created, "expires": key.expires}
