"""No key outlives its run, however it ends, and no run takes the keys of another that lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from gateproof.launch import Launched, launch
from gateproof.targets.model import Target
from tests.plugin.test_endings import HANG_GUARD, wait_for
from tests.plugin.toy import HEAD, KEY, Project

ADMIN = "sk-admin-0123456789abcdef"
MINT = f", mint: {{adapter: reference, key: {ADMIN}, requests: {{limit: 5, window: 2s}}}}"

# Each check has a key made, and holds it until it is told to go on.
HOLDING = (
    HEAD
    + """
import time
from pathlib import Path
PACE = 0.05

@pytest.fixture(autouse=True)
def held(tenant_with, request):
    tenant_with(requests=True)
    while not Path(request.config.rootpath, "go").exists():
        time.sleep(PACE)

@requirement("TOY-001", requests=1)
def test_first(api: Api) -> None:
    assert True

@requirement("TOY-002", requests=0)
def test_second(api: Api) -> None:
    assert True

@requirement("TOY-003", requests=0)
def test_third(api: Api) -> None:
    assert True
"""
)
CATALOGUE = """
area: TOY
title: toys
requirements:
  - {id: TOY-001, level: MUST, basis: S, claim: "the first claim", source: "RFC 1", check: "c", gate: []}
  - {id: TOY-002, level: MUST, basis: S, claim: "the second claim", source: "RFC 2", check: "c", gate: []}
  - {id: TOY-003, level: MUST, basis: S, claim: "the third claim", source: "RFC 3", check: "c", gate: []}
"""


BEGUN: list[subprocess.Popen[bytes]] = []


@pytest.fixture(scope="module")
def stack() -> Iterator[Launched]:
    data = {"name": "toy", "stack": "openai", "launch": "reference", "models": {"chat": "m"}}
    mint = {"adapter": "reference", "key": ADMIN}
    launched = launch(Target.model_validate({**data, "tenants": {"main": {"key": KEY}}, "mint": mint}))
    yield launched
    launched.stop()


@pytest.fixture
def keys(stack: Launched) -> Callable[[], list[str]]:
    """The names of the keys that exist now and are ours."""

    def names() -> list[str]:
        headers = {"authorization": f"Bearer {ADMIN}"}
        answer = httpx.get(f"{stack.base_url}/admin/keys", headers=headers, trust_env=False).json()
        return [row["tenant"] for row in answer["keys"] if row["tenant"].startswith("gateproof-")]

    return names


@pytest.fixture
def holding(project: Project, stack: Launched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Project]:
    """A pack whose checks hold a key each, in a project that shares its state with nobody."""
    monkeypatch.setenv("GATEPROOF_STATE", str(tmp_path / "state"))
    project.write(stack.base_url, HOLDING, MINT, catalogue=CATALOGUE)
    # under nohup the runs would inherit that it is ignored, and do so
    hang_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield project
    signal.signal(signal.SIGHUP, hang_up)
    for process in BEGUN:
        process.kill()  # what a failed test left waiting would hold its keys through the next one
        process.wait()
    BEGUN.clear()


def begin(project: Project, *options: str) -> subprocess.Popen[bytes]:
    """In a session of its own, so that a signal can go to the controller alone."""
    command = [sys.executable, "-m", "pytest", "--target", "toy", *options]
    with output_of(project).open("ab") as output:
        BEGUN.append(
            subprocess.Popen(
                command,
                cwd=project.path,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        )
    return BEGUN[-1]


def output_of(project: Project) -> Path:
    return Path(project.path, "output.txt")


def ended(process: subprocess.Popen[bytes], project: Project) -> tuple[int, str]:
    """Exit status, and all that was printed so far by any run of the project."""
    return process.wait(HANG_GUARD), output_of(project).read_text()


def go(project: Project) -> None:
    Path(project.path, "go").touch()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_run_that_is_stopped_takes_its_keys_back(
    holding: Project, keys: Callable[[], list[str]], number: signal.Signals
) -> None:
    process = begin(holding)
    wait_for(lambda: len(keys()) == 1)
    process.send_signal(number)
    status, output = ended(process, holding)

    assert status == pytest.ExitCode.INTERRUPTED, output
    assert keys() == []


def test_a_run_that_was_killed_is_swept_by_the_next(
    holding: Project, keys: Callable[[], list[str]], workers: tuple[str, ...]
) -> None:
    killed = begin(holding, *workers)
    wait_for(lambda: len(keys()) == max(1, len(workers)))
    killed.kill()
    killed.wait(HANG_GUARD)
    left = keys()
    assert left != []

    second = begin(holding)
    wait_for(lambda: bool(keys()) and not set(keys()) & set(left))  # at its start, not when it ends
    go(holding)
    status, output = ended(second, holding)

    assert status == pytest.ExitCode.OK, output
    assert keys() == []
    for orphan in workers_of(killed):
        os.kill(orphan, signal.SIGKILL)


def workers_of(controller: subprocess.Popen[bytes]) -> list[int]:
    """What still runs of its session."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == controller.pid and fields[0] != "Z":
            found.append(int(entry.parent.name))
    return found


def test_a_run_beside_us_keeps_its_keys(holding: Project, keys: Callable[[], list[str]]) -> None:
    first = begin(holding)
    wait_for(lambda: len(keys()) == 1)
    held = keys()
    second = begin(holding, "--requirement", "TOY-003")
    wait_for(lambda: len(keys()) > 1)
    second.send_signal(signal.SIGTERM)
    ended(second, holding)

    assert keys() == held
    go(holding)
    status, output = ended(first, holding)
    assert status == pytest.ExitCode.OK, output
    assert keys() == []


def test_a_usage_error_after_keys_were_made_takes_them_back(
    holding: Project, stack: Launched, keys: Callable[[], list[str]]
) -> None:
    """A declared tenant without a key has one made before anything is collected."""
    holding.write(stack.base_url, HOLDING, f"{MINT}, tenants: {{other: {{}}}}", catalogue=CATALOGUE)
    process = begin(holding, "--spend", "0")
    status, output = ended(process, holding)

    assert status == pytest.ExitCode.USAGE_ERROR, output
    assert keys() == []
