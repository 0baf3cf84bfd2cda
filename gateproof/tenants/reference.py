"""Keys on the reference gateway, through its admin API."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

from gateproof.limits.terms import Limit, Quota
from gateproof.targets.secrets import Secret
from gateproof.targets.values import LIFETIME
from gateproof.tenants.admin import KEY_LIFETIME, Admin, MintFailed, ask, key_in, rows_in
from gateproof.tenants.need import Need, Tenant
from gateproof.tenants.wanted import always, budget_of, limits_of, parallel_of, quotas_of

Terms = TypeVar("Terms", Limit, Quota)

KEYS = "/admin/keys"


class ReferenceMinter:
    """Every limit that a need can state, windows down to a second."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def mint(self, need: Need, name: str) -> Tenant:
        rights = _rights(need)
        answer = ask(self._admin, "POST", KEYS, {"tenant": name, "expires_in": KEY_LIFETIME, **rights})
        return _tenant(name, key_in(answer), need)

    def another_key(self, tenant: Tenant, name: str) -> Tenant:  # noqa: ARG002 - keys of this gateway have no name
        order = {"tenant": tenant.name, "expires_in": KEY_LIFETIME}
        return dataclasses.replace(tenant, key=key_in(ask(self._admin, "POST", KEYS, order)))

    def rotate(self, tenant: Tenant, name: str) -> Tenant:
        made = self.another_key(tenant, name)
        self.revoke(tenant)
        return made

    def change(self, tenant: Tenant, need: Need) -> Tenant:
        ask(self._admin, "PATCH", f"{KEYS}/{quote(tenant.key.reveal(), safe='')}", _rights(need))
        return _tenant(tenant.name, tenant.key, need)

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
        rows = rows_in(ask(self._admin, "GET", KEYS), "keys", f"GET {KEYS}")
        named = ((row.get("tenant"), row.get("key") or row.get("id")) for row in rows)
        return [(str(name), str(handle)) for name, handle in named if handle and str(name).startswith(prefix)]


def _settled(terms: Terms) -> Terms:
    algorithm = "fixed" if terms.algorithm == "unknown" else terms.algorithm
    return dataclasses.replace(terms, algorithm=algorithm, aligned=bool(terms.aligned))


def _tenant(name: str, key: Secret, need: Need) -> Tenant:
    requests, tokens = [_settled(each) for each in limits_of(need)], [_settled(each) for each in quotas_of(need)]
    return Tenant(
        name=name,
        key=key,
        requests=requests[0] if requests else None,
        further=tuple(requests[1:]),
        tokens=tokens[0] if tokens else None,
        further_tokens=tuple(tokens[1:]),
        parallel=parallel_of(need),
        budget=budget_of(need),
        models=tuple(need.models) if need.models is not None else None,
        minted=True,
    )


def _rights(need: Need) -> dict[str, Any]:
    """What is not limited is left out."""
    budget = budget_of(need)
    rights = {
        "requests": [_terms(each) for each in limits_of(need)],
        "tokens": [_terms(each) for each in quotas_of(need)],
        "parallel": parallel_of(need),
        "budget": {"limit": budget.limit, "window": _window(budget.window)} if budget else None,
    }
    told = {name: right for name, right in rights.items() if right}
    return told if need.models is None else {**told, "models": list(need.models)}


def _terms(terms: Terms) -> dict[str, Any]:
    return {**dataclasses.asdict(_settled(terms)), "window": _window(terms.window)}


def _window(seconds: float) -> float | str:
    """JSON has no infinity."""
    return "lifetime" if seconds == LIFETIME else seconds
