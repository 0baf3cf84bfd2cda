"""What to start: one kind, its options, the models it must offer and the tenants it must know.

Knows no target: `from_target` translates one.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateproof.errors import ConfigError, near_miss

ENGINES = ("a", "b")
VLLM = "vllm"  # as an engine behind LiteLLM
ADMIN = "admin"  # whose key may make others; no tenant
# What our engines are given as their key, which they do not look at: a check sees that nobody else gets to see it.
ENGINE_KEY = "sk-engine-of-a-launched-stack"
TEXT_APIS = ("chat", "completions", "responses", "messages")


@dataclass(frozen=True, slots=True)
class Backend:
    """One engine (its name, or a URL) that serves a model, under the name that the engine knows it by."""

    engine: str
    model: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Model:
    """A model name that clients use, and where its requests go."""

    name: str
    backends: tuple[Backend, ...]
    fallback: tuple[Backend, ...] = ()
    alias_of: str | None = None
    apis: tuple[str, ...] = TEXT_APIS
    affinity: bool = False  # equal prefixes go to the same backend


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a launcher reads; built from a target, or from options alone."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    models: tuple[Model, ...] = ()
    tenants: tuple[str, ...] = ("main", "other")
    gateway: Mapping[str, Any] = field(default_factory=dict)  # the reference gateway's own configuration
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    api_models: Mapping[str, str] = field(default_factory=dict)
    upstream_timeout: float | None = None
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # of a token in and out, by model
    tiers: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict
    )  # what each allows, where tiers have the limits
    namespace: str | None = None  # of the Kubernetes objects that stand for tenants
    detached: bool = False

    def option(self, name: str, default: bool) -> bool:
        value = self.options.get(name, default)
        if not isinstance(value, bool):
            raise ConfigError(f"`{value}` is neither true nor false", key=f"launch.{name}")
        return value

    def accept(self, *names: str) -> None:
        """Refuse options that this kind does not know."""
        for name in self.options:
            if name not in names:
                raise ConfigError(
                    f"unknown option of {self.kind}{near_miss(name, names)}", key=f"launch.{name}", accepted=names
                )


def default_models() -> tuple[Model, ...]:
    """One model per engine, and one for each way of routing."""
    a, b = (Backend(engine, f"chat-{engine}") for engine in ENGINES)
    return (
        Model("chat-a", (a,)),
        Model("chat-b", (b,)),
        Model("chat-latest", (a,), alias_of="chat-a"),
        Model("chat-fallback", (a,), fallback=(b,)),
        Model("chat-weighted", (Backend("a", "chat-a", 3.0), Backend("b", "chat-b", 1.0))),
        Model("embed-a", (Backend("a", "embed-a"),), apis=("embeddings",)),
    )


def from_options(kind: str, options: Mapping[str, Any]) -> Plan:
    """A plan without a target: the default models, and two tenants that may do everything."""
    tenants = ("main", "other")
    return Plan(
        kind=kind,
        options=options,
        models=default_models(),
        tenants=tenants,
        keys={name: new_key() for name in (*tenants, ADMIN)},
        api_models={"chat": "chat-a", "completions": "chat-a", "embeddings": "embed-a"},
    )


def new_key() -> str:
    return f"sk-{secrets.token_hex(16)}"
