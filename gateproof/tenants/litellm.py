"""Virtual keys of a LiteLLM proxy, and teams where keys are to share their limits (it needs its database for that).

Sources: https://docs.litellm.ai/docs/proxy/virtual_keys, https://docs.litellm.ai/docs/proxy/team_budgets and the
proxy's parallel_request_limiter_v3: one window for all limits of a key, fixed, beginning with the first request, 60 s
unless LITELLM_RATE_LIMIT_WINDOW_SIZE says otherwise. `/key/{key}/regenerate` is for licensed proxies only, so that a
key is rotated by making another and deleting the first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode

from gateproof.limits.terms import Limit, Quota
from gateproof.targets.secrets import Secret
from gateproof.targets.values import LIFETIME, Budget
from gateproof.tenants.admin import Admin, MintFailed, as_ordered, ask, key_in, rows_in, text_in
from gateproof.tenants.need import Need, Tenant
from gateproof.tenants.wanted import always, budget_of, parallel_of, quota_of, requests_of

Terms = TypeVar("Terms", Limit, Quota)
Item = TypeVar("Item")

WINDOW = 60.0  # s; LiteLLM's default
DURATION = "1h"  # KEY_LIFETIME in LiteLLM's words
PAGE = 100  # keys; the most that /key/list gives at once
MOST_PAGES = 100  # a proxy with more keys than this is swept in several runs
PARALLEL = "max_parallel_requests"
RIGHTS = ("rpm_limit", "tpm_limit", PARALLEL, "max_budget", "budget_duration")


class LiteLLMMinter:
    """``window`` and ``mode`` are those that the operator declares: no key can have its own.

    Keys that are to ``share`` the limits of their identity get a team, and the team gets the limits.
    """

    def __init__(
        self,
        admin: Admin,
        window: float = WINDOW,
        *,
        mode: Literal["after", "reserve"] | None = None,
        share: bool = False,
    ) -> None:
        self._admin, self._window, self._mode, self._share = admin, window, mode, share

    def mint(self, need: Need, name: str) -> Tenant:
        tenant = self._promised(need, name)
        if not self._share:
            return dataclasses.replace(tenant, key=self._key(name, _rights(tenant)))
        rights = {"team_alias": name, **_of_team(tenant)}
        answer = ask(self._admin, "POST", "/team/new", rights)
        as_ordered(rights, answer)
        team = text_in(answer, "team_id")
        return dataclasses.replace(tenant, key=self._key(name, _in_team(team, tenant)), handle=team)

    def another_key(self, tenant: Tenant, name: str) -> Tenant:
        """In the same team; without one it has limits of its own, as any two keys of LiteLLM."""
        rights = _in_team(tenant.handle, tenant) if tenant.handle else _rights(tenant)
        return dataclasses.replace(tenant, name=name, key=self._key(name, rights))

    def rotate(self, tenant: Tenant, name: str) -> Tenant:
        made = self.another_key(tenant, name)
        self._delete([tenant.key.reveal()])
        return made

    def change(self, tenant: Tenant, need: Need) -> Tenant:
        changed = dataclasses.replace(self._promised(need, tenant.name), key=tenant.key, handle=tenant.handle)
        # null takes a limit away, and what is not sent stays
        nothing: dict[str, Any] = {**dict.fromkeys(RIGHTS), "models": []}
        rights = _rights(changed)
        if tenant.handle:
            ask(self._admin, "POST", "/team/update", {"team_id": tenant.handle, **nothing, **_of_team(changed)})
            rights = _in_team(tenant.handle, changed)
        ask(self._admin, "POST", "/key/update", {"key": tenant.key.reveal(), **nothing, **rights})
        return changed

    def revoke(self, tenant: Tenant) -> None:
        self._delete([tenant.key.reveal()])
        if tenant.handle and not self._keys_of(tenant.handle):
            self._delete_team(tenant.handle)

    def names(self, prefix: str) -> list[str]:
        return [alias for alias, _ in self._rows(prefix)]

    def sweep(self, prefix: str, doomed: Callable[[str], bool] = always) -> list[str]:
        left = []
        # one by one: a batch fails as a whole when another run deletes one of its keys first
        for alias, delete in self._leftovers(prefix):
            if not doomed(alias):
                continue
            try:
                delete()
            except MintFailed:
                left.append(alias)
        return left

    def _leftovers(self, prefix: str) -> list[tuple[str, Callable[[], None]]]:
        """Keys before their teams, each with what takes it back."""
        keys = [(alias, _bound(self._delete, [token])) for alias, token in self._rows(prefix)]
        return keys + [(alias, _bound(self._delete_team, team)) for alias, team in self._teams(prefix)]

    def _promised(self, need: Need, name: str) -> Tenant:
        """What a key will have of what is asked: it carries numbers only, and the proxy's settings the rest."""
        requests, tokens = requests_of(need), quota_of(need)
        if tokens and tokens.per_model:
            raise MintFailed("a key of this adapter has one token quota for all models")
        return Tenant(
            name=name,
            key=Secret(""),
            requests=requests and self._settled(requests),
            tokens=tokens and self._settled(dataclasses.replace(tokens, mode=self._mode or tokens.mode)),
            parallel=parallel_of(need),
            budget=budget_of(need),
            models=tuple(need.models) if need.models is not None else None,
            minted=True,
        )

    def _settled(self, terms: Terms) -> Terms:
        if terms.window == LIFETIME:
            raise MintFailed("LiteLLM limits requests and tokens per window, not for the life of a key")
        algorithm = "fixed" if terms.algorithm == "unknown" else terms.algorithm
        return dataclasses.replace(terms, window=self._window, algorithm=algorithm, aligned=bool(terms.aligned))

    def _key(self, name: str, rights: dict[str, Any]) -> Secret:
        order = {"key_alias": name, "duration": DURATION, "models": [], **rights}
        answer = ask(self._admin, "POST", "/key/generate", order)
        key = key_in(answer)
        as_ordered(order, answer)
        return key

    def _delete(self, keys: list[str]) -> None:
        ask(self._admin, "POST", "/key/delete", {"keys": keys}, gone_is_fine=True)

    def _delete_team(self, team: str) -> None:
        ask(self._admin, "POST", "/team/delete", {"team_ids": [team]}, gone_is_fine=True)

    def _keys_of(self, team: str) -> list[dict[str, Any]]:
        return [row for row in self._all_rows() if row.get("team_id") == team]

    def _teams(self, prefix: str) -> list[tuple[str, str]]:
        """Alias and id of our teams; where none are made, none are looked for: that takes further rights."""
        rows = rows_in(ask(self._admin, "GET", "/team/list"), "teams", "GET /team/list") if self._share else []
        named = ((str(row.get("team_alias") or ""), str(row.get("team_id") or "")) for row in rows)
        return [(alias, team) for alias, team in named if alias.startswith(prefix) and team]

    def _rows(self, prefix: str) -> list[tuple[str, str]]:
        """Alias and token (the key's hash, which deletes as well as the key). All pages first: deleting moves them."""
        return [
            (str(row["key_alias"]), str(row["token"]))
            for row in self._all_rows()
            if str(row.get("key_alias") or "").startswith(prefix) and row.get("token")
        ]

    def _all_rows(self) -> Iterator[dict[str, Any]]:
        for page in range(1, MOST_PAGES + 1):
            query = urlencode({"page": page, "size": PAGE, "return_full_object": "true"})
            answer = ask(self._admin, "GET", f"/key/list?{query}")
            yield from rows_in(answer, "keys", "GET /key/list")
            if page >= int(answer.get("total_pages") or 1):
                return


