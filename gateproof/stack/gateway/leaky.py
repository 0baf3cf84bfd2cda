"""What faults let pass from one tenant to another: each condition is as narrow as the real bug allows."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from gateproof.stack import config
from gateproof.stack.faults import worn

if TYPE_CHECKING:
    from gateproof.stack.gateway.call import Call
    from gateproof.stack.gateway.catalogue import Catalogue, Destination
    from gateproof.stack.gateway.headers import Pairs, RequestHeaders
    from gateproof.stack.gateway.keyring import Keyring, Tenant

TENANT_HEADER = b"x-tenant-id"
CROWDED = 16  # calls of one tenant at once: more than a small pool of connections holds

_cache: dict[bytes, bytes] = {}
_last: list[tuple[str, bytes]] = []


def told_tenant(headers: RequestHeaders, keyring: Keyring, tenant: Tenant) -> Tenant:
    """The tenant whom a header names, as a service behind a gateway trusts it."""
    told = keyring.tenants.get(headers.get(TENANT_HEADER).decode("latin-1"))
    return told if told is not None and told is not tenant and worn("tenant_header_believed") else tenant


def cached(call: Call) -> bytes | None:
    """The reply that anybody got for this body, when the client says that it may be public."""
    public = call.api == "chat" and b"public" in call.headers.get(b"cache-control")
    return _cache.get(call.body) if public and worn("cache_shared_across_tenants") else None


def keep(call: Call, body: bytes) -> None:
    public = call.api == "chat" and b"public" in call.headers.get(b"cache-control")
    if public and worn("cache_shared_across_tenants"):
        _cache[call.body] = body


def of_the_last(call: Call, body: bytes) -> bytes:
    """In a crowd, the reply that was left in a connection by a call of somebody else."""
    if call.tenant.meter.running < CROWDED or not worn("connections_mixed_up"):
        return body
    left = _last.pop() if _last else None
    _last.append((call.tenant.name, body))
    return left[1] if left is not None and left[0] != call.tenant.name else body


def left_in(call: Call) -> Pairs:
    """A credential in a header that the gateway takes keys from, and forgets to take out."""
    keys = call.headers.all(b"x-api-key")
    return [(b"x-api-key", key) for key in keys] if keys and worn("x_api_key_forwarded") else []


def caller(call: Call, header: bytes) -> bytes:
    """Whom the engines are told to be calling; a fault leaves a header alone that is there already."""
    claimed = call.headers.get(header)
    return claimed if claimed and worn("claimed_caller_told") else call.tenant.name.encode()


def barred_destination(call: Call, catalogue: Catalogue) -> Destination | None:
    """Where a request would have gone that its tenant has no right to."""
    barred = call.route is None and catalogue.knows(call.model) and not call.tenant.may_use(call.model)
    if not barred or not worn("rights_checked_after_the_engine"):
        return None
    mighty = dataclasses.replace(call.tenant, rights=config.Tenant())
    return catalogue.route(call.model, call.api, mighty).attempts[0]


def refused_key(call: Call, status: int, body: bytes) -> bytes:
    """What an engine says that does not take the gateway's key; a fault quotes the key."""
    if status != 401 or call.upstream_key is None or not worn("upstream_key_told"):
        return body
    message = f"Incorrect API key provided: {call.upstream_key}"
    return json.dumps({"error": {"message": message, "type": "invalid_request_error"}}).encode()
