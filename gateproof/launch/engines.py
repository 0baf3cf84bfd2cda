"""Our controllable engines behind a gateway that we did not write: the supervisor without its gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateproof.launch import supervisor
from gateproof.launch.plan import ENGINES, Backend, Plan
from gateproof.launch.process import Crew

OWN = "openai"  # the reference gateway's manner unless it is told another


@dataclass(frozen=True, slots=True)
class Engines:
    """The running engines, by name."""

    urls: Mapping[str, str]
    controls: list[str]

    def v1(self, backend: Backend) -> str:
        return f"{self.urls.get(backend.engine, backend.engine)}/v1"


def start(crew: Crew, plan: Plan) -> Engines:
    ready = supervisor.start(crew, config(plan), detached=plan.detached)
    return Engines(supervisor.engine_urls(ready), supervisor.controls(ready))


def config(plan: Plan, gateway: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The supervisor's configuration. Behind a gateway that passes unknown models on, the engines must know theirs."""
    checks_models = gateway is not None and gateway.get("manner", OWN) == OWN
    backends = [each for model in plan.models for each in (*model.backends, *model.fallback)]
    return {
        "engines": list(ENGINES),
        "models": [] if checks_models else sorted({backend.model for backend in backends}),
        "gateway": gateway,
        "faults": list(plan.options.get("faults", [])),
    }
