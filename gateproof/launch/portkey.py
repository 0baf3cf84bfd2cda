"""The open source Portkey gateway in front of our engines.

It has neither keys nor a configuration of its own: each request carries the header x-portkey-config.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateproof.launch import engines
from gateproof.launch.engines import Engines
from gateproof.launch.environments import DATA, Environment, node, node_modules
from gateproof.launch.launched import Launched
from gateproof.launch.plan import ENGINE_KEY, Backend, Model, Plan
from gateproof.launch.ports import LOOPBACK, answers, free_port
from gateproof.launch.process import Crew, environment

OPTIONS = ("faults",)
CONFIG_HEADER = "x-portkey-config"
READY_WITHIN = 60.0  # s; 0.3 to 0.6 s on an idle machine

_FILES = DATA / "portkey"
_PACKAGE = "@portkey-ai/gateway"


def start(crew: Crew, plan: Plan, kind_dir: Path) -> Launched:
    plan.accept(*OPTIONS)
    program = install(kind_dir)
    upstream = engines.start(crew, plan)
    port = free_port()
    # Portkey listens on all addresses and has no option for it.
    preload = environment(NODE_OPTIONS=f'--require "{_FILES / "loopback.cjs"}"')
    process = crew.start("portkey", [node(), program, f"--port={port}", "--headless"], env=preload)
    crew.wait_until(process, lambda: answers(port, "/"), within=READY_WITHIN)
    return Launched(
        kind=plan.kind,
        base_url=f"http://{LOOPBACK}:{port}",
        upstream_control=upstream.controls,
        upstream_direct=next(iter(upstream.urls.values())),
        engines=dict(upstream.urls),
        headers={CONFIG_HEADER: json.dumps(routing(plan, upstream), separators=(",", ":"))},
        models=dict(plan.api_models),
        versions=versions(),
    )


def install(kind_dir: Path) -> Path:
    """The program of the gateway."""
    modules = node_modules(Environment(kind_dir, _FILES, f"Portkey {versions()['portkey']}", 5))
    return modules / _PACKAGE / "build" / "start-server.js"


def versions() -> dict[str, str]:
    packages = json.loads((_FILES / "package-lock.json").read_text())["packages"]
    return {"portkey": packages[f"node_modules/{_PACKAGE}"]["version"]}


def routing(plan: Plan, upstream: Engines) -> dict[str, Any]:
    """One configuration for all models: conditions on the body's `model`, the first model for any other."""
    conditions = [{"query": {"params.model": {"$eq": model.name}}, "then": model.name} for model in plan.models]
    return {
        "strategy": {"mode": "conditional", "conditions": conditions, "default": plan.models[0].name},
        "targets": [_target(plan, model, upstream) for model in plan.models],
    }


def _target(plan: Plan, model: Model, upstream: Engines) -> dict[str, Any]:
    backends = [_backend(plan, model, backend, upstream) for backend in (*model.backends, *model.fallback)]
    if len(backends) == 1:
        return {"name": model.name, **backends[0]}
    mode = "fallback" if model.fallback else "loadbalance"
    return {"name": model.name, "strategy": {"mode": mode}, "targets": backends}


def _backend(plan: Plan, model: Model, backend: Backend, upstream: Engines) -> dict[str, Any]:
    target: dict[str, Any] = {"provider": "openai", "api_key": ENGINE_KEY, "custom_host": upstream.v1(backend)}
    if backend.model != model.name:
        target["override_params"] = {"model": backend.model}
    if len(model.backends) > 1:
        target["weight"] = backend.weight
    if plan.upstream_timeout is not None:
        target["request_timeout"] = round(plan.upstream_timeout * 1000)  # ms
    return target
