"""The models: which exist, who may use them, where a request for one goes."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Any

from gateproof.stack import config
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.keyring import Tenant
from gateproof.stack.gateway.upstream import Origin

MAX_MODEL_NAME = 1024  # characters; ten times the longest name on any public hub


@dataclass(frozen=True, slots=True)
class Destination:
    """One attempt: where to, and what the model is called there."""

    origin: Origin
    model: str


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request for `public` goes: first the chosen backend, then the fallbacks in order."""

    public: str
    reply_model: str
    attempts: tuple[Destination, ...]


class Catalogue:
    """All declared models; lookups are exact."""

    def __init__(self, settings: config.Gateway) -> None:
        self._models = settings.models
        self._origins = {name: Origin.of(url) for name, url in settings.engines.items()}
        self._created = int(time.time())

    def listing(self, tenant: Tenant) -> dict[str, Any]:
        """Only what the tenant may use."""
        listed = [name for name, model in self._models.items() if model.listed and tenant.may_use(name)]
        return {"object": "list", "data": [self._card(name) for name in listed]}

    def card(self, name: str, tenant: Tenant) -> dict[str, Any]:
        self.find(name, tenant)
        return self._card(name)

    def _card(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._created, "owned_by": "gateproof"}

    def find(self, name: str, tenant: Tenant) -> config.Model:
        """An unknown model and a forbidden one look the same: nobody learns what others may use."""
        model = self._models.get(name)
        if model is None or not tenant.may_use(name):
            raise unknown_model(name)
        return model

    def route(self, name: str, api: str, tenant: Tenant) -> Route:
        """Follow the alias, check the API, draw the backend."""
        asked = self.find(name, tenant)
        target_name = asked.alias_of or name
        target = self._models[target_name]
        apis = asked.apis if asked.apis is not None else target.apis
        if apis is not None and api not in apis:
            raise Refusal(
                400, f"The model `{shown(name)}` does not serve this API.", code="unsupported_api", param="model"
            )
        backends = asked.backends or target.backends or (config.Backend(next(iter(self._origins))),)
        fallback = asked.fallback or target.fallback
        attempts = tuple(self._destination(backend, target_name) for backend in (draw(backends), *fallback))
        reply = name if asked.reply_model == "requested" else target_name
        return Route(name, reply, attempts)

    def _destination(self, backend: config.Backend, model: str) -> Destination:
        origin = self._origins.get(backend.engine) or Origin.of(backend.engine)
        return Destination(origin, backend.model or model)

    def origins(self) -> set[Origin]:
        """Every place that some model is served from."""
        backends = [backend for model in self._models.values() for backend in (*model.backends, *model.fallback)]
        return {*self._origins.values(), *(self._destination(backend, "").origin for backend in backends)}


def draw(backends: tuple[config.Backend, ...]) -> config.Backend:
    """One backend by weight, anew for each request; weight 0 gets nothing."""
    if len(backends) == 1:
        return backends[0]
    return random.choices(backends, [backend.weight for backend in backends])[0]


def model_name(value: Any) -> str:
    """The `model` of a request: a string of sane length, else 400."""
    if value is None:
        raise Refusal(400, "You must provide a model parameter.", param="model", code="missing_model")
    if not isinstance(value, str) or not value or len(value) > MAX_MODEL_NAME:
        raise Refusal(400, "The model parameter is not a valid model name.", param="model", code="invalid_model")
    return value


def unknown_model(name: str) -> Refusal:
    message = f"The model `{shown(name)}` does not exist or you do not have access to it."
    return Refusal(404, message, code="model_not_found", param="model")


def shown(name: str) -> str:
    """A name as it may be quoted in a message."""
    return name[:100]
