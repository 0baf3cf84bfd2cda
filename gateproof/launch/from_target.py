"""A target's declaration as a plan for its launcher, and the launched stack as facts of the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateproof.errors import ConfigError, near_miss
from gateproof.launch.launched import Launched
from gateproof.launch.plan import ADMIN, ENGINES, TEXT_APIS, VLLM, Backend, Model, Plan, default_models, new_key
from gateproof.launch.ports import LOOPBACK, free_port
from gateproof.targets.model import Route, Target, Terms
from gateproof.targets.secrets import resolve_key
from gateproof.targets.values import KeyRef, Value


def from_target(target: Target, options: Mapping[str, Any] | None = None) -> Plan:
    """`options` are laid over those of the target."""
    if target.launch is None:
        raise ConfigError("this target is not started by us: it has no `launch`", key=target.name)
    return Plan(
        kind=target.launch.kind,
        options=target.launch.options | dict(options or {}),
        models=_models(target),
        tenants=tuple(target.tenants),
        gateway=_gateway(target),
        keys=_keys(target),
        api_models={str(api): name for api, name in target.models.items()},
        upstream_timeout=target.promises.upstream_timeout,
        prices={model: (price.input, price.output) for model, price in target.prices.items()},
        tiers={} if target.mint is None else {name: _terms(tier) for name, tier in target.mint.tiers.items()},
        namespace=None if target.kubernetes is None else target.kubernetes.namespace,
    )


def running(target: Target, launched: Launched) -> Target:
    """The target as it is now that its stack runs."""
    tenants = {
        name: tenant.model_copy(update={"key": KeyRef.model_validate(launched.keys[name])})
        if name in launched.keys
        else tenant
        for name, tenant in target.tenants.items()
    }
    changes: dict[str, Any] = {
        "tenants": tenants,
        "headers": target.headers | {name: Value.model_validate(text) for name, text in launched.headers.items()},
    }
    if target.mint is not None and ADMIN in launched.keys:
        changes["mint"] = target.mint.model_copy(update={"key": KeyRef.model_validate(launched.keys[ADMIN])})
    if target.kubernetes is not None and launched.kubernetes_url is not None:
        token = KeyRef.model_validate(launched.kubernetes_token)
        changes["kubernetes"] = target.kubernetes.model_copy(update={"server": launched.kubernetes_url, "token": token})
    return target.running_at(
        launched.base_url, control=launched.upstream_control, direct=launched.upstream_direct, **changes
    )


def _keys(target: Target) -> dict[str, str]:
    """The declared keys, and a new one for every tenant that declares none."""
    declared = {name: tenant.key for name, tenant in target.tenants.items()}
    if target.mint is not None:
        declared[ADMIN] = target.mint.key
    return {
        name: new_key() if ref is None else resolve_key(ref, name, target.name).reveal()
        for name, ref in declared.items()
    }


def _gateway(target: Target) -> dict[str, Any]:
    """What the reference gateway must do to keep the target's promises."""
    config: dict[str, Any] = {
        "manner": target.stack,
        "tenants": {name: _terms(tenant) for name, tenant in target.tenants.items()},
        "keepalive": target.promises.keepalive,
        "prices": {model: price.model_dump() for model, price in target.prices.items()},
    }
    if target.load.capacity is not None:
        config["capacity"] = target.load.capacity
    if target.promises.max_body is not None:
        config["max_body"] = target.promises.max_body
    return config


def _terms(terms: Terms) -> dict[str, Any]:
    told = terms.model_dump(include={"requests", "tokens", "parallel", "models"}, exclude_none=True)
    if terms.budget is None:
        return told
    budget = {"limit": terms.budget.limit, "window": terms.budget.window, "status": terms.budget.statuses[0]}
    return {**told, "budget": budget}


def _models(target: Target) -> tuple[Model, ...]:
    """The routes, or the default ones; a model that has none is served by the first engine."""
    apis: dict[str, list[str]] = {}
    for api, name in target.models.items():
        apis.setdefault(name, []).append(api)
    dead = f"http://{LOOPBACK}:{free_port()}"
    with_vllm = target.launch is not None and bool(target.launch.options.get(VLLM))
    known = (*ENGINES, VLLM) if with_vllm else ENGINES
    models = {route.model: _model(route, apis, dead, known) for route in target.routes}
    if not models:
        models = {model.name: model for model in default_models()}
    for name, served in apis.items():
        if name not in models:
            models[name] = Model(name, (Backend(ENGINES[0], name),), apis=_served(served[0], served))
    return tuple(_as_aliased(model, models) for model in models.values())


def _as_aliased(model: Model, models: Mapping[str, Model]) -> Model:
    """An alias goes where its model goes, for gateways that know no aliases."""
    original = models.get(model.alias_of or "")
    if original is None:
        return model
    return replace(model, backends=original.backends, fallback=original.fallback, apis=original.apis)


def _model(route: Route, apis: Mapping[str, list[str]], dead: str, known: Sequence[str]) -> Model:
    name = route.backend_model or route.model
    shares = route.weights or {route.backend or ENGINES[0]: 1.0}
    backends = [
        Backend(dead if route.dead else _engine(engine, route, known), name, share) for engine, share in shares.items()
    ]
    fallback = [Backend(_engine(engine, route, known), name) for engine in route.fallback]
    served = _served(route.api, apis.get(route.model))
    return Model(route.model, tuple(backends), tuple(fallback), route.alias_of, served, route.affinity)


def _served(api: str, declared: list[str] | None) -> tuple[str, ...]:
    """An engine that generates text does so in all its APIs."""
    named = [api, *(declared or [])]
    return tuple(dict.fromkeys([*named, *(TEXT_APIS if set(named) & set(TEXT_APIS) else [])]))


def _engine(name: str, route: Route, known: Sequence[str]) -> str:
    if name not in known:
        raise ConfigError(
            f"route `{route.model}`: no engine is called `{name}`{near_miss(name, known)}", accepted=known
        )
    return name
