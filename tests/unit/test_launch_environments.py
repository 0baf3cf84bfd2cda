"""Installed environments: used again while their pins hold, taken over when they are right, made anew when not."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest

from gateproof.errors import LaunchError
from gateproof.launch import environments, folders
from gateproof.launch.environments import DATA, Environment

PORTKEY_LOCK = DATA / "portkey" / "package-lock.json"


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text("# nothing\n")
    return file


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been installed."""
    done: list[str] = []

    def install(environment: Environment) -> None:
        environment.folder.mkdir(parents=True, exist_ok=True)
        done.append(environment.what)

    monkeypatch.setattr(environments, "_install_python", install)
    monkeypatch.setattr(environments, "_install_node", install)
    return done


def test_a_ready_environment_is_used_again(
    tmp_path: Path, pins: Path, installs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = Environment(tmp_path / "venv", pins, "Thing 1.0", 70)
    python = environments.python_environment(wanted)
    assert python == tmp_path / "venv" / "bin" / "python"
    environments.python_environment(wanted)
    assert installs == ["Thing 1.0"]
    assert capsys.readouterr().err == f"gateproof: installing Thing 1.0 into {tmp_path / 'venv'} (about 70 s, once)\n"


def test_a_changed_pin_makes_it_anew(tmp_path: Path, pins: Path, installs: list[str]) -> None:
    wanted = Environment(tmp_path / "venv", pins, "Thing", 1)
    environments.python_environment(wanted)
    pins.write_text("thing==2.0\n")
    environments.python_environment(wanted)
    assert len(installs) == 2


def test_node_modules_with_the_pinned_versions_are_taken_over(tmp_path: Path, installs: list[str]) -> None:
    installed = tmp_path / "node_modules" / ".package-lock.json"
    installed.parent.mkdir()
    packages = json.loads(PORTKEY_LOCK.read_text())["packages"]
    installed.write_text(json.dumps({"packages": {path: package for path, package in packages.items() if path}}))
    environments.node_modules(Environment(tmp_path, DATA / "portkey", "Portkey", 5))
    assert installs == []


def test_node_modules_with_another_version_are_not(tmp_path: Path, installs: list[str]) -> None:
    installed = tmp_path / "node_modules" / ".package-lock.json"
    installed.parent.mkdir()
    installed.write_text('{"packages": {"node_modules/hono": {"version": "0.0.1"}}}')
    environments.node_modules(Environment(tmp_path, DATA / "portkey", "Portkey", 5))
    assert installs == ["Portkey"]


def test_two_starts_install_once(tmp_path: Path, pins: Path, installs: list[str]) -> None:
    wanted = Environment(tmp_path / "venv", pins, "Thing", 1)
    starts = [threading.Thread(target=environments.python_environment, args=(wanted,)) for _ in range(4)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert installs == ["Thing"]


def test_a_failed_installation_says_what_to_do(tmp_path: Path) -> None:
    log = tmp_path / "install.log"
    with pytest.raises(LaunchError, match=r"(?s)cannot be installed \(do this\).*no such wheel"):
        environments.run_installer(
            ["/bin/sh", "-c", "echo no such wheel; exit 1"], log, failed="X cannot be installed (do this)"
        )


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GATEPROOF_CACHE", str(tmp_path / "named"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert folders.cache_folder() == tmp_path / "named"
    assert folders.cache_folder(tmp_path / "given") == tmp_path / "given"
    monkeypatch.delenv("GATEPROOF_CACHE")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert folders.cache_folder() == tmp_path / "xdg" / "gateproof"


def test_an_unwritable_cache_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LaunchError, match="choose another with GATEPROOF_CACHE"):
        folders.kind_folder("vllm", tmp_path / "file")


@pytest.mark.parametrize("kind", ["litellm", "portkey", "vllm"])
def test_shipped_pins_name_exact_versions_and_no_address(kind: str) -> None:
    for file in DATA.joinpath(kind).rglob("*"):
        if file.name.endswith(".txt"):
            lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
            assert all(re.fullmatch(r"[A-Za-z0-9._-]+==\S+", line) for line in lines), file
        if file.name.startswith("package"):
            assert "://" not in re.sub(r'"url": "[^"]*"', "", file.read_text()), file
