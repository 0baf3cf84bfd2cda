"""API keys of Portkey's control plane, for gateways that it governs; the open source gateway has no keys.

Sources: https://portkey.ai/docs/api-reference/admin-api/control-plane/api-keys/create-api-key and
https://github.com/Portkey-AI/terraform-provider-portkey. The control plane is another host than the gateway.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from gateproof.limits.terms import Limit, Quota
from gateproof.targets.secrets import Secret
from gateproof.targets.values import LIFETIME, Budget
from gateproof.tenants.admin import KEY_LIFETIME, Admin, MintFailed, ask, key_in, redacted, rows_in, text_in
from gateproof.tenants.need import Need, Tenant
from gateproof.tenants.wanted import always, budget_of, limits_of, quotas_of

Terms = TypeVar("Terms", Limit, Quota)

KEYS = "/api-keys"
KIND = "workspace/service"
UNITS = {1.0: "rps", 60.0: "rpm", 3600.0: "rph", 86_400.0: "rpd"}  # s: Portkey's word for such a window
RESETS = {LIFETIME: None, 7 * 86_400.0: "weekly", 30 * 86_400.0: "monthly"}  # s: `periodic_reset`
SCOPES = ("completions.write", "virtual_keys.list")  # what calls of our checks take, and nothing else
PAGE, MOST_PAGES = 100, 100


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """Which keys are made: `workspace/service` with the workspace, or `organisation/service`."""

    path: str
    workspace: str | None = None


class PortkeyMinter:
    """``admin`` speaks to the control plane."""

    def __init__(self, admin: Admin, kind: Kind) -> None:
        self._admin, self._kind = admin, kind

    def mint(self, need: Need, name: str) -> Tenant:
        return self._made(_promised(need, name), name)

    def another_key(self, tenant: Tenant, name: str) -> Tenant:
        """Limits belong to keys: two of them do not share any."""
        return self._made(dataclasses.replace(tenant, name=name), name)

    def rotate(self, tenant: Tenant, name: str) -> Tenant:
        made = self.another_key(tenant, name)
        self.revoke(tenant)
        return made

    def change(self, tenant: Tenant, need: Need) -> Tenant:
        changed = dataclasses.replace(_promised(need, tenant.name), key=tenant.key, handle=tenant.handle)
        ask(self._admin, "PUT", self._path(tenant.handle), {"rate_limits": [], **_rights(changed)})
        self._verify(changed)
        return changed

    def revoke(self, tenant: Tenant) -> None:
        ask(self._admin, "DELETE", self._path(tenant.handle), gone_is_fine=True)

    def names(self, prefix: str) -> list[str]:
        return [name for name, _ in self._rows(prefix)]

    def sweep(self, prefix: str, doomed: Callable[[str], bool] = always) -> list[str]:
        left = []
        for name, key_id in self._rows(prefix):
            if not doomed(name):
                continue
            try:
                ask(self._admin, "DELETE", self._path(key_id), gone_is_fine=True)
            except MintFailed:
                left.append(name)
        return left

    def _made(self, tenant: Tenant, name: str) -> Tenant:
        workspace = {"workspace_id": self._kind.workspace} if self._kind.workspace else {}
        expires = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=KEY_LIFETIME)
        order = {
            "name": name,
            "scopes": list(SCOPES),
            "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            **workspace,
            **_rights(tenant),
        }
        answer = ask(self._admin, "POST", f"{KEYS}/{self._kind.path}", order)
        made = dataclasses.replace(tenant, key=key_in(answer), handle=text_in(answer, "id"))
        self._verify(made)
        return made

    def _verify(self, tenant: Tenant) -> None:
        """The answers to POST and PUT do not say which limits were taken over."""
        told = ask(self._admin, "GET", self._path(tenant.handle))
        unlimited = isinstance(told, dict) and told.get("rate_limits") is None
        held = set() if unlimited else {_limit_in(row) for row in rows_in(told, "rate_limits", f"GET {KEYS}/ID")}
        asked = {_limit_in(row) for row in _rights(tenant).get("rate_limits", ())}
        if held != asked:
            raise MintFailed(
                f"asked for the rate limits {redacted(sorted(asked))}, the key has {redacted(sorted(held))}",
                answered=False,
            )

    def _path(self, key_id: str) -> str:
        return f"{KEYS}/{quote(key_id, safe='')}"

    def _rows(self, prefix: str) -> list[tuple[str, str]]:
        """All pages first: deleting moves them."""
        named = ((str(row.get("name") or ""), str(row.get("id") or "")) for row in self._all_rows())
        return [(name, key_id) for name, key_id in named if name.startswith(prefix) and key_id]

    def _all_rows(self) -> Iterator[dict[str, Any]]:
        workspace = {"workspace_id": self._kind.workspace} if self._kind.workspace else {}
        for page in range(MOST_PAGES):
            query = urlencode({"page_size": PAGE, "current_page": page, **workspace})
            rows = rows_in(ask(self._admin, "GET", f"{KEYS}?{query}"), "data", f"GET {KEYS}")
            yield from rows
            if len(rows) < PAGE:
                return


def _promised(need: Need, name: str) -> Tenant:
    for what, wish in (("limits on parallel requests", need.parallel), ("restrictions to models", need.models)):
        if wish:
            raise MintFailed(f"keys of this stack have no {what}")
    requests, tokens = _settled(limits_of(need)), _settled(quotas_of(need))
    if any(quota.per_model for quota in tokens):
        raise MintFailed("keys of this stack have token quotas for all models at once")
    budget = budget_of(need)
    if budget is not None and budget.window not in RESETS:
        raise MintFailed(f"budgets of this stack last a week, a month or for ever, not {budget.window:g} s")
    return Tenant(
        name=name,
        key=Secret(""),
        requests=requests[0] if requests else None,
        further=requests[1:],
        tokens=tokens[0] if tokens else None,
        further_tokens=tokens[1:],
        budget=budget,
        minted=True,
    )


def _settled(terms: Sequence[Terms]) -> tuple[Terms, ...]:
    for each in terms:
        if each.window not in UNITS:
            windows = ", ".join(f"{window:g}" for window in UNITS)
            raise MintFailed(f"windows of this stack last {windows} s, not {each.window:g} s")
    return tuple(dataclasses.replace(each, algorithm="fixed", aligned=True) for each in terms)


def _rights(tenant: Tenant) -> dict[str, Any]:
    kinds: tuple[tuple[str, Sequence[Limit | Quota]], ...] = (
        ("requests", tenant.all_requests),
        ("tokens", tenant.all_tokens),
    )
    limits = [
        {"type": kind, "unit": UNITS[each.window], "value": each.limit} for kind, terms in kinds for each in terms
    ]
    return {
        **({"rate_limits": limits} if limits else {}),
        **({"usage_limits": _money(tenant.budget)} if tenant.budget else {}),
    }


def _money(budget: Budget) -> dict[str, Any]:
    reset = RESETS[budget.window]
    return {"type": "cost", "credit_limit": budget.limit, **({"periodic_reset": reset} if reset else {})}


def _limit_in(row: dict[str, Any]) -> tuple[str, str, str]:
    return str(row.get("type")), str(row.get("unit")), f"{row.get('value')}"
