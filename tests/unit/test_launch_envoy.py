"""From a target to TokenLabs' data path: Envoy's configuration, the tiers' limits, the tenants' groups."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from gateproof.errors import ConfigError
from gateproof.launch import envoy, envoy_config
from gateproof.launch.envoy_config import Ports
from gateproof.launch.from_target import from_target, running
from gateproof.launch.launched import Launched
from gateproof.launch.plan import Backend, Model, Plan, default_models, from_options
from gateproof.stack.kube import authorino, ext_authz
from gateproof.targets.model import Target

URLS = {"a": "http://127.0.0.1:7001", "b": "http://127.0.0.1:7002"}
PORTS = Ports(gateway=7010, admin=7011, authorino=7012, services=7013)
TARGET = """
name: sample
stack: tokenlabs
launch: envoy
models: {chat: chat-a}
routes:
  - {model: chat-a, backend: a}
  - {model: chat-b, backend: b}
tenants:
  main: {}
  slow: {requests: {limit: 5, window: 2s, algorithm: fixed, aligned: false}}
kubernetes: {namespace: tenants}
mint:
  tiers:
    free: {requests: {limit: 5, window: 2s, algorithm: fixed, aligned: false}}
    pro: {tokens: [{limit: 900, window: 1m}, {limit: 100, window: 2s}]}
    enterprise: {}
