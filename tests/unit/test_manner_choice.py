"""Which manner the gateway wears: its own, or that of the dialect that a target names."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import yaml

from gateproof.errors import ConfigError
from gateproof.launch import engines, reference
from gateproof.launch.from_target import from_target
from gateproof.stack.config import MannerName, gateway_from
from gateproof.stack.gateway.manners import MANNERS
from gateproof.targets.dialects import DIALECTS
from gateproof.targets.model import Target

TARGET = "{name: sample, launch: reference, models: {chat: chat-a}, routes: [{model: chat-a, backend: a}]}"


def planned(stack: str) -> dict[str, Any]:
    plan = from_target(Target.model_validate(yaml.safe_load(TARGET) | {"stack": stack}))
    return engines.config(plan, reference.gateway(plan))


def test_a_manner_is_called_as_its_dialect_is() -> None:
    assert {name: manner.name for name, manner in MANNERS.items()} == {name: name for name in MANNERS}
    assert MANNERS.keys() <= set(get_args(MannerName)) <= DIALECTS.keys()


def test_a_target_chooses_with_its_stack() -> None:
    assert planned("litellm")["gateway"]["manner"] == "litellm"


def test_only_the_gateways_own_manner_knows_the_models_for_the_engines() -> None:
    assert (planned("openai")["models"], planned("llm-proxy")["models"]) == ([], ["chat-a"])


def test_an_unknown_manner_is_refused_with_the_near_miss() -> None:
    with pytest.raises(ConfigError, match="litellm"):
        gateway_from({"engines": {"a": "http://127.0.0.1:1"}, "manner": "litelm"})
