"""What a target declares: its own word, what its data show, what its dialect promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gateproof.targets.capabilities import CAPABILITIES
from gateproof.targets.model import Target

CATALOGUE = Path(__file__).parents[2] / "conformance" / "catalogue"


def a_target(**fields: Any) -> Target:
    base = {"name": "t", "stack": "openai", "base_url": "http://127.0.0.1:8000", "models": {"chat": "m"}}
    return Target.model_validate(base | fields)


def test_every_gate_of_the_catalogue_is_known() -> None:
    rows = [row for file in CATALOGUE.glob("*.yaml") for row in yaml.safe_load(file.read_text())["requirements"]]
    assert {gate for row in rows for gate in row.get("gate", ())} <= CAPABILITIES.keys()


LIMIT = {"limit": 5, "window": "1m"}
KEY, OTHER = {"key": "sk-1"}, {"key": "sk-2"}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("api.chat", {}),
        ("api.models", {}),
        ("f.stream", {}),
        ("auth.bearer", {"key": "sk-1"}),
        ("tenants.2", {"tenants": {"main": KEY, "other": OTHER}}),
        ("tenants.2", {"mint": {"key": "k", "adapter": "reference"}}),
        ("tenants.mint", {"mint": {"key": "k", "adapter": "reference"}}),
        ("auth.revocable", {"stack": "litellm", "mint": {"key": "k"}}),
        ("lim.req", {"tenants": {"free": KEY | {"requests": LIMIT}}}),
        ("lim.short_window", {"tenants": {"free": KEY | {"requests": LIMIT | {"window": "2s"}}}}),
        ("lim.retry_after", {"stack": "litellm", "tenants": {"free": KEY | {"requests": LIMIT}}}),
        ("quota.tokens", {"mint": {"key": "k", "adapter": "reference", "tokens": LIMIT}}),
        ("quota.after", {"tenants": {"free": {"tokens": LIMIT}}}),
        ("quota.reserve", {"tenants": {"free": {"tokens": LIMIT | {"mode": "reserve"}}}}),
        (
            "quota.reserve",
            {"mint": {"key": "k", "adapter": "reference", "tokens": [LIMIT, LIMIT | {"mode": "reserve"}]}},
        ),
        ("quota.per_model", {"tenants": {"free": {"tokens": LIMIT | {"per_model": True}}}}),
        ("quota.short_window", {"tenants": {"free": {"tokens": LIMIT | {"window": 2}}}}),
        ("route.multi", {"routes": [{"model": "a", "backend": "x"}, {"model": "b", "backend": "y"}]}),
        ("route.alias", {"routes": [{"model": "a", "alias_of": "m"}]}),
        ("route.fallback", {"routes": [{"model": "a", "backend": "x", "fallback": ["y"]}]}),
        ("route.weighted", {"routes": [{"model": "a", "weights": {"x": 1, "y": 2.5}}]}),
        ("up.ctl", {"upstream": {"control": ["http://127.0.0.1:9"]}}),
        ("health.live", {"probes": {"live": "/live"}}),
        ("health.ready", {"stack": "vllm"}),
        ("tls", {"base_url": "https://gateway.example"}),
        ("k8s.read", {"kubernetes": {"namespace": "n"}}),
        ("obs.metrics", {"metrics": ["/metrics"]}),
        ("load", {"load": {"allowed": True}}),
        ("h2", {"capabilities": {"h2": True}}),
    ],
)
def test_what_is_declared_is_supported(name: str, fields: dict[str, Any]) -> None:
    assert a_target(**fields).capability(name) == "supported"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("api.embeddings", {"stack": "vllm"}),
        ("auth.bearer", {}),
        ("auth.bearer", {"stack": "portkey-oss", "key": "sk-1"}),
        ("tenants.2", {"tenants": {"main": KEY}}),
        ("lim.retry_after", {"stack": "litellm"}),
        ("lim.short_window", {"tenants": {"free": KEY | {"requests": LIMIT | {"window": "1h"}}}}),
        ("route.multi", {"routes": [{"model": "a", "backend": "x"}, {"model": "b", "backend": "x"}]}),
        ("route.multi", {"routes": [{"model": "a", "backend": "x"}, {"model": "b", "backend": "y", "dead": True}]}),
        ("up.ctl", {"upstream": {"direct": "http://127.0.0.1:9"}}),
        ("health.live", {}),
        ("tls", {}),
        ("k8s.write", {"kubernetes": {"namespace": "n"}}),
        ("load", {}),
    ],
)
def test_what_is_not_declared_is_unset(name: str, fields: dict[str, Any]) -> None:
    assert a_target(**fields).capability(name) == "unset"


def test_the_targets_own_word_comes_first() -> None:
    assert a_target(capabilities={"api.chat": False, "f.vision": True}).capability("api.chat") == "unsupported"
    assert a_target(capabilities={"api.chat": False, "f.vision": True}).capability("f.vision") == "supported"


def test_an_unknown_capability_is_our_mistake() -> None:
    with pytest.raises(KeyError, match=r"f\.strem.*f\.stream"):
        a_target().capability("f.strem")


@pytest.mark.parametrize(
    ("stack", "base_url", "url"),
    [
        ("openai", "http://h:1", "http://h:1/v1/chat/completions"),
        ("openai", "http://h:1/", "http://h:1/v1/chat/completions"),
        ("openai", "http://h:1/v1", "http://h:1/v1/chat/completions"),
        ("openai", "http://h:1/sub/v1/", "http://h:1/sub/v1/chat/completions"),
        ("tokenvisor", "https://h", "https://h/api/v1/chat/completions"),
        ("tokenvisor", "https://h/api/v1", "https://h/api/v1/chat/completions"),
    ],
)
def test_a_base_url_may_be_that_of_an_sdk(stack: str, base_url: str, url: str) -> None:
    target = a_target(stack=stack, base_url=base_url)
    assert target.url("chat") == url
    assert url.endswith(target.path("chat"))
    assert target.path("chat").startswith("/sub") == ("/sub" in url)


def test_probes_and_metrics_lie_below_the_base() -> None:
    target = a_target(stack="vllm", base_url="http://h/sub", metrics=["/metrics", "http://m:9/metrics"])
    assert target.live == "/sub/health"
    assert target.metrics_urls == ["http://h/sub/metrics", "http://m:9/metrics"]


def test_the_main_tenant_is_the_first_unless_one_is_called_so() -> None:
    assert a_target(tenants={"a": KEY, "b": OTHER}).main_tenant == "a"
    assert a_target(tenants={"a": KEY, "main": OTHER}).main_tenant == "main"


def test_the_other_tenant_has_no_limits() -> None:
    tenants = {"main": KEY, "free": OTHER | {"requests": LIMIT}, "second": {"key": "sk-3"}}
    assert a_target(tenants=tenants).other_tenant == "second"
    assert a_target(tenants={"main": KEY, "free": OTHER | {"requests": LIMIT}}).other_tenant is None


def test_an_address_to_connect_to_is_split() -> None:
    assert a_target(connect="[::1]:8443").connect_to == ("::1", 8443)
    assert a_target(connect="10.0.0.1:80").connect_to == ("10.0.0.1", 80)


def test_a_launched_target_has_no_url_yet() -> None:
    target = a_target(base_url=None, launch="reference", key="sk-1")
    assert target.is_loopback
    assert target.path("chat") == "/v1/chat/completions"
    with pytest.raises(Exception, match="t: base_url is not known"):
        target.url("chat")


def test_options_of_a_launch_are_its_launchers() -> None:
    launch = a_target(launch={"kind": "litellm", "db": False}).launch
    assert launch is not None
    assert (launch.kind, launch.options) == ("litellm", {"db": False})


def test_no_representation_of_a_target_shows_a_key() -> None:
    target = a_target(key="sk-hunter2", mint={"key": "sk-hunter2", "adapter": "reference"})
    assert "hunter2" not in f"{target} {target!r} {target.model_dump()} {target.model_dump_json()}"
