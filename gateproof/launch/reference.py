"""The reference stack: our gateway in front of our engines."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import gateproof
from gateproof.launch import engines, supervisor
from gateproof.launch.launched import Launched
from gateproof.launch.plan import ADMIN, ENGINE_KEY, Backend, Model, Plan
from gateproof.launch.process import Crew

OPTIONS = ("faults", "gateway")


def start(crew: Crew, plan: Plan, kind_dir: Path) -> Launched:  # noqa: ARG001 - nothing to install, but all kinds are called alike
    plan.accept(*OPTIONS)
    crew.secrets.extend(plan.keys.values())
    ready = supervisor.start(crew, engines.config(plan, gateway(plan)), detached=plan.detached)
    urls = supervisor.engine_urls(ready)
    # A gateway whose tenants are Secrets serves their API itself, to whoever has the admin's key.
    serves_secrets = plan.namespace is not None and ADMIN in plan.keys
    return Launched(
        kind=plan.kind,
        base_url=str(ready["gateway"]),
        upstream_control=supervisor.controls(ready),
        upstream_direct=next(iter(urls.values())),
        engines=urls,
        gateway_control=str(ready["gateway_control"]),
        keys=dict(plan.keys),
        kubernetes_url=str(ready["gateway"]) if serves_secrets else None,
        kubernetes_token=plan.keys[ADMIN] if serves_secrets else None,
        models=dict(plan.api_models),
        versions={"gateproof": gateproof.__version__, "python": platform.python_version()},
    )


def gateway(plan: Plan) -> dict[str, Any]:
    """The gateway's configuration; options of `launch.gateway` are laid over what the target implies."""
    tenants = dict(plan.gateway.get("tenants", {tenant: {} for tenant in plan.tenants}))
    config: dict[str, Any] = {
        **plan.gateway,
        "tenants": tenants,
        "upstream_key": ENGINE_KEY,
        "keys": {key: tenant for tenant, key in plan.keys.items() if tenant in tenants},
        "models": {model.name: _model(model) for model in plan.models},
    }
    if ADMIN in plan.keys:
        config["admin_key"] = plan.keys[ADMIN]
    if plan.tiers:
        config["tiers"] = dict(plan.tiers)
    if plan.namespace is not None:
        config["namespace"] = plan.namespace
    if plan.upstream_timeout is not None:
        config["upstream_timeout"] = plan.upstream_timeout
    return config | dict(plan.options.get("gateway") or {})


def _model(model: Model) -> dict[str, Any]:
    if model.alias_of is not None:
        return {"alias_of": model.alias_of}
    config: dict[str, Any] = {"backends": [_backend(backend) for backend in model.backends], "apis": list(model.apis)}
    if model.affinity:
        config["affinity"] = True
    if model.fallback:
        config["fallback"] = [_backend(backend) for backend in model.fallback]
    return config


def _backend(backend: Backend) -> dict[str, Any]:
    return {"engine": backend.engine, "weight": backend.weight, "model": backend.model}
