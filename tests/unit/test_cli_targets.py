"""The command line: exit codes, one-line errors, and what people see."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateproof import __version__, cli
from gateproof.errors import LaunchError
from tests.ports import refusing_port

FILE = """\
targets:
  mine:
    stack: openai
    base_url: http://127.0.0.1:9
    models: {chat: my-model}
    tenants:
      main: {key: sk-hunter2}
      free: {key: {env: MY_FREE_KEY}, requests: {limit: 5, window: 2s}}
  local: {stack: openai, launch: reference, models: {chat: m}}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "targets.yaml"
    path.write_text(FILE)
    return str(path)


def test_targets_are_listed(file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_FREE_KEY", raising=False)
    assert cli.run(["targets", "--targets", file]) == 0
    out = capsys.readouterr().out
    assert "http://127.0.0.1:9" in out
    assert "MY_FREE_KEY" in out
    assert "launches reference" in out


def test_a_broken_entry_is_listed_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(FILE.replace("stack: openai\n", "stak: openai\n"))
    assert cli.run(["targets", "--targets", str(path)]) == 0
    assert "line 2" in capsys.readouterr().out


def test_check_tells_every_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(FILE.replace("stack: openai\n", "stak: openai\n").replace("launch: reference", "launch: refrence"))
    assert cli.run(["targets", "check", "--targets", str(path)]) == 2
    err = capsys.readouterr().err
    assert "mine.stack: missing key" in err
    assert "did you mean `reference`?" in err


def test_check_without_a_name_needs_no_variables(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["targets", "check", "--targets", file]) == 0
    assert "mine: ok, but not set: MY_FREE_KEY" in capsys.readouterr().out


def test_check_of_one_target_needs_its_keys(
    file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.run(["targets", "check", "mine", "--targets", file]) == 2
    captured = capsys.readouterr()
    assert captured.err == "mine.tenants.free.key: environment variable MY_FREE_KEY is not set\n"
    monkeypatch.setenv("MY_FREE_KEY", "sk-2")
    assert cli.run(["targets", "check", "mine", "--targets", file]) == 0


@pytest.mark.parametrize(
    "arguments", [["targets", "--targets", "FILE", "show", "mine"], ["targets", "show", "mine", "--targets", "FILE"]]
)
def test_show_tells_what_an_entry_comes_to_and_no_key(
    arguments: list[str], file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([file if word == "FILE" else word for word in arguments]) == 0
    out = capsys.readouterr().out
    assert "env MY_FREE_KEY, 5 requests in 2 s" in out
    assert "lim.short_window" in out
    assert "hunter2" not in out


def test_show_with_a_probe_says_when_nobody_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.yaml"
    with refusing_port() as port:
        path.write_text(FILE.replace("127.0.0.1:9", f"127.0.0.1:{port}"))
        assert cli.run(["targets", "show", "mine", "--probe", "--targets", str(path)]) == 4
    assert "could not be reached" in capsys.readouterr().err


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["targets", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "targets.yaml"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["targets", "show", "mien"], 2, "unknown target `mien`; did you mean `mine`?"),
        (["targets", "--targets", "nope.yaml"], 2, "nope.yaml: cannot be read"),
        (["stack", "up", "mine"], 2, "mine: this target is not started by us: it has no `launch`"),
        (["stack", "serve", "--fault", "no_such_fault"], 2, "no_such_fault"),
        (["nope"], 2, "No such command 'nope'"),
        (["targets", "--nope"], 2, "No such option"),
    ],
)
def test_a_mistake_is_told_without_a_traceback(
    arguments: list[str],
    code: int,
    said: str,
    file: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(Path(file).parent)
    assert cli.run(arguments) == code
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_an_error_of_ours_has_its_own_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Path) -> Any:
        raise ZeroDivisionError("our own")

    monkeypatch.setattr(cli, "_load", broken)
    assert cli.run(["targets"]) == 3
    assert "ZeroDivisionError: our own" in capsys.readouterr().err


def test_stacks_are_started_by_kind_and_by_target(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gateproof import launch  # noqa: PLC0415 - as the command does

    calls: list[tuple[str, str | None]] = []

    def up(kind: str, target: Any = None) -> Any:
        calls.append((kind, target and target.name))
        return launch.Launched(kind=kind, base_url="http://127.0.0.1:7", keys={"admin": "sk-hunter2"})

    monkeypatch.setattr(launch, "up", up)
    monkeypatch.setattr(launch, "down", lambda kind: kind == "vllm")
    monkeypatch.setattr(launch, "status", dict)
    assert cli.run(["stack", "up", "vllm"]) == 0
    assert cli.run(["stack", "up", "local", "--targets", file]) == 0
    assert calls == [("vllm", None), ("reference", "local")]
    assert cli.run(["stack", "down", "vllm"]) == 0
    assert cli.run(["stack", "status"]) == 0
    out = capsys.readouterr().out
    assert "reference: http://127.0.0.1:7" in out
    assert "vllm: down" in out
    assert "nothing is up" in out
    assert "hunter2" not in out


def test_a_stack_that_does_not_start_exits_with_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gateproof import launch  # noqa: PLC0415 - as the command does

    def up(kind: str) -> Any:
        raise LaunchError(f"{kind} did not start")

    monkeypatch.setattr(launch, "up", up)
    assert cli.run(["stack", "up", "vllm"]) == 4
    assert capsys.readouterr().err == "vllm did not start\n"


def test_faults_are_listed() -> None:
    assert cli.run(["stack", "faults"]) == 0


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"gateproof {__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    """What a command needs is imported by it alone, so that every other one starts at once."""
    code = (
        "import sys\nfrom gateproof.cli import run\nrun(['--help'])\n"
        "print([name for name in ('pydantic', 'httpx', 'yaml', 'uvicorn', 'pytest') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
