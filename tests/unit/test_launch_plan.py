"""From a target's declaration to the configuration of each gateway, and back to a running target."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from gateproof.errors import ConfigError
from gateproof.launch import kinds, litellm_config, portkey, reference
from gateproof.launch.engines import Engines
from gateproof.launch.from_target import from_target, running
from gateproof.launch.launched import Launched
from gateproof.launch.plan import Plan, from_options
from gateproof.stack.config import gateway_from
from gateproof.targets.model import Target

URLS = {"a": "http://127.0.0.1:7001", "b": "http://127.0.0.1:7002"}
TARGET = """
name: sample
stack: openai
launch: {kind: reference, faults: [some_fault]}
models: {chat: chat-a, completions: chat-a, embeddings: embed-a}
tenants:
  main: {}
  free: {key: sk-free, requests: {limit: 5, window: 2s, algorithm: fixed, aligned: true}, parallel: 2}
mint: {adapter: reference, key: sk-admin}
promises: {upstream_timeout: 3s, keepalive: 1s, max_body: 1000}
routes:
  - {model: chat-a, backend: a}
  - {model: chat-b, backend: b}
  - {model: chat-latest, alias_of: chat-a}
  - {model: chat-fallback, backend: a, backend_model: chat-b, fallback: [b]}
  - {model: chat-weighted, weights: {a: 3, b: 1}}
  - {model: chat-dead, backend: nobody, dead: true}
  - {model: embed-a, api: embeddings, backend: a}
