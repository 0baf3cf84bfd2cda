"""Which of a model's backends a request is given: by lot for each, or the same one for equal beginnings of prompts."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gateproof.stack import config
from gateproof.stack.faults import worn

if TYPE_CHECKING:
    from gateproof.stack.gateway.call import Call

Draw = Callable[[config.Model, tuple[config.Backend, ...]], config.Backend]

_turns: dict[tuple[config.Backend, ...], Iterator[config.Backend]] = {}

PREFIX = 256  # characters of a prompt that must be equal; a few blocks of a paged cache


def at_random(_model: config.Model, backends: tuple[config.Backend, ...]) -> config.Backend:
    """By weight, anew for each request; weight 0 gets nothing."""
    return drawn(backends, random.random())


def for_call(call: Call) -> Draw:
    """By lot as well, but where the model keeps prompts with one prefix together."""

    def draw(model: config.Model, backends: tuple[config.Backend, ...]) -> config.Backend:
        if model.affinity:
            text = beginning(call.request)
            if worn("affinity_by_whole_prompt"):
                text = json.dumps(call.request)
            return drawn(backends, share_of(text))
        if len(backends) > 1 and worn("split_by_connection"):
            return drawn(backends, share_of(str(call.client)))
        return at_random(model, backends)

    return draw


def drawn(backends: tuple[config.Backend, ...], lot: float) -> config.Backend:
    """The backend on whose part of the line from 0 to 1 the lot falls."""
    if len(backends) == 1:
        return backends[0]
    weights = [backend.weight for backend in backends]
    if 0 in weights and worn("weight_of_zero_is_one"):
        weights = [weight or 1.0 for weight in weights]
    elif len(set(weights)) > 1 and worn("weights_ignored"):
        return in_turn(backends)
    left = lot * sum(weights)
    for backend, weight in zip(backends, weights, strict=True):
        if left < weight:
            return backend
        left -= weight
    return max(backends, key=lambda backend: backend.weight)  # what rounding left over


def in_turn(backends: tuple[config.Backend, ...]) -> config.Backend:
    """The next one of those that may have something."""
    return next(_turns.setdefault(backends, itertools.cycle([each for each in backends if each.weight > 0])))


def beginning(request: dict[str, Any]) -> str:
    """The first characters of all that the model will read."""
    listed = request.get("messages")
    texts = [str(each.get("content")) for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return "\n".join([*texts, str(request.get("prompt") or request.get("input") or "")])[:PREFIX]


def share_of(text: str) -> float:
    """A number from 0 to 1 that depends on nothing but the text."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
