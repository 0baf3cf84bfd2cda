"""Backends go, and come back whatever happens: our own engines, and the Deployments of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from gateproof.cluster import outage as module
from gateproof.cluster.outage import REPLICAS, Deployments, Doors, OutageFailed
from gateproof.stack import config
from gateproof.stack.supervisor import Stack


@pytest.fixture(scope="module")
def stack() -> Iterator[dict[str, Any]]:
    with Stack(config.stack_from({"gateway": None})) as stack:
        yield stack.ready_line()["engines"]


def controls(stack: dict[str, Any]) -> list[str]:
    return [engine["control"] for engine in stack.values()]


def is_there(engine: dict[str, Any]) -> bool:
    try:
        return httpx.get(f"{engine['url']}/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_an_engine_is_gone_inside_and_back_outside(stack: dict[str, Any]) -> None:
    doors = Doors(controls(stack))
    assert doors.names() == ["a", "b"]
    with doors.of(["a"], most=30):
        assert (is_there(stack["a"]), is_there(stack["b"])) == (False, True)
    assert is_there(stack["a"])


def test_an_engine_comes_back_after_a_failure(stack: dict[str, Any]) -> None:
    with pytest.raises(ZeroDivisionError), Doors(controls(stack)).of(["a", "b"], most=30):
        raise ZeroDivisionError
    assert is_there(stack["a"])
    assert is_there(stack["b"])


def test_an_engine_comes_back_by_itself(stack: dict[str, Any]) -> None:
    """As when the one who shut it was killed."""
    shut = httpx.put(f"{stack['a']['control']}/door", json={"shut": 0.2}, trust_env=False).json()
    assert shut == {"engine": "a", "open": False}
    until = 100
    while not is_there(stack["a"]) and until:
        until -= 1
    assert is_there(stack["a"])


def test_a_shut_door_cuts_what_is_under_way(stack: dict[str, Any]) -> None:
    with httpx.Client(base_url=stack["a"]["url"], trust_env=False) as kept:
        assert kept.get("/health").status_code == 200
        with Doors(controls(stack)).of(["a"], most=30), pytest.raises(httpx.TransportError):
            kept.get("/health")


def test_an_order_without_seconds_is_refused(stack: dict[str, Any]) -> None:
    assert httpx.put(f"{stack['a']['control']}/door", json={"shut": -1}, trust_env=False).status_code == 400


def test_no_engine_there_is_told() -> None:
    with pytest.raises(OutageFailed, match="cannot be told"):
        Doors(["http://127.0.0.1:9"])


class Apps:
    """As much of ``AppsV1Api`` as is used: scaling is done at once, unless it is stuck."""

    def __init__(self, **replicas: int) -> None:
        self.replicas, self.marks, self.stuck = dict(replicas), dict.fromkeys(replicas), False
        self.asked: list[tuple[str, int]] = []

    def list_namespaced_deployment(self, namespace: str, *, label_selector: str, _request_timeout: Any) -> Any:
        assert (namespace, label_selector) == ("models", "app=vllm")
        return SimpleNamespace(items=[self._one(name) for name in self.replicas])

    def _one(self, name: str) -> Any:
        mark = self.marks[name]
        return SimpleNamespace(
            metadata=SimpleNamespace(name=name, annotations={REPLICAS: mark} if mark else None),
            spec=SimpleNamespace(replicas=self.replicas[name]),
            status=SimpleNamespace(ready_replicas=(1 if self.stuck else self.replicas[name]) or None),
        )

    def patch_namespaced_deployment(self, name: str, _: str, body: Any, *, _request_timeout: Any) -> None:
        self.replicas[name] = body["spec"]["replicas"]
        self.marks[name] = body["metadata"]["annotations"][REPLICAS]
        self.asked.append((name, self.replicas[name]))


def test_deployments_are_scaled_to_zero_and_back() -> None:
    apps = Apps(a=2, b=1)
    deployments = Deployments(apps, "models", "app=vllm")
    assert deployments.names() == ["a", "b"]
    with deployments.of(["a"], most=30):
        assert (apps.replicas, apps.marks["a"]) == ({"a": 0, "b": 1}, "2")
    assert (apps.replicas, apps.marks["a"]) == ({"a": 2, "b": 1}, None)


def test_deployments_come_back_after_a_failure() -> None:
    apps = Apps(a=2, b=1)
    with pytest.raises(KeyboardInterrupt), Deployments(apps, "models", "app=vllm").of(["a", "b"], most=30):
        raise KeyboardInterrupt
    assert apps.replicas == {"a": 2, "b": 1}


def test_what_a_killed_run_left_is_mended() -> None:
    apps = Apps(a=0, b=1)
    apps.marks["a"] = "3"
    Deployments(apps, "models", "app=vllm")
    assert (apps.replicas, apps.marks["a"]) == ({"a": 3, "b": 1}, None)


def test_a_deployment_that_stays_is_told_and_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GONE_WITHIN", 0.02)
    monkeypatch.setattr(module, "POLL", 0.01)
    apps = Apps(a=1)
    apps.stuck = True
    with pytest.raises(OutageFailed, match="not as told: a"), Deployments(apps, "models", "app=vllm").of(["a"], most=1):
        pass
    assert apps.replicas == {"a": 1}
