"""Every kind of stack, really started: it serves, it ends without a trace, and a killed start is cleaned up after.

Slow (up to a minute each) and heavy (vLLM: 1.3 GB of memory); installs what is not installed yet.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from gateproof.errors import LaunchError
from gateproof.launch import Launched, down, launch, process, status, up
from gateproof.launch.ports import accepts
from gateproof.targets.model import Target

HELLO = [{"role": "user", "content": "hello"}]
STACKS: dict[str, dict[str, Any]] = {
    "reference": {"stack": "openai", "launch": "reference"},
    "portkey": {"stack": "portkey-oss", "launch": "portkey"},
    "litellm": {"stack": "litellm", "launch": {"kind": "litellm", "db": False}},
    "litellm-db": {"stack": "litellm", "launch": "litellm"},
    "envoy": {"stack": "tokenlabs", "launch": "envoy"},
    "vllm": {"stack": "vllm", "launch": {"kind": "vllm", "api_key": True}, "models": {"chat": "tiny-llama"}},
}


def target(stack: str) -> Target:
    return Target.model_validate({"name": stack, "models": {"chat": "chat-a"}} | STACKS[stack])


def post(launched: Launched, path: str, body: Any, *, tenant: str = "main") -> httpx.Response:
    key = launched.keys.get(tenant)
    headers = launched.headers | ({"authorization": f"Bearer {key}"} if key else {})
    return httpx.post(launched.base_url + path, json=body, headers=headers, timeout=60, trust_env=False)


def chat(launched: Launched, model: str, *, tenant: str = "main", **more: Any) -> httpx.Response:
    body = {"model": model, "messages": HELLO, "max_tokens": 8} | more
    return post(launched, "/v1/chat/completions", body, tenant=tenant)


def ports(launched: Launched) -> list[int]:
    urls = [launched.base_url, *launched.upstream_control, *launched.engines.values()]
    urls += [launched.kubernetes_url] if launched.kubernetes_url else []
    return [port for url in urls if (port := urlsplit(url).port) is not None]


def assert_gone(launched: Launched, crew: process.Crew) -> None:
    assert not [one.name for one in crew.processes if one.group_runs()]
    assert not [port for port in ports(launched) if accepts(port)]


@pytest.fixture(params=STACKS)
def launched(request: pytest.FixtureRequest) -> Iterator[tuple[Launched, str]]:
    wanted = target(request.param)
    running = launch(wanted)
    crew = process.recorded(Path(running.env["folder"]))
    try:
        yield running, wanted.models["chat"]
    finally:
        running.stop()
        assert_gone(running, crew)


def test_it_serves_and_ends_without_a_trace(launched: tuple[Launched, str]) -> None:
    running, model = launched
    tenant = "main" if "main" in running.keys else "admin"
    whole = chat(running, model, tenant=tenant)
    assert whole.status_code == 200, whole.text
    assert whole.json()["choices"][0]["message"]["content"]

    stream = chat(running, model, tenant=tenant, stream=True)
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.text.rstrip().endswith("data: [DONE]")
    assert running.versions


def test_a_key_of_litellm_is_made_used_and_deleted() -> None:
    running = launch(target("litellm-db"))
    try:
        made = post(running, "/key/generate", {"rpm_limit": 10}, tenant="admin").json()["key"]
        running.keys["made"] = made
        assert chat(running, "chat-a", tenant="made").status_code == 200
        assert post(running, "/key/delete", {"keys": [made]}, tenant="admin").status_code == 200
        assert chat(running, "chat-a", tenant="made").status_code == 401
    finally:
        running.stop()


def test_a_key_of_tokenlabs_is_a_secret() -> None:
    """Made, limited by its tier as TokenLabs' own are, moved to another tier, and deleted."""
    running = launch(target("envoy"))
    headers = {"authorization": f"Bearer {running.kubernetes_token}", "content-type": "application/merge-patch+json"}
    secrets = f"{running.kubernetes_url}/api/v1/namespaces/kuadrant-system/secrets"
    labels = {"authorino.kuadrant.io/managed-by": "authorino", "app": "token-labs"}
    annotations = {"kuadrant.io/groups": "free", "secret.kuadrant.io/user-id": "made"}
    made = {"metadata": {"name": "made", "labels": labels, "annotations": annotations}}
    change = {"metadata": {"annotations": {"kuadrant.io/groups": "pro"}}}
    running.keys["made"] = "tlabs_made"
    try:
        with httpx.Client(headers=headers, trust_env=False) as cluster:
            assert chat(running, "chat-a", tenant="made").status_code == 401
            assert cluster.post(secrets, json=made | {"stringData": {"api_key": "tlabs_made"}}).status_code == 201
            # ten a minute is what TokenLabs' free tier has
            assert [chat(running, "chat-a", tenant="made").status_code for _ in range(11)] == [200] * 10 + [429]
            assert cluster.patch(f"{secrets}/made", content=json.dumps(change)).status_code == 200
            assert chat(running, "chat-a", tenant="made").status_code == 200
            assert cluster.delete(f"{secrets}/made").status_code == 200
            assert chat(running, "chat-a", tenant="made").status_code == 401
    finally:
        running.stop()


def test_envoy_survives_large_bodies_side_by_side() -> None:
    """With the processor in a filter of the engines' clusters, Envoy 1.40.0 died of the first few."""
    running = launch(target("envoy"))
    padding: dict[str, Any] = {"metadata": {"padding": "x" * 1_000_000}}
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda _: chat(running, "chat-a", **padding).status_code, range(40))
            assert list(answers) == [200] * 40
    finally:
        running.stop()


@pytest.mark.parametrize("stack", ["reference", "portkey", "envoy", "litellm-db"])
def test_the_start_after_a_killed_one_cleans_up(stack: str) -> None:
    code = (
        "import json, os, sys\n"
        "from gateproof.launch import launch\n"
        "from gateproof.targets.model import Target\n"
        "running = launch(Target.model_validate_json(sys.stdin.read()))\n"
        "print(running.to_json(), flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    wanted = {"name": stack, "models": {"chat": "chat-a"}} | STACKS[stack]
    killed = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(wanted), capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = Launched.from_json(killed.stdout, lambda: None)
    crew = process.recorded(Path(left.env["folder"]))

    launch(target("litellm" if stack == "litellm-db" else stack)).stop()
    assert_gone(left, crew)


def test_a_stack_that_is_up_outlives_its_starter(tmp_path: Path) -> None:
    code = "import pathlib, sys\nfrom gateproof.launch import up\nup('reference', cache=pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True)
    try:
        running = status(cache=tmp_path)["reference"]
        assert chat(running, "chat-a").status_code == 200
        with pytest.raises(LaunchError, match="is up already"):
            up("reference", cache=tmp_path)
    finally:
        assert down("reference", cache=tmp_path)
    assert status(cache=tmp_path) == {}
    assert not down("reference", cache=tmp_path)
