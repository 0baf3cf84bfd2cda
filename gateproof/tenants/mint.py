"""Which adapter makes keys on a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from gateproof.cluster.access import ClusterError
from gateproof.cluster.secrets import Secrets
from gateproof.errors import ConfigError
from gateproof.targets.model import Target
from gateproof.targets.model import Tenant as Declared
from gateproof.targets.secrets import Secret, api_of
from gateproof.tenants import kuadrant, portkey
from gateproof.tenants.admin import MintFailed, admin_over
from gateproof.tenants.fit import known_of
from gateproof.tenants.kuadrant import KuadrantMinter
from gateproof.tenants.litellm import WINDOW, LiteLLMMinter
from gateproof.tenants.llm_proxy import LlmProxyMinter
from gateproof.tenants.means import Means, options_of
from gateproof.tenants.need import Need, Tenant
from gateproof.tenants.portkey import PortkeyMinter
from gateproof.tenants.reference import ReferenceMinter
from gateproof.wire.client import Client

__all__ = [
    "ADAPTERS",
    "KUADRANT",
    "Changes",
    "Delayed",
    "MintFailed",
    "Minter",
    "Remains",
    "Rotates",
    "SecondKeys",
    "key_path",
    "minter_for",
]


class Minter(Protocol):
    """Makes tenants and takes them back; each call is ``MintFailed`` when the admin API does not comply.

    What not every stack can do is in protocols of its own below; ``Leases`` asks which of them an adapter has.
    """

    def mint(self, need: Need, name: str) -> Tenant: ...

    def revoke(self, tenant: Tenant) -> None:
        """Gone already is fine."""

    def names(self, prefix: str) -> list[str]:
        """Whose key still exists."""

    def sweep(self, prefix: str, doomed: Callable[[str], bool] = ...) -> list[str]:
        """Revoke all of that prefix whose names are ``doomed``; the names of those that resisted."""


@runtime_checkable
class SecondKeys(Protocol):
    def another_key(self, tenant: Tenant, name: str) -> Tenant:
        """A second key of the same identity; both work."""


@runtime_checkable
class Rotates(Protocol):
    def rotate(self, tenant: Tenant, name: str) -> Tenant:
        """The same identity with another key; the old one is dead from now on."""


@runtime_checkable
class Changes(Protocol):
    def change(self, tenant: Tenant, need: Need) -> Tenant:
        """The same key under other limits or rights from now on."""


@runtime_checkable
class Delayed(Protocol):
    takes_effect_within: float
    """s; after which the gateway surely knows what was made. Every other stack knows it at once."""


@runtime_checkable
class Remains(Protocol):
    def remains(self, prefix: str) -> str | None:
        """What of ours stays behind for good, in words, because the stack cannot delete it; None when nothing does."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """How to get a minter, and what ``mint.options`` it takes."""

    make: Callable[[Means], Minter]
    options: Mapping[str, str] = field(default_factory=dict)
    keyed: bool = True
    """Whether there is no way in without a key; a kubeconfig may hold its own."""


def _reference(means: Means) -> Minter:
    return ReferenceMinter(means.admin())


def _litellm(means: Means) -> Minter:
    mint = means.target.mint
    windows = [*(each.window for each in mint.requests), *(each.window for each in mint.tokens)] if mint else []
    return LiteLLMMinter(
        means.admin(),
        windows[0] if windows else WINDOW,
        mode=mint.tokens[0].mode if mint and mint.tokens else None,
        share=bool(mint and mint.keys_share),
    )


def _llm_proxy(means: Means) -> Minter:
    upstream = Secret(means.required("api_key", LLM_PROXY_OPTIONS["api_key"]))
    means.client.redactor.add(upstream)
    return LlmProxyMinter(means.admin(), upstream)


def _portkey(means: Means) -> Minter:
    given = means.required("url", PORTKEY_OPTIONS["url"])
    url = urlsplit(means.target.root_url + given if given.startswith("/") else given)
    client = means.elsewhere(f"{url.scheme}://{url.netloc}")
    admin = admin_over(client, means.admin_key, header="x-portkey-api-key", prefix=url.path.rstrip("/"))
    kind = means.options.get("kind", portkey.KIND)
    if kind.startswith("workspace/"):
        means.required("workspace", PORTKEY_OPTIONS["workspace"])
    return PortkeyMinter(admin, portkey.Kind(kind, means.options.get("workspace")))


def _kuadrant(means: Means) -> Minter:
    target, options = means.target, means.options
    tiers = target.mint.tiers if target.mint else {}
    if not tiers:
        raise ConfigError("is needed: limits belong to tiers here", key=f"{target.name}.mint.tiers")
    if target.kubernetes is None:
        raise ConfigError("is needed: keys are Secrets of a cluster", key=f"{target.name}.kubernetes")
    try:
        layout = kuadrant.layout_of(
            options.get("selector", kuadrant.SELECTOR),
            groups=options.get("groups_annotation", kuadrant.GROUPS),
            user=options.get("user_annotation", kuadrant.USER),
            field=options.get("key_field", kuadrant.FIELD),
        )
    except ValueError as error:
        raise ConfigError(str(error), key=f"{target.name}.mint.options.selector", accepted="NAME=VALUE,...") from None
    try:
        api = api_of(target.kubernetes, means.key)
    except ClusterError as error:
        raise ConfigError(str(error), key=f"{target.name}.kubernetes") from None
    store = Secrets(api, options.get("namespace", kuadrant.NAMESPACE))
    known = {name: known_of(target, name, Declared(**terms.model_dump())) for name, terms in tiers.items()}
    return KuadrantMinter(store, known, layout)


def key_path(target: Target) -> str:
    """Where the target says what opens its admin API."""
    return f"{target.name}.{'kubernetes' if target.mint_adapter == KUADRANT else 'mint.key'}"


KUADRANT = "kuadrant"
LLM_PROXY_OPTIONS = {"api_key": "the key with which the proxy calls its provider for the projects that we make"}
PORTKEY_OPTIONS = {
    "url": "base URL of the control plane, such as https://api.portkey.ai/v1; a path alone is at the gateway itself",
    "kind": "`workspace/service` (default) or `organisation/service`",
    "workspace": "the workspace id, for keys of a workspace",
}
KUADRANT_OPTIONS = {
    "namespace": f"of the Secrets (default {kuadrant.NAMESPACE})",
    "selector": f"labels by which the AuthPolicy finds a key (default {kuadrant.SELECTOR})",
    "groups_annotation": f"which one names the tier (default {kuadrant.GROUPS})",
    "user_annotation": f"which one names the user (default {kuadrant.USER})",
    "key_field": f"of the Secret's data (default {kuadrant.FIELD})",
}
ADAPTERS: dict[str, Adapter] = {
    KUADRANT: Adapter(_kuadrant, KUADRANT_OPTIONS, keyed=False),
    "litellm": Adapter(_litellm),
    "llm-proxy": Adapter(_llm_proxy, LLM_PROXY_OPTIONS),
    "portkey": Adapter(_portkey, PORTKEY_OPTIONS),
    "reference": Adapter(_reference),
}


def minter_for(target: Target, client: Client, key: Secret | None) -> Minter | None:
    """The target's adapter; None when it declares no ``mint``, an adapter that nobody wrote, or has no key for it.

    ``client`` leads to the gateway. ``ConfigError`` for options that are missing or that nobody knows.
    """
    adapter = ADAPTERS.get(target.mint_adapter or "")
    if adapter is None or (key is None and adapter.keyed):
        return None
    return adapter.make(Means(target, client, key, options_of(target, adapter.options)))
