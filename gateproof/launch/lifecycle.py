"""From a plan to a running stack, and back to nothing."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateproof.launch import folders, process
from gateproof.launch.from_target import from_target
from gateproof.launch.kinds import KINDS, starter
from gateproof.launch.launched import Launched
from gateproof.launch.plan import Plan, from_options
from gateproof.launch.process import Crew
from gateproof.targets.model import Target


def launch(target: Target, *, cache: Path | None = None) -> Launched:
    """Start what the target says; it ends with `.stop()` or with this process (if killed: at the next start)."""
    return _start(from_target(target), cache)


def up(
    kind: str, options: Mapping[str, Any] | None = None, *, target: Target | None = None, cache: Path | None = None
) -> Launched:
    """Start it so that it outlives this process; `down(kind)` ends it. A target tells its tenants and models."""
    plan = from_options(kind, options or {}) if target is None else from_target(target, options)
    return _start(replace(plan, kind=kind, detached=True), cache)


def down(kind: str, *, cache: Path | None = None) -> bool:
    """End what `up` started; False when nothing of this kind was up."""
    starter(kind)
    crew = _up_crew(kind, cache)
    if crew is None:
        return False
    folders.close_run(crew)
    return True


def status(*, cache: Path | None = None) -> dict[str, Launched]:
    """What is up, by kind."""
    return {kind: launched for kind in KINDS if (launched := _up(kind, cache)) is not None}


def _start(plan: Plan, cache: Path | None) -> Launched:
    start = starter(plan.kind)
    kind_dir = folders.kind_folder(plan.kind, cache)
    crew = folders.open_run(kind_dir, detached=plan.detached)
    stop = _once(lambda: folders.close_run(crew))
    atexit.register(stop)
    try:
        launched = _described(start(crew, plan, kind_dir), crew, stop)
    except BaseException:
        stop()
        raise
    if plan.detached:
        state = crew.folder / "state.json"
        state.touch(mode=0o600)  # it holds keys
        state.write_text(launched.to_json())
        folders.detach(crew.folder)
        atexit.unregister(stop)
    return launched


def _described(launched: Launched, crew: Crew, stop: Callable[[], None]) -> Launched:
    pids = " ".join(f"{one.name}={one.identity.pid}" for one in crew.processes)
    logs = list(dict.fromkeys(one.log for one in crew.processes))
    return replace(launched, env={"folder": str(crew.folder), "pids": pids}, logs=logs, _stop=stop)


def _once(action: Callable[[], None]) -> Callable[[], None]:
    """Only the first call does it, and only in the process that started the stack, not in its forks."""
    lock, owner, done = threading.Lock(), os.getpid(), False

    def stop() -> None:
        nonlocal done
        if os.getpid() != owner:
            return
        with lock:
            if not done:
                action()
                done = True
        atexit.unregister(stop)

    return stop


def _up_crew(kind: str, cache: Path | None) -> Crew | None:
    folder = folders.cache_folder(cache) / kind / "run" / folders.DETACHED
    return process.recorded(folder) if folder.is_dir() else None


def _up(kind: str, cache: Path | None) -> Launched | None:
    crew = _up_crew(kind, cache)
    if crew is None or not any(one.runs() for one in crew.processes):
        return None
    try:
        text = (crew.folder / "state.json").read_text()
    except OSError:
        return None  # still starting
    known = Launched.from_json(text, _once(lambda: folders.close_run(crew)))
    dead = " ".join(one.name for one in crew.processes if not one.runs())
    return replace(known, env=known.env | {"dead": dead}) if dead else known
