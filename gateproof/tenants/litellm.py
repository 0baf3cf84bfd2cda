"""Virtual keys of a LiteLLM proxy (it needs its database for that).

Sources: https://docs.litellm.ai/docs/proxy/virtual_keys and the proxy's parallel_request_limiter_v3: one window for
all limits of a key, fixed, beginning with the first request, 60 s unless LITELLM_RATE_LIMIT_WINDOW_SIZE says otherwise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlencode

from gateproof.limits.terms import Limit, Quota
from gateproof.tenants.admin import Admin, MintFailed, ask, key_in
from gateproof.tenants.need import Need, Tenant
from gateproof.tenants.wanted import always, parallel_of, quota_of, requests_of

Terms = TypeVar("Terms", Limit, Quota)

WINDOW = 60.0  # s; LiteLLM's default
DURATION = "1h"  # KEY_LIFETIME in LiteLLM's words
PAGE = 100  # keys; the most that /key/list gives at once
MOST_PAGES = 100  # a proxy with more keys than this is swept in several runs


class LiteLLMMinter:
    """``window`` is the one that the operator declares; no key can have its own."""

    def __init__(self, admin: Admin, window: float = WINDOW) -> None:
        self._admin, self._window = admin, window

    def mint(self, need: Need, name: str) -> Tenant:
        requests, tokens = requests_of(need), quota_of(need)
        # a key carries numbers only: what they mean is the proxy's setting, whatever the need says
        requests = requests and self._settled(requests)
        tokens = tokens and self._settled(tokens)
        order: dict[str, Any] = {
            "key_alias": name,
            "duration": DURATION,
            "models": list(need.models or ()),
            "rpm_limit": requests.limit if requests else None,
            "tpm_limit": tokens.limit if tokens else None,
            "max_parallel_requests": parallel_of(need),
        }
        order = {key: value for key, value in order.items() if value is not None}
        return Tenant(
            name=name,
            key=key_in(ask(self._admin, "POST", "/key/generate", order)),
            requests=requests,
            tokens=tokens,
            parallel=parallel_of(need),
            models=tuple(need.models) if need.models is not None else None,
            minted=True,
        )

    def revoke(self, tenant: Tenant) -> None:
        self._delete([tenant.key.reveal()])

    def names(self, prefix: str) -> list[str]:
        return [alias for alias, _ in self._rows(prefix)]

    def sweep(self, prefix: str, doomed: Callable[[str], bool] = always) -> list[str]:
        rows = [(alias, token) for alias, token in self._rows(prefix) if doomed(alias)]
        left = []
        # one by one: a batch fails as a whole when another run deletes one of its keys first
        for alias, token in rows:
            try:
                self._delete([token])
            except MintFailed:
                left.append(alias)
        return left

    def _settled(self, terms: Terms) -> Terms:
        algorithm = "fixed" if terms.algorithm == "unknown" else terms.algorithm
        return dataclasses.replace(terms, window=self._window, algorithm=algorithm, aligned=bool(terms.aligned))

    def _delete(self, keys: list[str]) -> None:
        ask(self._admin, "POST", "/key/delete", {"keys": keys}, gone_is_fine=True)

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
            if not isinstance(answer, dict):
                raise MintFailed("GET /key/list: not an object")
            yield from (row for row in answer.get("keys") or () if isinstance(row, dict))
            if page >= int(answer.get("total_pages") or 1):
                return
