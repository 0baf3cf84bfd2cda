"""Tokens of sofatutor/llm-proxy, each in a project of its own, which is what tells its tenants apart.

Source: https://github.com/sofatutor/llm-proxy (internal/server). A token's only limit is a number of requests in its
life. Projects cannot be deleted there: ours are left behind inactive, without a token, under a name of ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from gateproof.limits.terms import Limit
from gateproof.targets.secrets import Secret
from gateproof.targets.values import LIFETIME
from gateproof.tenants.admin import KEY_LIFETIME, Admin, MintFailed, as_ordered, ask, key_in, rows_in, text_in
from gateproof.tenants.need import Need, Tenant
from gateproof.tenants.wanted import always, requests_of

PROJECTS, TOKENS = "/manage/projects", "/manage/tokens"
MINUTES = round(KEY_LIFETIME / 60)  # what `duration_minutes` counts in


class LlmProxyMinter:
    """``upstream_key`` is what the proxy calls its provider with for our projects."""

    def __init__(self, admin: Admin, upstream_key: Secret) -> None:
        self._admin, self._upstream_key = admin, upstream_key

    def mint(self, need: Need, name: str) -> Tenant:
        cap = _cap(need)
        order = {"name": name, "api_key": self._upstream_key.reveal()}
        project = text_in(ask(self._admin, "POST", PROJECTS, order), "id")
        token, key = self._token(project, cap)
        return Tenant(name=name, key=key, requests=cap, minted=True, handle=f"{project}/{token}")

    def another_key(self, tenant: Tenant, name: str) -> Tenant:  # noqa: ARG002 - tokens have no name
        """In the same project; each token counts for itself."""
        project, _ = _parts(tenant)
        token, key = self._token(project, tenant.requests)
        return dataclasses.replace(tenant, key=key, handle=f"{project}/{token}")

    def rotate(self, tenant: Tenant, name: str) -> Tenant:
        made = self.another_key(tenant, name)
        self._delete(tenant)
        return made

    def change(self, tenant: Tenant, need: Need) -> Tenant:
        """What the token has used stays used."""
        cap, (_, token) = _cap(need), _parts(tenant)
        # 0 stands for no cap
        answer = ask(self._admin, "PATCH", f"{TOKENS}/{quote(token)}", {"max_requests": cap.limit if cap else 0})
        as_ordered({"max_requests": cap.limit} if cap else {}, answer)
        return dataclasses.replace(tenant, requests=cap)

    def revoke(self, tenant: Tenant) -> None:
        self._delete(tenant)
        project, _ = _parts(tenant)
        living = rows_in(ask(self._admin, "GET", f"{TOKENS}?projectId={quote(project)}"), "tokens", f"GET {TOKENS}")
        if not any(row.get("is_active") for row in living):
            self._close(project)

    def names(self, prefix: str) -> list[str]:
        """Of projects that are active: a token in one of them may still be of use."""
        return [name for name, _ in self._rows(prefix, active=True)]

    def sweep(self, prefix: str, doomed: Callable[[str], bool] = always) -> list[str]:
        left = []
        for name, project in self._rows(prefix, active=True):
            if not doomed(name):
                continue
            try:
                self._close(project)
            except MintFailed:
                left.append(name)
        return left

    def remains(self, prefix: str) -> str | None:
        projects = self._rows(prefix, active=False)
        if not projects:
            return None
        return f"{len(projects)} inactive projects called {prefix}*: the proxy has no way to delete one"

    def _token(self, project: str, cap: Limit | None) -> tuple[str, Secret]:
        capped = {"max_requests": cap.limit} if cap else {}
        answer = ask(self._admin, "POST", TOKENS, {"project_id": project, "duration_minutes": MINUTES, **capped})
        as_ordered(capped, answer)
        return text_in(answer, "id"), key_in(answer, "token")

    def _delete(self, tenant: Tenant) -> None:
        ask(self._admin, "DELETE", f"{TOKENS}/{quote(_parts(tenant)[1])}", gone_is_fine=True)

    def _close(self, project: str) -> None:
        ask(self._admin, "POST", f"{PROJECTS}/{quote(project)}/tokens/revoke")
        ask(self._admin, "PATCH", f"{PROJECTS}/{quote(project)}", {"is_active": False})

    def _rows(self, prefix: str, *, active: bool) -> list[tuple[str, str]]:
        rows: list[dict[str, Any]] = rows_in(ask(self._admin, "GET", PROJECTS), "projects", f"GET {PROJECTS}")
        named = ((str(row.get("name") or ""), str(row.get("id") or ""), row.get("is_active", True)) for row in rows)
        return [
            (name, project) for name, project, is_active in named if name.startswith(prefix) and is_active == active
        ]


def _cap(need: Need) -> Limit | None:
    """The only limit that a token can have; whatever window was asked for, it never starts anew."""
    for what, wish in (("token quotas", need.tokens), ("limits on parallel requests", need.parallel)):
        if wish:
            raise MintFailed(f"this stack has no {what}")
    if need.budget or need.models is not None:
        raise MintFailed(f"this stack has no {'budgets' if need.budget else 'restrictions to models'} per token")
    limit = requests_of(need)
    if limit is None:
        return None
    return dataclasses.replace(limit, window=LIFETIME, algorithm="fixed", aligned=False)


def _parts(tenant: Tenant) -> tuple[str, str]:
    """The ids of project and token."""
    project, _, token = tenant.handle.partition("/")
    return project, token
