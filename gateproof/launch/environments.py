"""Installed once, kept, and used again until a pin changes: virtual environments and node_modules.

Beside each one lies a stamp with the digest of its pins. An environment without a stamp is taken over
when the versions installed in it are the pinned ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateproof.errors import LaunchError
from gateproof.launch.folders import locked, say

DATA = Path(__file__).with_name("data")

_STAMP = ".gateproof-pins"
_PYTHON = (3, 11)  # the version that the pins were frozen with
_SHOWN_LINES = 12  # of an installer's output when it fails
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)")


@dataclass(frozen=True, slots=True)
class Environment:
    """What to install where, and what to say about it."""

    folder: Path  # holds the virtual environment, or `node_modules`
    pins: Path  # a requirements file, or a folder with package.json and package-lock.json
    what: str  # "LiteLLM 1.106.2"
    seconds: int  # measured on 2 cores
    hint: str = ""  # what to do when it cannot be installed


def python_environment(environment: Environment) -> Path:
    """The interpreter of the environment, installed if need be."""
    python = environment.folder / "bin" / "python"
    _ensure(
        environment,
        _digest(environment.pins),
        matches=lambda: _python_matches(python, environment.pins),
        install=lambda: _install_python(environment),
    )
    return python


def node_modules(environment: Environment) -> Path:
    """The folder `node_modules`, installed if need be."""
    modules = environment.folder / "node_modules"
    lock = environment.pins / "package-lock.json"
    _ensure(
        environment,
        _digest(lock),
        matches=lambda: _node_matches(modules, lock),
        install=lambda: _install_node(environment),
    )
    return modules


def site_packages(python: Path) -> Path:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    out = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    return Path(out.strip())


def node() -> Path:
    return _program("node", "Node.js 20 or newer is needed for this stack")


def run_installer(
    command: Sequence[str | Path], log: Path, *, failed: str, env: Mapping[str, str] | None = None
) -> None:
    """Run a command of the installation with our own environment (PIP_*, proxies); its output goes to `log`."""
    with log.open("ab") as file:
        done = subprocess.run(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            check=False, env={**os.environ, **(env or {})},
        )  # fmt: skip
    if done.returncode != 0:
        tail = "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:])
        raise LaunchError(f"{failed}; the end of {log}:\n{tail}")


def _ensure(environment: Environment, digest: str, *, matches: Callable[[], bool], install: Callable[[], None]) -> None:
    stamp = environment.folder / _STAMP
    if _stamped(stamp, digest):
        return
    with locked(environment.folder.parent / ".install.lock", waiting_for=f"installing {environment.what}"):
        if _stamped(stamp, digest):
            return  # by the start that we waited for
        if not matches():
            say(f"installing {environment.what} into {environment.folder} (about {environment.seconds} s, once)")
            install()
        stamp.write_text(digest)


def _stamped(stamp: Path, digest: str) -> bool:
    return stamp.is_file() and stamp.read_text() == digest


def _digest(pins: Path) -> str:
    return hashlib.sha256(pins.read_bytes()).hexdigest()


def _install_python(environment: Environment) -> None:
    shutil.rmtree(environment.folder, ignore_errors=True)
    environment.folder.parent.mkdir(parents=True, exist_ok=True)
    log = environment.folder.parent / "install.log"
    log.unlink(missing_ok=True)
    failed = f"{environment.what} cannot be installed" + (f" ({environment.hint})" if environment.hint else "")
    run_installer([_interpreter(), "-m", "venv", environment.folder], log, failed=failed)
    python = environment.folder / "bin" / "python"
    options = ["--quiet", "--disable-pip-version-check", "--no-deps"]
    run_installer([python, "-m", "pip", "install", *options, "-r", environment.pins], log, failed=failed)


def _interpreter() -> Path:
    if sys.version_info[:2] == _PYTHON:
        return Path(sys.executable)
    name = "python{}.{}".format(*_PYTHON)
    return Path(shutil.which(name) or sys.executable)


def _python_matches(python: Path, pins: Path) -> bool:
    if not python.exists():
        return False
    code = "import json, importlib.metadata as m; print(json.dumps([[d.name, d.version] for d in m.distributions()]))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return False
    installed = {(_normal(name), version) for name, version in json.loads(done.stdout)}
    return set(pinned(pins).items()) <= installed


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _install_node(environment: Environment) -> None:
    npm = _program("npm", "npm is needed to install this stack")
    folder = environment.folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        (folder / name).unlink(missing_ok=True)  # it may be read-only
        shutil.copyfile(environment.pins / name, folder / name)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    run_installer(
        [npm, "ci", "--prefix", folder, *options],
        folder / "install.log",
        failed=f"{environment.what} cannot be installed",
    )


def _node_matches(modules: Path, lock: Path) -> bool:
    """npm writes what it installed into node_modules/.package-lock.json."""
    try:
        installed = json.loads((modules / ".package-lock.json").read_text())["packages"]
    except (OSError, ValueError, KeyError):
        return False
    wanted = json.loads(lock.read_text())["packages"]
    return all(
        installed.get(path, {}).get("version") == package["version"]
        for path, package in wanted.items()
        if path and not package.get("optional")
    )


def _program(name: str, problem: str) -> Path:
    path = shutil.which(name)
    if path is None:
        raise LaunchError(f"{problem}: `{name}` is not on PATH")
    return Path(path)


def pinned(requirements: Path) -> dict[str, str]:
    """The versions in a requirements file, by normal name."""
    return {_normal(pin[1]): pin[2] for line in requirements.read_text().splitlines() if (pin := _PIN.match(line))}