"""


def target(**changes: Any) -> Target:
    return Target.model_validate(yaml.safe_load(TARGET) | changes)


def engines() -> Engines:
    return Engines(URLS, [])


def test_the_reference_gateway_accepts_what_a_target_implies() -> None:
    gateway = gateway_from(reference.gateway(from_target(target())) | {"engines": URLS})
    assert gateway.keys["sk-free"] == "free"
    assert gateway.tenants["free"].requests[0].window == 2.0
    assert gateway.tenants["free"].parallel == 2
    assert gateway.admin_key == "sk-admin"
    assert (gateway.upstream_timeout, gateway.keepalive, gateway.max_body) == (3.0, 1.0, 1000)
    assert gateway.models["chat-latest"].alias_of == "chat-a"
    assert [one.engine for one in gateway.models["chat-fallback"].fallback] == ["b"]
    assert [one.weight for one in gateway.models["chat-weighted"].backends] == [3.0, 1.0]
    assert gateway.models["chat-dead"].backends[0].engine.startswith("http://127.0.0.1:")


def test_a_tenant_without_a_key_gets_a_new_one() -> None:
    first, second = from_target(target()).keys, from_target(target()).keys
    assert first["main"] != second["main"]
    assert first["free"] == second["free"] == "sk-free"


def test_options_of_the_gateway_are_laid_over() -> None:
    plan = from_target(target(), {"gateway": {"cors": ["https://example.com"]}})
    assert gateway_from(reference.gateway(plan) | {"engines": URLS}).cors == ("https://example.com",)
    assert plan.options["faults"] == ["some_fault"]


def test_portkey_routes_by_the_model_in_the_body() -> None:
    routing = portkey.routing(from_target(target()), engines())
    by_name = {one["name"]: one for one in routing["targets"]}
    assert routing["strategy"]["default"] == "chat-a"
    assert {"query": {"params.model": {"$eq": "chat-b"}}, "then": "chat-b"} in routing["strategy"]["conditions"]
    assert by_name["chat-b"]["custom_host"] == "http://127.0.0.1:7002/v1"
    assert by_name["chat-b"]["request_timeout"] == 3000
    assert by_name["chat-latest"]["override_params"] == {"model": "chat-a"}
    assert by_name["chat-fallback"]["strategy"] == {"mode": "fallback"}
    assert [one["weight"] for one in by_name["chat-weighted"]["targets"]] == [3.0, 1.0]


def test_litellm_gets_a_deployment_per_backend() -> None:
    config = litellm_config.build(from_target(target()), URLS, 7003)
    deployments = [(one["model_name"], one["litellm_params"]) for one in config["model_list"]]
    assert [params["weight"] for name, params in deployments if name == "chat-weighted"] == [3.0, 1.0]
    assert ("chat-b", "hosted_vllm/chat-b") in [(name, params["model"]) for name, params in deployments]
    assert config["router_settings"]["model_group_alias"] == {"chat-latest": "chat-a"}
    assert config["router_settings"]["fallbacks"] == [{"chat-fallback": ["chat-b"]}]
    assert config["router_settings"]["num_retries"] == config["litellm_settings"]["num_retries"] == 0
    assert config["router_settings"]["redis_port"] == 7003


def test_litellm_falls_back_to_a_model_of_its_own_when_none_fits() -> None:
    routes = [{"model": "only", "backend": "a", "fallback": ["b"]}]
    config = litellm_config.build(from_target(target(routes=routes, models={"chat": "only"})), URLS, None)
    assert config["router_settings"]["fallbacks"] == [{"only": ["only-fallback-0"]}]
    assert [one["model_name"] for one in config["model_list"]] == ["only", "only-fallback-0"]
    assert "redis_host" not in config["router_settings"]


def test_litellm_knows_vllm_when_it_runs() -> None:
    config = litellm_config.build(from_options("litellm", {}), URLS | {"vllm": "http://127.0.0.1:7004"}, None)
    (tiny,) = [one for one in config["model_list"] if one["model_name"] == "tiny-llama"]
    assert tiny["litellm_params"]["api_base"] == "http://127.0.0.1:7004/v1"


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean `provider`"):
        Plan("litellm", {"providr": "openai"}).accept("db", "provider")


def test_a_switch_is_true_or_false() -> None:
    with pytest.raises(ConfigError, match="neither true nor false"):
        Plan("litellm", {"db": "no"}).option("db", True)


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(ConfigError, match="accepted here: hosted_vllm, openai"):
        litellm_config.build(from_options("litellm", {"provider": "azure"}), URLS, None)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ConfigError, match="no engine is called `c`"):
        from_target(target(routes=[{"model": "chat-a", "backend": "c"}]))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean `litellm`"):
        kinds.starter("lite-llm")


def test_a_running_target_knows_its_address_keys_and_headers() -> None:
    launched = Launched(
        "portkey",
        "http://127.0.0.1:7000",
        upstream_control=["http://127.0.0.1:7001"],
        keys={"main": "sk-new", "admin": "sk-root"},
        headers={"x-portkey-config": "{}"},
    )
    now = running(target(), launched)
    assert now.base_url == "http://127.0.0.1:7000"
    assert now.tenants["main"].key is not None
    assert now.tenants["main"].key.literal is not None
    assert now.tenants["main"].key.literal.reveal() == "sk-new"
    assert now.mint is not None
    assert now.mint.key is not None
    assert now.mint.key.literal is not None
    assert now.mint.key.literal.reveal() == "sk-root"
    assert now.headers["x-portkey-config"].literal == "{}"
    assert now.capability("up.ctl") == "supported"


def test_a_launched_stack_survives_json_and_shows_no_key() -> None:
    ended = []
    first = Launched("vllm", "http://127.0.0.1:7000", keys={"main": "sk-hidden"}, versions={"vllm": "1"})
    again = Launched.from_json(first.to_json(), lambda: ended.append(1))
    assert again == first
    assert "sk-hidden" not in repr(again)
    again.stop()
    assert ended == [1]


@pytest.mark.parametrize(("given", "set_to"), [(None, None), (1.5, 1.5)])
def test_litellm_keeps_streams_alive_only_when_told_to(given: float | None, set_to: float | None) -> None:
    plan = from_target(target(), {"keepalive": given} if given else {})
    assert litellm_config.build(plan, URLS, None)["litellm_settings"]["sse_keepalive_ping_interval_seconds"] == set_to


def test_a_keepalive_of_litellm_that_is_no_time_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="no number of seconds"):
        litellm_config.build(from_target(target(), {"keepalive": "soon"}), URLS, None)


def test_vllm_is_an_engine_where_it_is_launched() -> None:
    route = {"model": "tiny-llama", "backend": "vllm"}
    with_it = {"launch": {"kind": "litellm", "vllm": True}, "models": {"chat": "tiny-llama"}, "routes": [route]}
    plan = from_target(target(**with_it))
    deployments = litellm_config.build(plan, URLS | {"vllm": "http://127.0.0.1:7004"}, None)["model_list"]
    served = [each["litellm_params"]["api_base"] for each in deployments if each["model_name"] == "tiny-llama"]
    assert served == ["http://127.0.0.1:7004/v1"]
    with pytest.raises(ConfigError, match="no engine is called `vllm`"):
        from_target(target(routes=[route]))
