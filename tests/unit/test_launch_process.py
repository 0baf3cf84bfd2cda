"""Processes of a launch: watched while they start, ended for certain, and never a stranger's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from gateproof.errors import LaunchError
from gateproof.launch import folders, process, table
from gateproof.launch.process import Crew, environment

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)


@pytest.fixture
def crew(tmp_path: Path) -> Crew:
    return Crew(tmp_path)


def until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_an_ended_process_leaves_nothing(crew: Crew) -> None:
    started = crew.start("sleeper", SLEEP, env=environment())
    assert started.runs()
    crew.end()
    assert not started.group_runs()
    assert not (crew.folder / "processes.jsonl").exists()


def test_children_of_an_ended_process_end_too(crew: Crew) -> None:
    code = f"import subprocess, sys; subprocess.Popen({SLEEP!r}); sys.exit(0)"
    parent = crew.start("parent", [sys.executable, "-c", code], env=environment())
    assert until(lambda: not parent.runs())
    assert parent.group_runs()
    crew.end()
    assert not parent.group_runs()


def test_a_process_that_ignores_the_request_is_killed(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 0.3)
    deaf = crew.start("deaf", [sys.executable, "-c", STUBBORN], env=environment())
    assert until(lambda: b"deaf" in deaf.log.read_bytes())
    crew.end()
    assert not deaf.group_runs()


def test_death_before_readiness_shows_the_end_of_the_log_without_secrets(tmp_path: Path) -> None:
    crew = Crew(tmp_path, secrets=["sk-very-secret"])
    code = "import sys; print(*range(100), sep='\\n'); print('key sk-very-secret refused'); sys.exit(3)"
    dying = crew.start("dying", [sys.executable, "-c", code], env=environment())
    with pytest.raises(LaunchError, match=r"dying ended before it was ready \(exit 3\)") as caught:
        crew.wait_until(dying, lambda: False, within=10)
    text = str(caught.value)
    assert "key *** refused" in text
    assert "sk-very-secret" not in text
    assert len(text.splitlines()) == 1 + process.TAIL_LINES


def test_unreadiness_in_time_is_an_error(crew: Crew) -> None:
    slow = crew.start("slow", SLEEP, env=environment())
    with pytest.raises(LaunchError, match=r"slow was not ready within 0\.2 s"):
        crew.wait_until(slow, lambda: False, within=0.2)
    crew.end()


def test_a_missing_program_is_an_error(crew: Crew) -> None:
    with pytest.raises(LaunchError, match="cannot be started"):
        crew.start("ghost", [crew.folder / "no-such-program"], env=environment())


def test_a_stranger_with_our_pid_is_left_alone(crew: Crew) -> None:
    stranger = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        entry = {"name": "ours", "pid": stranger.pid, "started": "1", "log": "x", "end_with": "TERM"}
        (crew.folder / "processes.jsonl").write_text(json.dumps(entry | {"end_with": "SIGKILL"}) + "\n")
        process.recorded(crew.folder).end()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_half_written_record_is_passed_over(crew: Crew) -> None:
    (crew.folder / "processes.jsonl").write_text('{"name": "x", "pi')
    assert process.recorded(crew.folder).processes == []


def test_nothing_of_the_users_keys_reaches_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-mine")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    seen = environment(EXTRA="1")
    assert "SOME_API_KEY" not in seen
    assert "HTTP_PROXY" not in seen
    assert seen["EXTRA"] == "1"
    assert seen["PATH"] == os.environ["PATH"]


def test_the_next_start_ends_what_a_killed_one_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = f"""
import os, signal, sys
from pathlib import Path
from gateproof.launch import folders
from gateproof.launch.process import environment
crew = folders.open_run(Path({str(tmp_path)!r}), detached=False)
crew.start("left", {SLEEP!r}, env=environment())
(crew.folder / "data").mkdir()
print(crew.folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = Path(killed.stdout.strip())
    (orphan,) = process.recorded(left).processes
    assert orphan.runs()

    folders.close_run(folders.open_run(tmp_path, detached=False))
    assert not orphan.group_runs()
    assert not (left / "data").exists()
    assert "left over from a run that was killed" in capsys.readouterr().err


def test_a_start_leaves_other_running_launches_alone(tmp_path: Path) -> None:
    first = folders.open_run(tmp_path, detached=False)
    running = first.start("first", SLEEP, env=environment())
    second = folders.open_run(tmp_path, detached=False)
    assert running.runs()
    assert second.folder != first.folder
    folders.close_run(second)
    folders.close_run(first)


def test_a_detached_launch_outlives_its_starter_and_exists_once(tmp_path: Path) -> None:
    crew = folders.open_run(tmp_path, detached=True)
    running = crew.start("kept", SLEEP, env=environment())
    folders.detach(crew.folder)
    folders.close_run(folders.open_run(tmp_path, detached=False))
    assert running.runs()
    with pytest.raises(LaunchError, match="is up already: `gateproof stack down"):
        folders.open_run(tmp_path, detached=True)
    folders.close_run(crew)
    assert not running.group_runs()
    folders.close_run(folders.open_run(tmp_path, detached=True))


def test_old_logs_are_dropped(tmp_path: Path) -> None:
    for _ in range(10):
        folders.close_run(folders.open_run(tmp_path, detached=False))
    assert len([path for path in (tmp_path / "run").iterdir() if path.is_dir()]) < 10


def test_an_identity_is_more_than_a_pid() -> None:
    mine = table.me()
    assert mine.pid == os.getpid()
    assert table.runs(mine)
    assert not table.runs(table.Identity(mine.pid, "1"))
    assert set(asdict(mine)) == {"pid", "started"}
