"""Whose keys are these: told by a lock that goes with its process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateproof.tenants import owner
from gateproof.tenants.owner import KEPT, lives, stake, started


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GATEPROOF_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def name_of(run_id: str) -> str:
    return f"gateproof-{run_id}-ab12-1"


def test_a_run_lives_until_it_is_released() -> None:
    run = stake()
    assert lives(name_of(run.run_id)) is True

    run.release()
    assert lives(name_of(run.run_id)) is False


def test_two_runs_are_told_apart() -> None:
    one, other = stake(), stake()
    one.release()

    assert (lives(name_of(one.run_id)), lives(name_of(other.run_id))) == (False, True)
    other.release()


@pytest.mark.parametrize("way", ["SIGKILL", "SIGTERM"])
def test_a_process_that_is_killed_lets_go(way: str) -> None:
    program = (
        "import os, signal\n"
        "from gateproof.tenants.owner import stake\n"
        "print(stake().run_id, flush=True)\n"
        f"os.kill(os.getpid(), signal.{way})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert lives(name_of(done.stdout.strip())) is False


def test_asking_does_not_take_the_lock() -> None:
    run = stake()
    answers = [lives(name_of(run.run_id)) for _ in range(3)]

    assert answers == [True] * 3
    run.release()


@pytest.mark.parametrize(
    "name", ["gateproof-of-a-person", "gateproof-6740a1b0-abc123-ab12-1", "gateproof-6740a1b0-00000000-abc123-main"]
)
def test_a_run_of_another_place_cannot_be_judged(name: str) -> None:
    assert lives(name) is None


def test_a_copied_folder_is_another_place(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container made from an image of this machine: the lock files are there, the runs are not."""
    run = stake()
    shutil.copytree(state, state.with_name("copy"))
    monkeypatch.setenv("GATEPROOF_STATE", str(state.with_name("copy")))

    assert lives(name_of(run.run_id)) is None
    run.release()


def test_a_folder_made_anew_is_another_place(state: Path) -> None:
    run = stake()
    shutil.rmtree(state)
    stake().release()

    assert lives(name_of(run.run_id)) is None
    run.release()


def test_after_a_restart_of_the_machine_it_is_another_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = stake()
    boot = tmp_path / "boot_id"
    boot.write_text("another")
    monkeypatch.setattr(owner, "_BOOT", boot)

    assert lives(name_of(run.run_id)) is None
    run.release()


def test_without_a_place_to_write_nobody_can_tell(state: Path) -> None:
    state.write_text("a file where a folder should be")
    run = stake()

    assert lives(name_of(run.run_id)) is None
    run.release()


def test_an_id_tells_when_it_began() -> None:
    before = time.time()
    run = stake()
    began = started(name_of(run.run_id))

    assert began is not None
    assert int(before) <= began <= time.time()
    assert started("gateproof-of-a-person") is None
    run.release()


def test_lock_files_of_the_dead_do_not_pile_up(state: Path) -> None:
    folder = state / "runs"
    living = stake()
    (folder / "killed-long-ago").touch()
    for file in folder.iterdir():
        os.utime(file, (time.time() - 2 * KEPT,) * 2)

    stake().release()
    assert [file.name for file in folder.iterdir()] == [living.run_id]
    living.release()