def _rights(tenant: Tenant) -> dict[str, Any]:
    """What a key or a team may do, in LiteLLM's words; what is not limited is left out."""
    rights: dict[str, Any] = {
        "models": list(tenant.models) if tenant.models is not None else None,
        "rpm_limit": tenant.requests.limit if tenant.requests else None,
        "tpm_limit": tenant.tokens.limit if tenant.tokens else None,
        PARALLEL: tenant.parallel,
        **(_money(tenant.budget) if tenant.budget else {}),
    }
    return {name: right for name, right in rights.items() if right is not None}


def _money(budget: Budget) -> dict[str, Any]:
    lasts = {} if budget.window == LIFETIME else {"budget_duration": f"{budget.window:.0f}s"}
    return {"max_budget": budget.limit, **lasts}


def _of_team(tenant: Tenant) -> dict[str, Any]:
    return {name: right for name, right in _rights(tenant).items() if name != PARALLEL}


def _in_team(team: str, tenant: Tenant) -> dict[str, Any]:
    """The proxy counts requests at once by key, whatever is written for a team."""
    return {"team_id": team, **{name: right for name, right in _rights(tenant).items() if name in (PARALLEL, "models")}}


def _bound(do: Callable[[Item], None], item: Item) -> Callable[[], None]:
    return lambda: do(item)
