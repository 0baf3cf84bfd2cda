"""API keys of Kuadrant's Authorino: each is a Kubernetes Secret, and its limits are those of its tier.

Sources: https://github.com/Kuadrant/authorino/blob/main/docs/features.md (API key, label selectors), and the AuthPolicy
of https://github.com/elizabetht/token-labs: user and groups are annotations, counters go by user, a tier is a group.
Such a key has no expiry: it lives until somebody deletes its Secret.
"""

from __future__ import annotations

import base64
import dataclasses
import math
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from gateproof.cluster.access import ClusterError
from gateproof.limits.terms import Limit, Quota
from gateproof.targets.secrets import Secret
from gateproof.tenants.admin import MintFailed, redacted
from gateproof.tenants.fit import described, fits, surplus
from gateproof.tenants.need import Need, Tenant
from gateproof.tenants.wanted import always, limits_of, quotas_of

OURS = {"app.kubernetes.io/managed-by": "gateproof"}
"""The label by which we find what we made, and nothing else."""

KEY_BYTES = 24  # 192 random bits
NAMESPACE = "kuadrant-system"
SELECTOR = "app=token-labs,authorino.kuadrant.io/managed-by=authorino"
GROUPS = "kuadrant.io/groups"
USER = "secret.kuadrant.io/user-id"
FIELD = "api_key"


class SecretStore(Protocol):
    """The Secrets of one namespace; ``ClusterError`` when the cluster does not comply."""

    def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]: ...
    def patch(self, name: str, changes: Mapping[str, Any]) -> dict[str, Any]: ...
    def delete(self, name: str) -> None: ...
    def listed(self, selector: str) -> list[dict[str, Any]]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """What makes a Secret a key: what the AuthPolicy selects, and where it reads user, groups and key."""

    labels: Mapping[str, str]
    groups: str = GROUPS
    user: str = USER
    field: str = FIELD


class KuadrantMinter:
    """``tiers`` are the limits by group, as tenants without a name."""

    takes_effect_within = 1.5
    """s; Authorino watches the Secrets, and has a new one in its index within about a second"""

    def __init__(self, store: SecretStore, tiers: Mapping[str, Tenant], layout: Layout) -> None:
        self._store, self._tiers, self._layout = store, tiers, layout

    def mint(self, need: Need, name: str) -> Tenant:
        name = _object_name(name)
        return self._made(name, name, self._fitting(need, self._tiers))

    def another_key(self, tenant: Tenant, name: str) -> Tenant:
        """A second Secret of the same user, who has one set of counters for all keys."""
        user, tier = _parts(tenant)
        return dataclasses.replace(self._made(name, user, tier), name=tenant.name)

    def rotate(self, tenant: Tenant, name: str) -> Tenant:  # noqa: ARG002 - the Secret keeps its name
        key = _new_key()
        with _minting():
            self._store.patch(_secret_of(tenant), {"data": self._data(key)})
        return dataclasses.replace(tenant, key=key)

    def change(self, tenant: Tenant, need: Need) -> Tenant:
        """The tier that fits best, of the others where there is one: a change is to be seen."""
        user, now = _parts(tenant)
        others = {tier: terms for tier, terms in self._tiers.items() if tier != now}
        tier = self._fitting(need, others or self._tiers)
        with _minting():
            answer = self._store.patch(_secret_of(tenant), {"metadata": {"annotations": {self._layout.groups: tier}}})
        self._verify(answer, tier, user)
        return self._as(tenant.name, _secret_of(tenant), user, tier, tenant.key)

    def revoke(self, tenant: Tenant) -> None:
        with _minting():
            self._store.delete(_secret_of(tenant))

    def names(self, prefix: str) -> list[str]:
        with _minting():
            found = self._store.listed(_joined(OURS))
        names = [str((each.get("metadata") or {}).get("name") or "") for each in found]
        return [name for name in names if name.startswith(prefix)]

    def sweep(self, prefix: str, doomed: Callable[[str], bool] = always) -> list[str]:
        left = []
        for name in filter(doomed, self.names(prefix)):
            try:
                self._store.delete(name)
            except ClusterError:
                left.append(name)
        return left

    def _made(self, name: str, user: str, tier: str) -> Tenant:
        key = _new_key()
        annotations = {self._layout.groups: tier, self._layout.user: user}
        labels = {**self._layout.labels, **OURS}
        with _minting():
            answer = self._store.create(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": name, "labels": labels, "annotations": annotations},
                    "data": self._data(key),
                }
            )
        self._verify(answer, tier, user)
        return self._as(name, name, user, tier, key)

    def _data(self, key: Secret) -> dict[str, str]:
        return {self._layout.field: base64.b64encode(key.reveal().encode()).decode()}

    def _verify(self, answer: Mapping[str, Any], tier: str, user: str) -> None:
        """An admission webhook may have changed what was asked for."""
        told = (answer.get("metadata") or {}).get("annotations") or {}
        asked = {self._layout.groups: tier, self._layout.user: user}
        other = {name: told.get(name) for name, value in asked.items() if told.get(name) != value}
        if other:
            raise MintFailed(f"asked for {redacted(asked)}, the Secret has {redacted(other)}", answered=False)

    def _as(self, name: str, secret: str, user: str, tier: str, key: Secret) -> Tenant:
        return dataclasses.replace(self._tiers[tier], name=name, key=key, minted=True, handle=f"{secret}/{user}/{tier}")

    def _fitting(self, need: Need, tiers: Mapping[str, Tenant]) -> str:
        fitting = [name for name, terms in tiers.items() if fits(need, terms)]
        if not fitting:
            offered = "; ".join(f"{name}: {described(terms)}" for name, terms in tiers.items()) or "none"
            raise MintFailed(f"no tier of `mint.tiers` has a {need} ({offered})")
        return min(fitting, key=lambda name: (_distance(need, tiers[name]), surplus(need, tiers[name])))


def _distance(need: Need, tier: Tenant) -> float:
    """How far a tier is from the numbers that were asked for, where any were: the sum of the ratios, as logarithms."""
    pairs = [*_pairs(limits_of(need), tier.all_requests), *_pairs(quotas_of(need), tier.all_tokens)]
    return sum(abs(math.log(held / asked)) for asked, held in pairs)


def _pairs(asked: Sequence[Limit | Quota], held: Sequence[Limit | Quota]) -> list[tuple[int, int]]:
    return [(wish.limit, terms.limit) for wish, terms in zip(asked, held, strict=False)]


def _secret_of(tenant: Tenant) -> str:
    return tenant.handle.split("/")[0]


def _parts(tenant: Tenant) -> tuple[str, str]:
    """User and tier."""
    _, user, tier = tenant.handle.split("/", 2)
    return user, tier


def _object_name(name: str) -> str:
    """As RFC 1123 subdomains are written, which names of tenants need not be."""
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")


def _joined(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in labels.items())


def _new_key() -> Secret:
    return Secret(f"gp-{secrets.token_urlsafe(KEY_BYTES)}")


@contextmanager
def _minting() -> Iterator[None]:
    try:
        yield
    except ClusterError as error:
        raise MintFailed(redacted(str(error)), answered=error.status is not None, status=error.status) from None


def layout_of(selector: str, **places: str) -> Layout:
    """From a label selector of equalities, such as `app=token-labs,tier=free`; ``ValueError`` for any other."""
    labels = dict[str, str]()
    for part in selector.split(","):
        name, equals, value = part.strip().partition("=")
        if not (name and equals and value) or name.endswith("!"):
            raise ValueError(f"not a label: {part.strip()!r}")
        labels[name] = value.removeprefix("=")
    return Layout(labels, **places)
