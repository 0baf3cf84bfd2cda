"""``gateproof load``: mistakes in one line, exit codes that mean something, and no process left behind."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateproof import cli
from gateproof.errors import ConfigError
from gateproof.load import command
from gateproof.load.files import OWN, room_for

SOON = 5.0  # s; a hang guard
LOOK = 0.01  # s
FILE = """\
targets:
  mine:
    stack: openai
    base_url: http://127.0.0.1:9
    key: sk-hunter2
    models: {chat: m}
    load: {allowed: true}
  shy: {stack: openai, base_url: http://127.0.0.1:9, models: {chat: m}}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "targets.yaml"
    path.write_text(FILE)
    return str(path)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "--target: which target?"),
        (["--target", "mime"], "unknown target `mime`; did you mean `mine`?"),
        (["--target", "shy"], "shy.load.allowed: this target does not allow load"),
        (["--target", "mine", "--profile", "smok"], "unknown profile `smok`; did you mean `smoke`?"),
        (["--target", "mine", "--set", "arrivals.rat=3"], "arrivals.rat: unknown key; did you mean `rate`?"),
        (["--target", "mine", "--set", "arrivals.rate"], "--set: `arrivals.rate` is no setting"),
    ],
)
def test_a_mistake_is_told_before_anything_starts(
    file: str, words: list[str], line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "run", lambda _: pytest.fail("a process was started"))
    assert cli.run(["load", *words, "--targets", file]) == 2
    err = capsys.readouterr().err
    assert line in err
    assert "Traceback" not in err


@pytest.mark.parametrize("words", [["--target", "mine"], ["--set", "seed=3"], ["--profile", "soak"], ["--web"]])
def test_a_run_that_goes_on_has_its_own_settings(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["load", "--resume", "reports/t/load/latest", *words]) == 2
    assert f"{words[0]}: the run has its own" in capsys.readouterr().err


def test_a_run_that_is_none_does_not_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["load", "--resume", str(tmp_path)]) == 2
    assert "run.json: no folder of a run: No such file or directory" in capsys.readouterr().err


def test_locust_gets_names_and_no_secrets(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []

    def run(words: list[str]) -> int:
        given.append(words)
        return 5

    monkeypatch.setattr(command, "run", run)
    words = ["--target", "mine", "--profile", "smoke", "--set", "seed=3", "--set", "requests=9", "--processes", "2"]
    assert cli.run(["load", *words, "--targets", file, "--report-dir", "there"]) == 5
    [told] = given
    assert told[:3] == [sys.executable, "-m", "locust"]
    line = " ".join(told)
    assert "--report-dir there --set seed=3 --set requests=9 --processes 2 --master-bind-host 127.0.0.1 " in line
    assert line.endswith(" --headless --skip-log-setup")
    assert not any("hunter2" in word for word in told)


def test_the_profiles_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["load", "profiles"]) == 0
    listed = {line.split()[0]: line.split()[1:4] for line in capsys.readouterr().out.splitlines()}
    assert listed["smoke"] == ["15", "s", "poisson"]
    assert {"baseline", "ramp", "smoke", "soak", "spike", "step"} <= listed.keys()


def test_a_profile_that_is_broken_is_listed_with_its_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "load/profiles").mkdir(parents=True)
    (tmp_path / "load/profiles/mine.yaml").write_text("arrivals: {kind: poison}\n")
    monkeypatch.chdir(tmp_path)
    assert cli.run(["load", "profiles"]) == 0
    assert "mine.arrivals.kind" in "".join(capsys.readouterr().out.split())


def test_elsewhere_the_locustfile_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="from the root of the repository"):
        command.arguments(Path("targets.yaml"), 1, ["--target", "t"])


def a_child(program: str) -> list[str]:
    return [sys.executable, "-c", program]


@pytest.mark.parametrize(("code", "told"), [(0, 0), (2, 2), (4, 4), (5, 5), (1, 3), (7, 3)])
def test_exit_codes_that_are_ours_are_passed_on(code: int, told: int) -> None:
    assert command.run(a_child(f"raise SystemExit({code})")) == told


def test_a_child_that_was_killed_is_our_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert command.run(a_child("import os; os.kill(os.getpid(), 9)")) == 3
    assert "ended by SIGKILL" in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_run_once_and_it_still_reports(number: signal.Signals, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    program = f"""
import pathlib, signal, time
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(1))
pathlib.Path({str(ready)!r}).touch()
while not seen: time.sleep(0.01)
time.sleep(0.1)
raise SystemExit(5 if len(seen) == 1 else 1)
"""
    before = signal.getsignal(number)

    def send() -> None:
        until = time.monotonic() + SOON
        while not ready.exists() and time.monotonic() < until:
            time.sleep(LOOK)
        os.kill(os.getpid(), number)

    threading.Thread(target=send, daemon=True).start()
    assert command.run(a_child(program)) == 5
    assert signal.getsignal(number) is before


def test_workers_end_with_their_master(tmp_path: Path) -> None:
    worker = tmp_path / "worker"
    program = f"""
import pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path({str(worker)!r}).write_text(str(child.pid))
import os; os._exit(5)
"""
    assert command.run(a_child(program)) == 5
    assert not running(int(worker.read_text()))


def running(pid: int) -> bool:
    """Not gone, and no zombie of a parent that does not look."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_command_line_starts_without_what_patches_python() -> None:
    program = "import sys, gateproof.cli; print(*{'locust', 'gevent', 'numpy', 'pydantic'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_of_open_files_is_raised(limits: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, limits[1]))
    room_for(600)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (600 + OWN, limits[1])


def test_a_limit_that_is_high_enough_stays(limits: tuple[int, int]) -> None:
    room_for(1)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == limits


def test_too_few_open_files_are_told_with_the_number_needed(limits: tuple[int, int]) -> None:
    hard = limits[1]
    with pytest.raises(ConfigError, match=f"needs {hard + OWN} open files for {hard} requests under way, {hard} are"):
        room_for(hard)
