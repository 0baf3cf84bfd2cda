"""The blocks of a target, and the words and addresses that they are made of."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from gateproof.errors import near_miss
from gateproof.targets.capabilities import CAPABILITIES, Api
from gateproof.targets.dialects import DIALECTS
from gateproof.targets.values import Budget, Count, Duration, KeyRef, Limits, Model, Quotas, Text, Value, mistake

_UNKNOWN_URL = re.compile(r"\$\{\w+\}")


def _known_dialect(name: str) -> str:
    if name not in DIALECTS:
        raise mistake(f"unknown dialect `{name}`{near_miss(name, DIALECTS)}", accepted=", ".join(DIALECTS))
    return name


def _known_capability(name: str) -> str:
    if name not in CAPABILITIES:
        alike = [each for each in CAPABILITIES if each.split(".")[0] == name.split(".", maxsplit=1)[0]] or CAPABILITIES
        raise mistake(f"unknown capability `{name}`{near_miss(name, CAPABILITIES)}", accepted=", ".join(alike))
    return name


def _host_and_port(text: str) -> str:
    if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/\s]+):\d{1,5}", text):
        raise mistake(f"not an address: {text!r}", accepted="IP:PORT or HOST:PORT")
    return text


def _web_address(url: str) -> str:
    if _UNKNOWN_URL.search(url):  # a variable that a mere check of the file does not need
        return url
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise mistake(f"not a base URL: {url!r}", accepted="http://HOST[:PORT][/PATH] or https://...")
    return url.rstrip("/")


DialectName = Annotated[str, AfterValidator(_known_dialect), WithJsonSchema({"type": "string", "enum": list(DIALECTS)})]
Capability = Annotated[
    str, AfterValidator(_known_capability), WithJsonSchema({"type": "string", "enum": list(CAPABILITIES)})
]
Url = Annotated[Text, AfterValidator(_web_address)]
Address = Annotated[Text, AfterValidator(_host_and_port)]
Path = Annotated[str, StringConstraints(pattern=r"^/")]
Share = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
MetricsUrl = Annotated[Text, StringConstraints(pattern=r"^(/|https?://|\$\{)")]


class Tls(Model):
    verify: bool = True
    ca: str | None = None
    """Path of a PEM file; None: the system's certificates."""
    server_name: str | None = None


class Timeouts(Model):
    connect: Duration = 5.0
    read: Duration = 30.0
    total: Duration = 60.0


class Route(Model):
    """What the stack does with one model name. ``backend`` is the name of an engine."""

    model: Text
    api: Api = "chat"
    backend: str | None = None
    backend_model: Text | None = None
    """The name that the backend knows the model by, when it is another."""
    alias_of: Text | None = None
    fallback: list[str] = Field(default_factory=list)
    """Backends asked in this order when ``backend`` fails."""
    weights: dict[str, Share] = Field(default_factory=dict)
    """Backend: its share. One of share 0 gets nothing."""
    affinity: bool = False
    """Prompts with one long prefix go to one backend; which one is not by lot then."""
    dead: bool = False
    """Nobody listens at the first backend of this route, on purpose."""

    @property
    def backends(self) -> list[str]:
        """Every engine that may answer."""
        return list(dict.fromkeys([*([self.backend] if self.backend else []), *self.fallback, *self.weights]))


class Terms(Model):
    """What an identity may use; of several limits the shortest window stands first. Empty or None: no such limit."""

    requests: Limits = Field(default_factory=list)
    tokens: Quotas = Field(default_factory=list)
    parallel: Count | None = None
    """Requests under way at once."""
    budget: Budget | None = None

    @property
    def limited(self) -> bool:
        return bool(self.requests or self.tokens or self.parallel or self.budget)


class Tenant(Terms):
    """An identity with a key and known limits."""

    key: KeyRef | None = None
    headers: dict[str, Value] = Field(default_factory=dict)
    models: list[str] | None = None
    """The only models it may use; None: all."""

    @property
    def identified(self) -> bool:
        return self.key is not None or bool(self.headers)


class Mint(Terms):
    """How we may make keys, and the limits that a made one gets unless a check asks for others."""

    key: KeyRef | None = None
    """None only for a stack that is launched: its launcher makes one up."""
    adapter: str | None = None
    """None: the dialect's."""
    tiers: dict[str, Terms] = Field(default_factory=dict)
    """Where limits belong to tiers and not to keys: what each tier allows. A check gets the tier that fits best."""
    keys_share: bool = False
    """Whether two keys of one identity draw on the same limits."""
    options: dict[str, Value] = Field(default_factory=dict)
    """What an adapter needs beside the key: docs/targets.md lists them by adapter."""


class Promises(Model):
    """What the operator promises; checks take their numbers from here."""

    upstream_timeout: Duration = 60.0
    keepalive: Duration = 15.0
    longest_stream: Duration = 70.0
    longest_unary: Duration = 70.0
    propagation: Duration = 70.0
    """Until a new, changed or deleted key is known everywhere."""
    disconnect: Duration = 2.0
    """Until the backend learns that the client went away."""
    recovery: Duration = 60.0
    """Until a backend that failed and is well again gets its requests back."""
    failover: Duration = 30.0
    """Until no answer shows any more that a backend is gone."""
    failover_errors: Fraction | None = None
    """Share of requests that may fail meanwhile; None: nothing is promised."""
    max_body: Count | None = None
    """bytes; None: no limit is promised."""
    mistakes_count: bool | None = None
    """Whether calls that are turned down for a mistake in them draw on request limits; None: nobody says."""


class Spend(Model):
    """More than this is never spent in one run."""

    requests: Count = 3000
    tokens: Count = 200_000


class Probes(Model):
    """Paths that override the dialect's."""

    live: Path | None = None
    ready: Path | None = None


class Upstream(Model):
    """The controllable engines behind the stack, and the way to them that leaves the stack out."""

    control: list[Url] = Field(default_factory=list)
    direct: Url | None = None


class Kubernetes(Model):
    """Where the stack's objects are. Reading is allowed when this is given; more only by capability."""

    context: Text | None = None
    kubeconfig: Text | None = None
    server: Url | None = None
    """The API server itself, where there is no kubeconfig."""
    token: KeyRef | None = None
    """A bearer token for ``server``."""
    namespace: Text
    namespaces: list[str] = Field(default_factory=list)
    """Further ones: of the limiter, the model servers, ..."""
    gateway: Text | None = None
    """Name of the Gateway object."""
    selectors: dict[str, str] = Field(default_factory=dict)
    """Label selector by part: gateway, limiter, picker, models, ..."""


class Launch(Model):
    """A stack that gateproof starts itself; further keys are options of that launcher."""

    model_config = ConfigDict(extra="allow")

    kind: Literal["reference", "vllm", "litellm", "portkey", "envoy"]

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Load(Model):
    allowed: bool = False
    capacity: Count | None = None
    """Requests to one model that may be under way or waiting at once; more are refused. None: not known."""
