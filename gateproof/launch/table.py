"""What the system says about one process: only for processes that we started ourselves.

A pid alone may belong to a stranger by now; together with its start time it is an identity.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
# Fields of /proc/PID/stat after the command name (proc_pid_stat(5), counted from field 3).
_STATE, _GROUP, _STARTED = 0, 2, 19


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same pid."""

    pid: int
    started: str


@dataclass(frozen=True, slots=True)
class _Entry:
    state: str
    group: int
    started: str


def identity(pid: int) -> Identity | None:
    """Who has this pid now; nobody if it has ended, reaped or not."""
    entry = _entry(pid)
    return None if entry is None or entry.state.startswith("Z") else Identity(pid, entry.started)


def runs(process: Identity) -> bool:
    return identity(process.pid) == process


def me() -> Identity:
    mine = identity(os.getpid())
    assert mine is not None, "this process runs"
    return mine


def group_runs(leader: Identity) -> bool:
    """Does anything of the group run that this process leads or led; what has ended but is not reaped does not."""
    now = _entry(leader.pid)
    if now is not None and now.started != leader.started:
        return False  # a stranger leads a group of this number: ours is gone, the system reuses no number in use
    return any(entry.group == leader.pid and not entry.state.startswith("Z") for entry in _all())


def _entry(pid: int) -> _Entry | None:
    if _PROC.joinpath("self/stat").exists():
        return _from_proc(pid)
    entries = _from_ps("-p", str(pid))
    return entries[0] if entries else None


def _all() -> list[_Entry]:
    if _PROC.joinpath("self/stat").exists():
        found = (_from_proc(int(path.name)) for path in _PROC.iterdir() if path.name.isdecimal())
        return [entry for entry in found if entry is not None]
    return _from_ps("-A")


def _from_proc(pid: int) -> _Entry | None:
    try:
        line = _PROC.joinpath(str(pid), "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = line.rpartition(")")[2].split()  # the name before it may hold blanks and brackets
    return _Entry(fields[_STATE], int(fields[_GROUP]), fields[_STARTED])


def _from_ps(*which: str) -> list[_Entry]:
    command = ["ps", "-o", "stat=,pgid=,lstart=", *which]
    out = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}).stdout
    rows = (line.split(maxsplit=2) for line in out.splitlines())
    return [_Entry(state, int(group), started.strip()) for state, group, started in rows]
