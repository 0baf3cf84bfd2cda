"""Keys on the reference gateway, through its admin API."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

from gateproof.limits.terms import Limit, Quota
from gateproof.tenants.admin import KEY_LIFETIME, Admin, MintFailed, ask, key_in
from gateproof.tenants.need import Need, Tenant
from gateproof.tenants.wanted import always, parallel_of, quota_of, requests_of

Terms = TypeVar("Terms", Limit, Quota)

KEYS = "/admin/keys"


class ReferenceMinter:
    """Every limit that a need can state, windows down to a second."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def mint(self, need: Need, name: str) -> Tenant:
        requests, tokens = requests_of(need), quota_of(need)
        # windows of this gateway begin with their first request unless it is told otherwise
        requests = requests and _settled(requests)
        tokens = tokens and _settled(tokens)
        return Tenant(
            name=name,
            key=key_in(ask(self._admin, "POST", KEYS, _order(need, name, requests, tokens))),
            requests=requests,
            tokens=tokens,
            parallel=parallel_of(need),
            models=tuple(need.models) if need.models is not None else None,
            minted=True,
        )

    def revoke(self, tenant: Tenant) -> None:
        self._delete(tenant.key.reveal())

    def names(self, prefix: str) -> list[str]:
        return [name for name, _ in self._rows(prefix)]

    def sweep(self, prefix: str, doomed: Callable[[str], bool] = always) -> list[str]:
        left = []
        for name, handle in self._rows(prefix):
            if not doomed(name):
                continue
            try:
                self._delete(handle)
            except MintFailed:
                left.append(name)
        return left

    def _delete(self, key_or_id: str) -> None:
        ask(self._admin, "DELETE", f"{KEYS}/{quote(key_or_id, safe='')}", gone_is_fine=True)

    def _rows(self, prefix: str) -> list[tuple[str, str]]:
        answer = ask(self._admin, "GET", KEYS)
        rows = answer.get("keys", []) if isinstance(answer, dict) else answer
        named = ((row.get("tenant"), row.get("key") or row.get("id")) for row in rows or () if isinstance(row, dict))
        return [(str(name), str(handle)) for name, handle in named if handle and str(name).startswith(prefix)]


def _settled(terms: Terms) -> Terms:
    algorithm = "fixed" if terms.algorithm == "unknown" else terms.algorithm
    return dataclasses.replace(terms, algorithm=algorithm, aligned=bool(terms.aligned))


def _order(need: Need, name: str, requests: Limit | None, tokens: Quota | None) -> dict[str, Any]:
    order: dict[str, Any] = {"tenant": name, "expires_in": KEY_LIFETIME}
    if requests is not None:
        order["requests"] = dataclasses.asdict(requests)
    if tokens is not None:
        order["tokens"] = dataclasses.asdict(tokens)
    if need.parallel:
        order["parallel"] = parallel_of(need)
    if need.models is not None:
        order["models"] = list(need.models)
    return order
