"""Where stacks are kept: the cache folder, and in it one folder per launch.

CACHE/KIND/             installed once: venv, node_modules, model ...
CACHE/KIND/run/NAME/    one launch: logs, data, who was started, who owns it
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from gateproof.errors import LaunchError
from gateproof.launch import process, table
from gateproof.launch.process import Crew

DETACHED = "up"  # the launch of this name outlives the process that started it
_KEPT_LOGS = 5  # ended launches per kind whose logs are kept for a later look


def cache_folder(given: Path | None = None) -> Path:
    """The given one, $GATEPROOF_CACHE, for root /var/cache/gateproof, else the user's cache folder.

    Root needs a folder that every user may pass through: PostgreSQL runs as a user of its own.
    """
    if given is not None:
        return given.expanduser().absolute()
    if named := os.environ.get("GATEPROOF_CACHE"):
        return Path(named).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/gateproof")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "gateproof"


def kind_folder(kind: str, cache: Path | None = None) -> Path:
    folder = cache_folder(cache) / kind
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LaunchError(f"cannot write {folder} ({error.strerror}); choose another with GATEPROOF_CACHE") from error
    return folder


@contextmanager
def locked(file: Path, *, waiting_for: str) -> Iterator[None]:
    """Hold the lock file; say once that we wait. The system releases it when its holder dies."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another start ({waiting_for})")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    print(f"gateproof: {line}", file=sys.stderr, flush=True)


def open_run(kind_dir: Path, *, detached: bool) -> Crew:
    """A new launch's folder, after ending what dead owners left behind."""
    runs = kind_dir / "run"
    with locked(runs / ".lock", waiting_for="ending leftovers"):
        _sweep(runs)
        folder = runs / (DETACHED if detached else _new_name(runs))
        if folder.exists():
            raise LaunchError(f"{kind_dir.name} is up already: `gateproof stack down {kind_dir.name}` ends it")
        folder.mkdir()
        (folder / "owner.json").write_text(json.dumps(asdict(table.me())))
    return Crew(folder)


def _new_name(runs: Path) -> str:
    count = 0
    while (runs / f"{os.getpid()}-{count}").exists():
        count += 1
    return f"{os.getpid()}-{count}"


def detach(folder: Path) -> None:
    """From now on the launch has no owner to die: it lasts until it is taken down."""
    (folder / "owner.json").write_text("null")


def close_run(crew: Crew) -> None:
    """End its processes; keep its logs, drop its data and its keys."""
    crew.end()
    shutil.rmtree(crew.folder / "data", ignore_errors=True)
    for name in ("owner.json", "state.json"):
        (crew.folder / name).unlink(missing_ok=True)
    if crew.folder.name == DETACHED:
        crew.folder.rename(crew.folder.with_name(_new_name(crew.folder.parent)))


def _sweep(runs: Path) -> None:
    ended = []
    for folder in sorted((path for path in runs.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime):
        if _owned(folder):
            continue
        crew = process.recorded(folder)
        if any(left.group_runs() for left in crew.processes):
            say(f"ending {', '.join(left.name for left in crew.processes)}, left over from a run that was killed")
        close_run(crew)
        if folder.exists():
            ended.append(folder)
    for folder in ended[:-_KEPT_LOGS]:
        shutil.rmtree(folder, ignore_errors=True)


def _owned(folder: Path) -> bool:
    """Does the owner run, or, of a detached launch, any of its processes."""
    try:
        owner = json.loads((folder / "owner.json").read_text())
    except (OSError, ValueError):
        return False
    if owner is None:
        return any(left.runs() for left in process.recorded(folder).processes)
    return table.runs(table.Identity(**owner))
