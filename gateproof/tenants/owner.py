"""Whose keys are these: a run holds a lock for as long as it lives, and the names of what it makes say which lock.

The lock is the system's (flock): it goes with its process, however that ends, and no number can be mistaken for
another's. Who shares no such folder with the run - another user, another machine - cannot tell, and goes by age.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PREFIX = "gateproof-"
"""How the names of all that we make begin."""

MARK_DIGITS = 8
KEPT = 86_400.0  # s; a lock file of a run that was killed is of no use to anybody after its keys have expired
_IDENTITY = "identity"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_RUN = re.compile(rf"{re.escape(PREFIX)}(([0-9a-f]+)-([0-9a-f]{{{MARK_DIGITS}}})-[0-9a-f]{{6}})-")
_ANY_RUN = re.compile(rf"{re.escape(PREFIX)}([0-9a-f]+)-")


@dataclass(frozen=True, slots=True)
class Stake:
    """A run's claim on what it makes, until it is released or its process ends."""

    run_id: str
    _lock: IO[str] | None = None

    def release(self) -> None:
        if self._lock is not None:
            with contextlib.suppress(OSError):
                Path(self._lock.name).unlink()
            self._lock.close()


def state_folder() -> Path:
    """$GATEPROOF_STATE, else the user's folder for state (XDG Base Directory Specification)."""
    if named := os.environ.get("GATEPROOF_STATE"):
        return Path(named).expanduser().absolute()
    given = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(given).absolute() / "gateproof"


def stake() -> Stake:
    """A new run: its id is sortable, unguessable, and tells when and where it began."""
    folder = state_folder() / "runs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        run_id = _run_id(_mark(folder))
        _forget_the_dead(folder)
        lock = (folder / run_id).open("x")
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError:  # nowhere to write: then nobody can tell, and our keys are left to their age
        return Stake(_run_id(secrets.token_hex(MARK_DIGITS // 2)))
    return Stake(run_id, lock)


def lives(name: str) -> bool | None:
    """Whether the run that made something of this name still lives; None when it cannot be told from here."""
    run = _RUN.match(name)
    folder = state_folder() / "runs"
    try:
        if run is None or run[3] != _mark(folder):
            return None
        return _held(folder / run[1])
    except OSError:
        return None


def started(name: str) -> float | None:
    """When the run that made it began, on its own wall clock; None for a name that is not ours."""
    run = _ANY_RUN.match(name)
    return None if run is None else float(int(run[1], 16))


def _run_id(mark: str) -> str:
    return f"{int(time.time()):x}-{mark}-{secrets.token_hex(3)}"


def _held(file: Path) -> bool:
    try:
        with file.open() as lock:
            # shared, so that two who ask at once do not take each other for the owner
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _mark(folder: Path) -> str:
    """This folder, on this running kernel: a copy of it elsewhere, or one made anew, is another."""
    boot = _BOOT.read_text() if _BOOT.exists() else platform.node()
    place = folder.stat()
    text = f"{boot} {place.st_dev} {place.st_ino} {_identity(folder)}"
    return hashlib.sha256(text.encode()).hexdigest()[:MARK_DIGITS]


def _identity(folder: Path) -> str:
    file = folder.with_name(_IDENTITY)
    with contextlib.suppress(FileNotFoundError):
        return file.read_text()
    own = file.with_name(f"{_IDENTITY}.{os.getpid()}")
    own.write_text(secrets.token_hex())
    with contextlib.suppress(FileExistsError):  # somebody beside us was first
        os.link(own, file)
    own.unlink()
    return file.read_text()


def _forget_the_dead(folder: Path) -> None:
    for file in folder.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - file.stat().st_mtime > KEPT and not _held(file):
                file.unlink()
