"""Declared tenants whose limit is another than the target says, or is used by somebody else: no false FAIL."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateproof.launch import Launched, launch
from gateproof.targets.model import Target

ROOT = Path(__file__).parents[2]
HANG_GUARD = 120.0  # s
LIMIT, WINDOW = 5, 2.0
PACE = 0.05  # s between two requests of somebody else: several in each window
FREE = "sk-free-0123456789abcdef"
TARGET: dict[str, Any] = {"stack": "openai", "models": {"chat": "chat-a"}}
TENANTS = {"main": {"key": "sk-main-0123456789abcdef"}, "free": {"key": FREE}}


def limited(limit: int) -> dict[str, Any]:
    requests = {"limit": limit, "window": WINDOW, "algorithm": "fixed", "aligned": False}
    return {**TENANTS, "free": {"key": FREE, "requests": requests}}


@pytest.fixture(scope="module")
def stack() -> Iterator[Launched]:
    launched = launch(Target.model_validate({"name": "s", **TARGET, "launch": "reference", "tenants": limited(LIMIT)}))
    yield launched
    launched.stop()


def judged(stack: Launched, folder: Path, declared: int) -> dict[str, Any]:
    """RATE-001 of the real packs, on a target that declares a limit of so many requests."""
    odd = {
        **TARGET,
        "base_url": stack.base_url,
        "tenants": limited(declared),
        "capabilities": {"lim.headers.openai": True},
    }
    file = folder / "targets.yaml"
    file.write_text(json.dumps({"targets": {"odd": odd}}))
    command = [sys.executable, "-m", "pytest", "-q", "--target=odd", f"--targets={file}", "--requirement=RATE-001"]
    done = subprocess.run(
        [*command, f"--report-dir={folder}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANG_GUARD,
        check=False,
    )
    report = folder / "odd" / "conformance" / "latest" / "report.json"
    assert report.exists(), done.stdout + done.stderr
    (row,) = [row for row in json.loads(report.read_text())["requirements"] if row["id"] == "RATE-001"]
    return {"verdict": row["verdict"], "told": f"{row['message']} {row['seen']}"}


@contextlib.contextmanager
def somebody_else(stack: Launched) -> Iterator[None]:
    """Uses the same key all the time."""
    over = threading.Event()
    body = {"model": "chat-a", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 1}

    def use() -> None:
        with httpx.Client(base_url=stack.base_url, trust_env=False) as client:
            while not over.wait(PACE):
                client.post("/v1/chat/completions", headers={"authorization": f"Bearer {FREE}"}, json=body)

    thread = threading.Thread(target=use)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_the_declared_limit_is_the_gateways(stack: Launched, tmp_path: Path) -> None:
    assert judged(stack, tmp_path, LIMIT)["verdict"] == "PASS"


def test_more_is_declared_than_the_gateway_names(stack: Launched, tmp_path: Path) -> None:
    """What is refused too early looks used up by somebody else, but is not."""
    seen = judged(stack, tmp_path, 2 * LIMIT)

    assert seen["verdict"] == "UNTESTABLE"
    assert f"tenants.free.requests: a limit of {2 * LIMIT} is declared, the gateway names {LIMIT}" in seen["told"]


def test_less_is_declared_than_the_gateway_names(stack: Launched, tmp_path: Path) -> None:
    """More is admitted than was promised: that is a failure, and says what the gateway believes."""
    seen = judged(stack, tmp_path, LIMIT - 2)

    assert seen["verdict"] == "FAIL"
    assert f"the answers say that the limit is {LIMIT}" in seen["told"]


def test_somebody_else_uses_the_limit(stack: Launched, tmp_path: Path) -> None:
    with somebody_else(stack):
        seen = judged(stack, tmp_path, LIMIT)

    assert seen["verdict"] == "UNTESTABLE"
    assert "already partly used by somebody else" in seen["told"]
