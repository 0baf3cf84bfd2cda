"""What the stack can be told, as frozen dataclasses made from one JSON object.

Plain dataclasses and not pydantic: three processes read this at start-up and have half a second for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar, get_args

from gateproof.errors import ConfigError, near_miss

Algorithm = Literal["fixed", "sliding"]
Mode = Literal["after", "reserve"]
MannerName = Literal[
    "openai", "litellm", "llm-proxy", "tokenlabs", "tokenvisor", "portkey-oss", "portkey-2", "portkey-enterprise"
]

DEFAULT_UPSTREAM_TIMEOUT = 120.0  # s; above the longest unary answer that the default target promises
DEFAULT_KEEPALIVE = 15.0  # s; the WHATWG authoring note on SSE says "every 15 seconds or so"
DEFAULT_MAX_BODY = 32 * 1024 * 1024  # bytes
DEFAULT_REQUEST_TIMEOUT = 30.0  # s; llm-proxy's REQUEST_TIMEOUT
DEFAULT_WINDOW = 60.0  # s; "per minute", as most admin APIs call their limits
DEFAULT_NAMESPACE = "kuadrant-system"
DEFAULT_HOSTS = ("127.0.0.1", "localhost", "[::1]")

LIFETIME = "lifetime"  # a window that never ends

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

T = TypeVar("T")


def duration(value: Any, key: str = "") -> float:
    """Seconds from a number or from `500ms`, `2s`, `1m`, `24h`."""
    if value == LIFETIME:
        return math.inf
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        for unit, factor in _UNITS.items():
            digits = value.removesuffix(unit)
            if digits != value and digits.replace(".", "", 1).isdigit():
                return float(digits) * factor
    raise ConfigError(f"{value!r} is no duration", key=key, accepted="seconds, or 500ms, 2s, 1m, 24h")


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `limit` units (requests or tokens) in one window."""

    limit: int
    window: float
    algorithm: Algorithm = "fixed"
    aligned: bool = False
    mode: Mode = "after"
    per_model: bool = False


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `limit` in money, in one window or ever; what is over it gets this status."""

    limit: float
    window: float = math.inf
    status: int = 429


@dataclass(frozen=True, slots=True)
class Price:
    """Of one token, in the money of the budgets."""

    input: float
    output: float


@dataclass(frozen=True, slots=True)
class Tenant:
    """What one tenant may use. `models` None means all."""

    requests: tuple[Limit, ...] = ()
    tokens: tuple[Limit, ...] = ()
    parallel: int | None = None
    budget: Budget | None = None
    models: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Backend:
    """One place that serves a model: an engine's name or a URL, and what the model is called there."""

    engine: str
    weight: float = 1.0
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """One public model name. Without backends it is served by the first engine."""

    backends: tuple[Backend, ...] = ()
    apis: tuple[str, ...] | None = None
    alias_of: str | None = None
    fallback: tuple[Backend, ...] = ()
    reply_model: Literal["target", "requested"] = "target"
    affinity: bool = False
    """Which backend is told by the beginning of the prompt, not by lot."""
    listed: bool = True


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway process. Its port numbers come from the supervisor."""

    keys: Mapping[str, str] = field(default_factory=dict)
    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    models: Mapping[str, Model] = field(default_factory=dict)
    engines: Mapping[str, str] = field(default_factory=dict)
    manner: MannerName = "openai"
    """How it speaks: as the dialect of that name does."""
    prices: Mapping[str, Price] = field(default_factory=dict)
    """By public model name; the others cost nothing."""
    window: float = DEFAULT_WINDOW
    """s; that of the limits which an admin API sets by number alone."""
    admin_key: str | None = None
    tiers: Mapping[str, Tenant] = field(default_factory=dict)
    """What each group of users may use, in stacks where tenants are Secrets of a Kubernetes namespace."""
    namespace: str = DEFAULT_NAMESPACE
    upstream_key: str | None = None
    """What the engines get as the gateway's own credential."""
    upstream_timeout: float = DEFAULT_UPSTREAM_TIMEOUT
    keepalive: float = DEFAULT_KEEPALIVE
    request_timeout: float = DEFAULT_REQUEST_TIMEOUT
    """s after which an answer is cut off, by manners that do so."""
    max_body: int = DEFAULT_MAX_BODY
    capacity: int | None = None
    """Requests to one model that may be under way at once; more are refused. None: any number."""
    hosts: tuple[str, ...] = DEFAULT_HOSTS
    cors: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stack:
    """The whole stack: what `python -m gateproof.stack` reads."""

    engines: tuple[str, ...] = ("a", "b")
    models: tuple[str, ...] = ()
    """The models that the engines know; none: any."""
    gateway: Mapping[str, Any] | None = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    log: str | None = None


def _mapping(value: Any, key: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"a mapping is expected here, not {value!r}", key=key)
    return value


def _known(kind: type, value: Any, key: str) -> dict[str, Any]:
    given, names = dict(_mapping(value, key)), [f.name for f in fields(kind)]
    for name in given:
        if name not in names:
            raise ConfigError(f"unknown key{near_miss(name, names)}", key=f"{key}.{name}".lstrip("."), accepted=names)
    return given


def _each(value: Any, key: str, make: Callable[[Any, str], T]) -> tuple[T, ...]:
    """One or many: a limit may be written alone or as a list."""
    many = value if isinstance(value, list | tuple) else [value]
    return tuple(make(item, f"{key}[{index}]") for index, item in enumerate(many))


