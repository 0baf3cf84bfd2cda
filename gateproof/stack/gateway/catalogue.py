"""The models: which exist, who may use them, where a request for one goes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from gateproof.stack import config
from gateproof.stack.faults import worn
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.keyring import Tenant
from gateproof.stack.gateway.lots import Draw, at_random
from gateproof.stack.gateway.upstream import Origin

RETIRED = "chat-retired"  # a model that a fault lists, and nothing serves
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
        listed = [name for name, model in self._models.items() if model.listed and self._shown_to(tenant, name)]
        if tenant.rights.models is None and worn("dead_model_listed"):
            listed.append(RETIRED)
        if worn("aliases_unlisted"):
            listed = [name for name in listed if self._models[name].alias_of is None]
        if worn("models_listed_twice"):
            listed += listed[:1]
        kind = "models.info" if worn("listing_called_info") else "list"
        return {"object": kind, "data": [self._card(name) for name in listed]}

    @property
    def created(self) -> int:
        """Unix time."""
        return self._created

    @property
    def first_origin(self) -> Origin:
        """The first engine, for manners that know no models."""
        return next(iter(self._origins.values()))

    def elsewhere(self, name: str) -> Origin | None:
        """Where a model is served from when that is none of the engines."""
        model = self._models.get(name)
        places = [each.engine for each in model.backends if "://" in each.engine] if model is not None else []
        return Origin.of(places[0]) if places else None

    def serves(self, name: str) -> tuple[str, ...] | None:
        """The APIs of a model; None: all."""
        model = self._models[name]
        return model.apis if model.alias_of is None else self._models[model.alias_of].apis

    def names(self, tenant: Tenant) -> list[str]:
        """What the tenant may use, for lists of another shape."""
        return [name for name, model in self._models.items() if model.listed and tenant.may_use(name)]

    def _shown_to(self, tenant: Tenant, name: str) -> bool:
        return tenant.may_use(name) or worn("listing_ignores_grants")

    def card(self, name: str, tenant: Tenant) -> dict[str, Any]:
        if name == RETIRED and worn("dead_model_listed"):
            return self._card(name)
        if name not in self._models and worn("any_model_has_a_card"):
            return self._card(name)
        self.find(name, tenant)
        return self._card(name)

    def _card(self, name: str) -> dict[str, Any]:
        if worn("cards_without_created"):
            return {"id": name, "object": "model", "owned_by": "gateproof"}
        return {"id": name, "object": "model", "created": self._created, "owned_by": "gateproof"}

    def knows(self, name: str) -> bool:
        return name in self._models

    def find(self, name: str, tenant: Tenant) -> config.Model:
        """An unknown model and a forbidden one look the same: nobody learns what others may use."""
        model = self._models.get(name)
        if model is None or not tenant.may_use(name):
            raise unknown_model(name)
        return model

    def route(self, name: str, api: str, tenant: Tenant, draw: Draw = at_random) -> Route:
        """Follow the alias, check the API, draw the backend."""
        if api == "embeddings" and name not in self._models and worn("unknown_model_told_in_two_ways"):
            raise Refusal(404, "No such deployment.", code="deployment_not_found", param="model")
        name = self._asked(name, api)
        if name in self._models and not tenant.may_use(name) and worn("no_right_is_called_no_key"):
            raise Refusal(401, "This key may not use the model.", code="invalid_api_key")
        asked = self.find(name, tenant)
        target_name = asked.alias_of or name
        target = self._models[target_name]
        apis = asked.apis if asked.apis is not None else target.apis
        if apis is not None and api not in apis:
            _misfit(api)
            raise Refusal(
                400, f"The model `{shown(name)}` does not serve this API.", code="unsupported_api", param="model"
            )
        backends = asked.backends or target.backends or (config.Backend(next(iter(self._origins))),)
        fallback = asked.fallback or target.fallback
        attempts = tuple(self._destination(backend, target_name) for backend in (draw(target, backends), *fallback))
        if (api == "embeddings" and worn("embeddings_to_another_backend")) or (
            asked.alias_of and worn("alias_to_another_backend")
        ):
            attempts = tuple(self._elsewhere(attempt) for attempt in attempts)
        reply = name if asked.reply_model == "requested" else target_name
        return Route(name, reply, attempts)

    def _asked(self, name: str, api: str) -> str:
        """The name as it is; faults only."""
        if name in self._models:
            return name
        if api == "responses" and worn("unknown_model_crashes"):
            raise Refusal(500, "No models available.")
        if (plain := name.strip().lower()) in self._models and worn("model_names_normalised"):
            return plain
        return name

    def _elsewhere(self, right: Destination) -> Destination:
        """Another backend than the right one; faults only."""
        return Destination(next(origin for origin in self._origins.values() if origin != right.origin), right.model)

    def _destination(self, backend: config.Backend, model: str) -> Destination:
        origin = self._origins.get(backend.engine) or Origin.of(backend.engine)
        return Destination(origin, backend.model or model)

    def origins(self) -> set[Origin]:
        """Every place that some model is served from."""
        backends = [backend for model in self._models.values() for backend in (*model.backends, *model.fallback)]
        return {*self._origins.values(), *(self._destination(backend, "").origin for backend in backends)}


def model_name(value: Any) -> str:
    """The `model` of a request: a string of sane length, else 400."""
    if value is None and worn("missing_field_unnamed"):
        raise Refusal(400, "The request is not valid.", code="invalid_request")
    if value is None:
        raise Refusal(400, "You must provide a model parameter.", param="model", code="missing_model")
    if isinstance(value, dict) and worn("model_object_unwrapped"):
        return str(value.get("id"))
    if not isinstance(value, str) or not value or len(value) > MAX_MODEL_NAME:
        raise Refusal(400, "The model parameter is not a valid model name.", param="model", code="invalid_model")
    return value


def unknown_model(name: str) -> Refusal:
    message = f"The model `{shown(name)}` does not exist or you do not have access to it."
    headers: list[tuple[bytes, bytes]] = []
    if "\n" in name and worn("model_name_written_to_headers"):
        lines = [line.partition(":") for line in name.splitlines()[1:]]
        headers = [(key.strip().lower().encode(), value.strip().encode()) for key, _, value in lines]
    return Refusal(404, message, code="model_not_found", param="model", headers=headers)


def _misfit(api: str) -> None:
    """Only faults say more than 400 here."""
    if (api in {"chat", "completions"} and worn("text_api_of_other_model_crashes")) or (
        api == "embeddings" and worn("embeddings_of_chat_model_crash")
    ):
        raise Refusal(500, "'NoneType' object is not iterable")


def shown(name: str) -> str:
    """A name as it may be quoted in a message."""
    return name[:100]