"""


def target(**changes: Any) -> Target:
    return Target.model_validate(yaml.safe_load(TARGET) | changes)


def built(**changes: Any) -> dict[str, Any]:
    models = [Model(name, (Backend(engine, name),)) for name, engine in (("chat-a", "a"), ("chat-b", "b"))]
    return envoy_config.build(models, URLS, PORTS, **changes)


def manager(config: dict[str, Any]) -> dict[str, Any]:
    (listener,) = config["static_resources"]["listeners"]
    found: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def routes(config: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = manager(config)["route_config"]["virtual_hosts"][0]["routes"]
    return found


def test_each_model_goes_to_its_engine_by_its_exact_name() -> None:
    by_model = {
        route["match"]["headers"][0]["string_match"]["exact"]: route["route"]["cluster"]
        for route in routes(built())[:2]
    }
    clusters = {each["name"]: each for each in built()["static_resources"]["clusters"]}
    endpoint = clusters["engine-b"]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]

    assert by_model == {"chat-a": "engine-a", "chat-b": "engine-b"}
    assert endpoint["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 7002}


def test_a_model_without_a_route_is_a_404_with_the_gateways_words() -> None:
    answer = routes(built())[-1]["direct_response"]

    assert answer["status"] == 404
    assert answer["body"]["inline_string"].startswith("No matching route found.")


def test_a_client_cannot_choose_the_route() -> None:
    (early,) = manager(built())["early_header_mutation_extensions"]

    assert {each["remove"] for each in early["typed_config"]["mutations"]} == {"x-ai-eg-model", "x-ai-eg-original-path"}


def test_who_comes_before_how_much_before_which_model() -> None:
    names = [each["name"].rpartition(".")[2] for each in manager(built())["http_filters"]]

    assert names == ["ext_authz", "requests", "tokens", "ext_proc", "json_to_metadata", "sse_to_metadata", "router"]


def test_envoy_reads_what_authorino_writes() -> None:
    assert (envoy_config.USER, envoy_config.GROUPS) == (ext_authz.USER_HEADER, ext_authz.GROUPS_HEADER)


def test_only_posts_are_counted_and_only_chats_are_metered() -> None:
    limits = [each["typed_config"]["rate_limits"] for each in manager(built())["http_filters"][1:3]]
    conditions = [
        [rule["actions"][0]["header_value_match"]["headers"][0] for rule in rules] for rules in limits
    ]  # fmt: skip

    assert [[(each["name"], each["string_match"]["exact"]) for each in some] for some in conditions] == [
        [(":method", "POST")],
        [(":path", "/v1/chat/completions")] * 2,
    ]
    assert [rule.get("apply_on_stream_done", False) for rule in limits[1]] == [False, True]


def test_what_the_target_promises_bounds_bodies_and_times() -> None:
    config = built(max_body=1000, timeout=2.5)

    assert config["static_resources"]["listeners"][0]["per_connection_buffer_limit_bytes"] == 1000
    assert {route["route"]["timeout"] for route in routes(config)[:-1]} == {"2.5s"}


def test_everything_listens_and_connects_on_loopback_only() -> None:
    text = json.dumps(built())

    assert text.count('"address": "127.0.0.1"') == text.count('"port_value"') == 6


def test_a_dead_route_goes_where_nobody_listens() -> None:
    dead = target(routes=[{"model": "chat-a", "backend": "a"}, {"model": "chat-dead", "dead": True}])
    models = envoy.served(from_target(dead).models)
    clusters = envoy_config.build(models, URLS, PORTS)["static_resources"]["clusters"]

    assert len([each for each in clusters if each["name"].startswith("engine-http://127.0.0.1:")]) == 1


def test_only_what_tokenlabs_could_serve_is_served() -> None:
    assert [model.name for model in envoy.served(default_models())] == ["chat-a", "chat-b", "embed-a"]


def test_limits_come_from_the_tiers_of_the_target() -> None:
    assert envoy.limits_of(from_target(target()).tiers) == {
        "requests": {"free": [["free-requests-2s", 5, 2.0]], "pro": [], "enterprise": []},
        "tokens": {"free": [], "pro": [["pro-tokens-2s", 100, 2.0], ["pro-tokens-60s", 900, 60.0]], "enterprise": []},
    }


def test_without_a_target_the_tiers_are_those_of_tokenlabs() -> None:
    limits = envoy.limits_of(envoy.TIERS)

    assert limits["requests"]["free"] == [["free-requests-60s", 10, 60.0], ["free-requests-86400s", 100, 86400.0]]
    assert [tier for tier, each in limits["tokens"].items() if len(each) == 2] == ["free", "pro", "enterprise"]


def test_a_limit_for_a_lifetime_is_refused() -> None:
    with pytest.raises(ConfigError, match="no limit without a window"):
        envoy.limits_of(
            from_target(target(mint={"tiers": {"free": {"requests": {"limit": 5, "window": "lifetime"}}}})).tiers
        )


def group(name: str, plan: Plan) -> str:
    return envoy.group_of(name, plan, plan.tiers or envoy.TIERS)


def test_a_tenant_is_in_the_tier_that_has_its_limits() -> None:
    plan = from_target(target())

    assert [group(name, plan) for name in plan.tenants] == ["enterprise", "free"]
    assert group("main", from_options("envoy", {})) == "enterprise"


def test_a_tenant_whose_limits_no_tier_has_is_a_mistake() -> None:
    plan = from_target(target(tenants={"odd": {"requests": {"limit": 6, "window": "2s"}}}))
    with pytest.raises(ConfigError, match="no tier has these limits"):
        group("odd", plan)


def test_the_secret_of_a_tenant_carries_its_group_and_its_user() -> None:
    metadata: Any = authorino.secret("main", "tl-key", user="main", groups="free")["metadata"]

    assert metadata["annotations"] == {"kuadrant.io/groups": "free", "secret.kuadrant.io/user-id": "main"}
    assert metadata["labels"] == {"authorino.kuadrant.io/managed-by": "authorino", "app": "token-labs"}


def test_a_running_target_knows_its_kubernetes_api() -> None:
    launched = Launched(
        "envoy", "http://127.0.0.1:7000", kubernetes_url="http://127.0.0.1:7005", kubernetes_token="cluster-token"
    )
    cluster = running(target(), launched).kubernetes

    assert cluster is not None
    assert cluster.token is not None
    assert cluster.token.literal is not None
    assert (cluster.server, cluster.token.literal.reveal()) == ("http://127.0.0.1:7005", "cluster-token")
    assert "cluster-token" not in repr(launched)


def test_the_namespace_of_the_secrets_is_the_targets() -> None:
    assert from_target(target()).namespace == "tenants"
