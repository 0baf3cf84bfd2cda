"""Prices and budgets of a target, as the gateways that we start are told them."""

from __future__ import annotations

import json
from typing import Any

import yaml

from gateproof.launch import litellm_config, reference
from gateproof.launch.from_target import from_target
from gateproof.launch.plan import Plan
from gateproof.stack.config import Budget, Gateway, Price, gateway_from
from gateproof.targets.model import Target

URLS = {"a": "http://127.0.0.1:7001", "b": "http://127.0.0.1:7002"}
TARGET = """
name: sample
stack: openai
launch: reference
models: {chat: chat-a}
prices: {chat-a: {input: 0.25, output: 0.5}}
routes: [{model: chat-a, backend: a}, {model: chat-b, backend: b}]
"""


def plan(**changes: Any) -> Plan:
    return from_target(Target.model_validate(yaml.safe_load(TARGET) | changes))


def started(**changes: Any) -> Gateway:
    """By way of JSON, as the gateway's process reads it."""
    return gateway_from(json.loads(json.dumps(reference.gateway(plan(**changes)) | {"engines": URLS})))


def test_the_reference_gateway_learns_the_prices() -> None:
    assert started().prices == {"chat-a": Price(0.25, 0.5)}


def test_and_the_budgets_of_declared_tenants() -> None:
    budget = {"limit": 1.5, "window": "1m", "statuses": [402, 429]}
    tenants = started(tenants={"main": {}, "poor": {"budget": budget}, "for-life": {"budget": {"limit": 2}}}).tenants
    assert [tenants[name].budget for name in ("main", "poor", "for-life")] == [
        None,
        Budget(1.5, 60.0, 402),
        Budget(2.0, float("inf"), 429),
    ]


def test_litellm_learns_the_prices_of_each_deployment() -> None:
    deployments = litellm_config.build(plan(launch="litellm", stack="litellm"), URLS, None)["model_list"]
    told = {each["model_name"]: each["litellm_params"].get("output_cost_per_token") for each in deployments}
    assert told == {"chat-a": 0.5, "chat-b": None}