def _named(value: Any, key: str, make: Callable[[Any, str], T]) -> dict[str, T]:
    return {name: make(item, f"{key}.{name}") for name, item in _mapping(value, key).items()}


def _choice(value: Any, key: str, accepted: tuple[str, ...]) -> Any:
    if value not in accepted:
        raise ConfigError(f"{value!r} is not known{near_miss(str(value), accepted)}", key=key, accepted=accepted)
    return value


def limit_from(value: Any, key: str = "limit") -> Limit:
    given = _known(Limit, value, key)
    for name in ("limit", "window"):
        if name not in given:
            raise ConfigError(f"`{name}` is missing", key=key)
    given["window"] = duration(given["window"], f"{key}.window")
    if given.get("algorithm", "fixed") == "unknown":
        del given["algorithm"]
    _choice(given.get("algorithm", "fixed"), f"{key}.algorithm", get_args(Algorithm))
    _choice(given.get("mode", "after"), f"{key}.mode", get_args(Mode))
    given["aligned"] = bool(given.get("aligned"))
    if not isinstance(given["limit"], int) or given["limit"] < 0 or given["window"] <= 0:
        raise ConfigError("a limit is an integer of 0 or more, a window is more than 0 s", key=key)
    return Limit(**given)


def tenant_from(value: Any, key: str = "tenant") -> Tenant:
    given = {name: item for name, item in _known(Tenant, value or {}, key).items() if item is not None}
    for name in ("requests", "tokens"):
        if name in given:
            given[name] = _each(given[name], f"{key}.{name}", limit_from)
    if "budget" in given:
        given["budget"] = budget_from(given["budget"], f"{key}.budget")
    if "models" in given:
        given["models"] = tuple(given["models"])
    return Tenant(**given)


def budget_from(value: Any, key: str = "budget") -> Budget:
    given = _known(Budget, value, key)
    if "window" in given:
        given["window"] = duration(given["window"], f"{key}.window")
    return Budget(**{**given, "limit": _money(given.get("limit"), f"{key}.limit")})


def price_from(value: Any, key: str = "price") -> Price:
    given = _known(Price, value, key)
    return Price(*(_money(given.get(name), f"{key}.{name}") for name in ("input", "output")))


def _money(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ConfigError(f"{value!r} is no amount of money", key=key, accepted="a number of 0 or more")
    return float(value)


def _backend(value: Any, key: str) -> Backend:
    return Backend(engine=value) if isinstance(value, str) else Backend(**_known(Backend, value, key))


def model_from(value: Any, key: str = "model") -> Model:
    given = {name: item for name, item in _known(Model, value or {}, key).items() if item is not None}
    for name in ("backends", "fallback"):
        if name in given:
            given[name] = _each(given[name], f"{key}.{name}", _backend)
    if "apis" in given:
        given["apis"] = tuple(given["apis"])
    _choice(given.get("reply_model", "target"), f"{key}.reply_model", ("target", "requested"))
    return Model(**given)


def gateway_from(value: Any, key: str = "gateway") -> Gateway:
    given = {name: item for name, item in _known(Gateway, value or {}, key).items() if item is not None}
    given["tenants"] = _named(given.get("tenants", {}), f"{key}.tenants", tenant_from)
    given["tiers"] = _named(given.get("tiers", {}), f"{key}.tiers", tenant_from)
    given["models"] = _named(given.get("models", {}), f"{key}.models", model_from)
    given["prices"] = _named(given.get("prices", {}), f"{key}.prices", price_from)
    _choice(given.get("manner", "openai"), f"{key}.manner", get_args(MannerName))
    for name in ("upstream_timeout", "keepalive", "window", "request_timeout"):
        if name in given:
            given[name] = duration(given[name], f"{key}.{name}")
    for name in ("hosts", "cors", "faults"):
        if name in given:
            given[name] = tuple(given[name])
    _check_references(Gateway(**given), key)
    return Gateway(**given)


def _check_references(gateway: Gateway, key: str) -> None:
    for name in gateway.keys.values():
        if name not in gateway.tenants:
            raise ConfigError(f"no tenant is called {name!r}{near_miss(name, gateway.tenants)}", key=f"{key}.keys")
    for public, model in gateway.models.items():
        where = f"{key}.models.{public}"
        _check_alias(gateway, model, f"{where}.alias_of")
        if not gateway.engines and not model.backends and model.alias_of is None:
            raise ConfigError("a model needs backends where there are no engines", key=where)
        for backend in (*model.backends, *model.fallback):
            if "://" not in backend.engine and backend.engine not in gateway.engines:
                raise ConfigError(f"no engine is called {backend.engine!r}", key=where, accepted=gateway.engines)


def _check_alias(gateway: Gateway, model: Model, key: str) -> None:
    if model.alias_of is None:
        return
    target = gateway.models.get(model.alias_of)
    if target is None:
        raise ConfigError(f"no model is called {model.alias_of!r}{near_miss(model.alias_of, gateway.models)}", key=key)
    if target.alias_of is not None:
        raise ConfigError("an alias of an alias", key=key)


def stack_from(value: Any) -> Stack:
    given = _known(Stack, value, "")
    for name in ("engines", "models", "faults"):
        if name in given:
            given[name] = tuple(given[name])
    return Stack(**given)
