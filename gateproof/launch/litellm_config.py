"""LiteLLM's configuration file, from the models of a plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateproof.errors import ConfigError
from gateproof.launch.plan import ENGINE_KEY, VLLM, Backend, Model, Plan
from gateproof.launch.ports import LOOPBACK
from gateproof.launch.vllm import MODEL as TINY_LLAMA

# What people write for a vLLM behind LiteLLM; `openai` is the other common choice.
DEFAULT_PROVIDER = "hosted_vllm"
_PROVIDERS = ("hosted_vllm", "openai")


def build(plan: Plan, urls: Mapping[str, str], redis_port: int | None) -> dict[str, Any]:
    """`urls` are the engines' by name; without a Redis the limits and the cache live in LiteLLM's memory."""
    models = list(plan.models)
    if VLLM in urls and TINY_LLAMA not in {model.name for model in models}:
        models.append(Model(TINY_LLAMA, (Backend(VLLM, TINY_LLAMA),)))
    fallbacks, hidden = _fallbacks(models)
    deployments = [
        _deployment(plan, model, index, backend, urls)
        for model in (*models, *hidden)
        if model.alias_of is None
        for index, backend in enumerate(model.backends)
    ]
    return {
        "model_list": deployments,
        "router_settings": _router(models, fallbacks, redis_port),
        "litellm_settings": {
            "num_retries": 0,
            "callbacks": ["prometheus"],
            "cache": True,
            "cache_params": _cache(redis_port),
            "sse_keepalive_ping_interval_seconds": keepalive(plan),
        },
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"} | dict(plan.options.get("settings", {})),
    }


def _deployment(plan: Plan, model: Model, index: int, backend: Backend, urls: Mapping[str, str]) -> dict[str, Any]:
    params: dict[str, Any] = {
        "model": f"{provider(plan)}/{backend.model}",
        "api_base": f"{urls.get(backend.engine, backend.engine)}/v1",
        "api_key": ENGINE_KEY,
    }
    if len(model.backends) > 1:
        params["weight"] = backend.weight
    if plan.upstream_timeout is not None:
        params["timeout"] = plan.upstream_timeout
    if price := plan.prices.get(model.name):
        params["input_cost_per_token"], params["output_cost_per_token"] = price
    info: dict[str, Any] = {"id": f"{model.name}-{backend.engine}-{index}"}
    if "embeddings" in model.apis:
        info["mode"] = "embedding"
    return {"model_name": model.name, "litellm_params": params, "model_info": info}


def provider(plan: Plan) -> str:
    name = str(plan.options.get("provider", DEFAULT_PROVIDER))
    if name not in _PROVIDERS:
        raise ConfigError(f"`{name}` is no provider here", key="launch.provider", accepted=_PROVIDERS)
    return name


def keepalive(plan: Plan) -> float | None:
    """Seconds between two comments of a silent stream; LiteLLM's default is none at all."""
    value = plan.options.get("keepalive")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
        raise ConfigError(f"`{value}` is no number of seconds", key="launch.keepalive")
    return value


def _router(models: list[Model], fallbacks: list[dict[str, list[str]]], redis_port: int | None) -> dict[str, Any]:
    redis = {} if redis_port is None else {"redis_host": LOOPBACK, "redis_port": redis_port}
    return {
        "routing_strategy": "simple-shuffle",
        "num_retries": 0,
        # Checks make upstreams fail on purpose; a deployment put aside for it would fail the checks that follow.
        "disable_cooldowns": True,
        "fallbacks": fallbacks,
        "model_group_alias": {model.name: model.alias_of for model in models if model.alias_of is not None},
    } | redis


def _cache(redis_port: int | None) -> dict[str, Any]:
    where = {"type": "local"} if redis_port is None else {"type": "redis", "host": LOOPBACK, "port": redis_port}
    return where | {"mode": "default_off"}  # a request asks for it: "cache": {"use-cache": true}


def _fallbacks(models: list[Model]) -> tuple[list[dict[str, list[str]]], list[Model]]:
    """LiteLLM falls back to models, not to backends: name the model of each, or make one."""
    found, hidden = [], []
    for model in models:
        names = []
        for index, backend in enumerate(model.fallback):
            alone = next((other.name for other in models if _is_only(other, backend, model)), None)
            if alone is None:
                alone = f"{model.name}-fallback-{index}"
                hidden.append(Model(alone, (backend,), apis=model.apis))
            names.append(alone)
        if names:
            found.append({model.name: names})
    return found, hidden


def _is_only(other: Model, backend: Backend, fallen: Model) -> bool:
    """Is `other` a model of this backend's engine alone, for the same APIs."""
    served = set(fallen.apis) <= set(other.apis)
    return served and not other.fallback and [one.engine for one in other.backends] == [backend.engine]
