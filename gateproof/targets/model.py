"""A target: one deployed stack under test, as ``targets.yaml`` declares it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from gateproof.errors import ConfigError
from gateproof.targets import declared
from gateproof.targets.capabilities import Api, Support
from gateproof.targets.dialects import DIALECTS, Dialect
from gateproof.targets.parts import (
    Address,
    Capability,
    DialectName,
    Kubernetes,
    Launch,
    Load,
    MetricsUrl,
    Mint,
    Probes,
    Promises,
    Route,
    Spend,
    Tenant,
    Terms,
    Timeouts,
    Tls,
    Upstream,
    Url,
)
from gateproof.targets.positions import Tree
from gateproof.targets.secrets import Secret, resolve_value
from gateproof.targets.values import Count, KeyRef, Model, Price, Text, Value, mistake

__all__ = [
    "Kubernetes",
    "Launch",
    "Load",
    "Mint",
    "Probes",
    "Promises",
    "Route",
    "Spend",
    "Target",
    "Tenant",
    "Terms",
    "Timeouts",
    "Tls",
    "Upstream",
]

MAIN = "main"


class Target(Model):
    """One entry of ``targets.yaml``, with what it extends merged in."""

    name: str
    description: str = ""
    extends: str | None = None
    stack: DialectName
    launch: Launch | None = None
    base_url: Url | None = None
    host: Text | None = None
    connect: Address | None = None
    tls: Tls = Tls()
    timeouts: Timeouts = Timeouts()
    headers: dict[str, Value] = Field(default_factory=dict)
    key: KeyRef | None = None
    """Short for ``tenants.main.key``."""
    tenants: dict[str, Tenant] = Field(default_factory=dict, validate_default=True)
    models: dict[Api, Text]
    context_window: Count | None = None
    embedding_dimensions: Count | None = None
    routes: list[Route] = Field(default_factory=list)
    prices: dict[str, Price] = Field(default_factory=dict)
    """By model: what the stack reckons budgets with."""
    mint: Mint | None = None
    capabilities: dict[Capability, bool] = Field(default_factory=dict)
    promises: Promises = Promises()
    spend: Spend = Spend()
    probes: Probes = Probes()
    metrics: list[MetricsUrl] = Field(default_factory=list)
    """URLs, or paths behind ``base_url``; empty: the dialect's paths."""
    kubernetes: Kubernetes | None = None
    upstream: Upstream | None = None
    load: Load = Load()
    expectations: list[str] = Field(default_factory=lambda data: [data.get("stack", ""), data["name"]])
    """Names of files under ``conformance/expectations``."""

    _tree: Tree | None = PrivateAttr(default=None)
    _file: str | None = PrivateAttr(default=None)

    @field_validator("launch", mode="before")
    @classmethod
    def _launch_by_name(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @field_validator("models")
    @classmethod
    def _some_model(cls, models: dict[Api, str]) -> dict[Api, str]:
        if not models:
            raise mistake("at least one model is needed", accepted="chat: MODEL, embeddings: MODEL, ...")
        return models

    @field_validator("tenants")
    @classmethod
    def _key_is_mains(cls, tenants: dict[str, Tenant], info: ValidationInfo) -> dict[str, Tenant]:
        key = info.data.get("key")
        if key is None:
            return tenants or {MAIN: Tenant()}
        main = tenants.get(MAIN, Tenant())
        if main.key is not None:
            raise mistake("`key` of the target and `tenants.main.key` are both given: keep one")
        return {MAIN: main.model_copy(update={"key": key}), **{n: t for n, t in tenants.items() if n != MAIN}}

    @model_validator(mode="after")
    def _sound(self) -> Self:
        declared.refuse_contradictions(self)
        return self

    def __repr__(self) -> str:
        """Short, since failed assertions show it."""
        return f"Target({self.name})"

    @property
    def dialect(self) -> Dialect:
        return DIALECTS[self.stack]

    @property
    def main_tenant(self) -> str:
        """The unlimited everyday identity: the tenant called ``main``, or the first."""
        return MAIN if MAIN in self.tenants else next(iter(self.tenants))

    @property
    def main(self) -> Tenant:
        return self.tenants[self.main_tenant]

    @property
    def other_tenant(self) -> str | None:
        """A second identity: the tenant called ``other``, or the first without limits that is not the main one."""
        if "other" in self.tenants:
            return "other"
        free = (n for n, t in self.tenants.items() if t.identified and not t.limited and t.models is None)
        return next((name for name in free if name != self.main_tenant), None)

    def tenant_headers(self, name: str, *, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """The headers of one tenant, beside its key and beside those of the target."""
        return {
            header: resolve_value(value, f"{self.name}.tenants.{name}.headers.{header}", environ=environ)
            for header, value in self.tenants[name].headers.items()
        }

    @property
    def connect_to(self) -> tuple[str, int] | None:
        if self.connect is None:
            return None
        host, _, port = self.connect.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def is_loopback(self) -> bool:
        """Whether nothing of this target leaves the machine; a launched one never does."""
        if self.connect_to is not None:
            return _is_loopback(self.connect_to[0])
        return self.launch is not None if self.base_url is None else _is_loopback(self.base_url)

    @property
    def root_url(self) -> str:
        """``base_url`` without the dialect's prefix, which people like to copy along from an SDK."""
        if self.base_url is None:
            raise ConfigError("base_url is not known: the stack is not launched", key=self.name)
        return self.base_url.removesuffix(self.dialect.prefix).rstrip("/")

    @property
    def mint_adapter(self) -> str | None:
        return (self.mint.adapter or self.dialect.mint) if self.mint else None

    @property
    def live(self) -> str | None:
        return self._at_root(self.probes.live or self.dialect.live)

    @property
    def ready(self) -> str | None:
        return self._at_root(self.probes.ready or self.dialect.ready)

    @property
    def metrics_urls(self) -> list[str]:
        places = self.metrics or list(self.dialect.metrics)
        return [self.root_url + place if place.startswith("/") else place for place in places]

    def path(self, api: str) -> str:
        """The whole path of an API (or of ``models``), from the origin on."""
        return self._root_path + self.dialect.path(api)

    def url(self, api: str) -> str:
        return self.root_url + self.dialect.path(api)

    @property
    def _root_path(self) -> str:
        return "" if self.base_url is None else urlsplit(self.root_url).path

    def _at_root(self, path: str | None) -> str | None:
        return None if path is None else self._root_path + path

    def auth_headers(self, secret: Secret | None) -> dict[str, str]:
        """The one header that carries a key; none without a key or for a stack that takes none."""
        if secret is None or self.dialect.auth_header is None:
            return {}
        return {self.dialect.auth_header: f"{self.dialect.auth_scheme} {secret.reveal()}".strip()}

    def route(self, model: str) -> Route | None:
        return next((route for route in self.routes if route.model == model), None)

    def capability(self, name: str) -> Support:
        """What the target declares: its own word first, then what its data show, then what the dialect promises."""
        return declared.support(self, name)

    def running_at(
        self, base_url: str, *, control: Sequence[str] = (), direct: str | None = None, **changes: Any
    ) -> Target:
        """The same target now that its stack is launched; ``changes`` replace further fields."""
        upstream = Upstream(control=list(control), direct=direct) if control or direct else self.upstream
        return self.model_copy(update={"base_url": base_url, "upstream": upstream, **changes})

    def with_source(self, tree: Tree, file: FilePath) -> Target:
        self._tree, self._file = tree, str(file)
        return self

    def where(self, *keys: str | int) -> str:
        """``targets.yaml:31 tenants.free.requests``: where a declaration stands, for failure messages."""
        dotted = ".".join(str(key) for key in keys)
        if self._tree is None:
            return dotted
        return f"{self._file}:{self._tree.line_of(keys)} {dotted}".rstrip()


def _is_loopback(url_or_host: str) -> bool:
    host = urlsplit(url_or_host).hostname if "://" in url_or_host else url_or_host
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
