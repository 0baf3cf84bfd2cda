"""The supervisor: one line in, one line out, and nothing that outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateproof.errors import ConfigError
from gateproof.stack import config
from gateproof.stack.defaults import ADMIN_KEY, MAIN_KEY, default_gateway
from tests.unit.gateway_rig import eventually


@contextmanager
def stack(**settings: Any) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    command = [sys.executable, "-m", "gateproof.stack"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(settings).encode() + b"\n")
        process.stdin.flush()
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def alive(pid: int) -> bool:
    """A zombie that nobody has waited for yet is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def end_of_input(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes through /proc")
@pytest.mark.parametrize(
    "leave",
    [end_of_input, lambda process: process.send_signal(signal.SIGTERM), lambda process: process.kill()],
    ids=["end of input", "SIGTERM", "SIGKILL"],
)
def test_no_child_outlives_the_supervisor(leave: Any) -> None:
    with stack(gateway=default_gateway()) as (process, ready):
        pids = ready["pids"].values()
        assert all(alive(pid) for pid in pids)
        leave(process)
        assert eventually(lambda: not any(alive(pid) for pid in pids), within=3)
        assert process.wait(3) in {0, -signal.SIGKILL}


def test_everything_answers_when_the_ready_line_comes() -> None:
    with stack(gateway=default_gateway(), faults=["some_fault"]) as (_, ready):
        headers = {"authorization": f"Bearer {MAIN_KEY}"}
        body = {"model": "chat-b", "messages": [{"role": "user", "content": "hello"}]}
        reply = httpx.post(f"{ready['gateway']}/v1/chat/completions", json=body, headers=headers, trust_env=False)
        assert reply.json()["model"] == "chat-b"
        assert ADMIN_KEY not in reply.text
        controls = [ready["gateway_control"], *(engine["control"] for engine in ready["engines"].values())]
        for control in controls:
            assert httpx.get(f"{control}/faults", trust_env=False).json()["names"] == ["some_fault"]
        httpx.put(f"{controls[0]}/faults", json={"names": []}, trust_env=False)
        assert httpx.get(f"{controls[0]}/faults", trust_env=False).json()["names"] == []


def test_engines_can_run_without_a_gateway() -> None:
    with stack(gateway=None, engines=["a"]) as (_, ready):
        assert list(ready["engines"]) == ["a"]
        assert "gateway" not in ready


def test_the_death_of_a_child_ends_the_stack() -> None:
    with stack(gateway=None) as (process, ready):
        os.kill(ready["pids"]["a"], signal.SIGKILL)
        assert process.wait(3) == 1


def test_a_stack_starts_quickly() -> None:
    started = time.monotonic()
    with stack(gateway=default_gateway()):
        # 0.6 s on two idle cores; this is about seconds, not about tenths
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"tenant": {}}, "gateway.tenant: unknown key; did you mean `tenants`"),
        ({"tenants": {"a": {"requets": {}}}}, "gateway.tenants.a.requets: unknown key; did you mean `requests`"),
        ({"tenants": {"a": {"tokens": {"limit": 1}}}}, "gateway.tenants.a.tokens[0]: `window` is missing"),
        ({"keys": {"k": "x"}}, "no tenant is called 'x'"),
        ({"models": {"m": {"alias_of": "x"}}}, "no model is called 'x'"),
        ({"keepalive": "soon"}, "gateway.keepalive: 'soon' is no duration"),
    ],
)
def test_mistakes_in_the_configuration_are_told_with_their_place(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.gateway_from(given)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("2s", 2), ("1m", 60), ("24h", 86400), (3, 3.0), ("1.5s", 1.5)]
)
def test_durations(text: object, seconds: float) -> None:
    assert config.duration(text) == seconds
