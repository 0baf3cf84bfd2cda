"""Starting our own engines and gateway: `python -m gateproof.stack`, configured by one line on its stdin.

It ends when its stdin ends, so it cannot outlive us. A detached one holds the writing end of its stdin
itself, and ends only when it is told to.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gateproof
from gateproof.errors import LaunchError
from gateproof.launch.process import Crew, Process, environment

READY_WITHIN = 30.0  # s; 1 to 2 s on an idle machine
NAME = "stack"


def start(crew: Crew, config: Mapping[str, Any], *, detached: bool) -> dict[str, Any]:
    """Give its ready line: {"gateway": url, "gateway_control": url, "engines": {NAME: {"url", "control"}}}."""
    out = crew.folder / f"{NAME}.ready"
    process = start_told(crew, NAME, ["-m", "gateproof.stack"], config, out=out, detached=detached)
    crew.wait_until(process, lambda: b"\n" in out.read_bytes(), within=READY_WITHIN)
    line = out.read_bytes().partition(b"\n")[0]
    try:
        ready = json.loads(line)
    except ValueError:
        ready = None
    if not isinstance(ready, dict):
        problem = f"{NAME} said {line[:100]!r} instead of where it listens"
        raise LaunchError(crew.with_tail(problem, process.log))
    return ready


def start_told(
    crew: Crew, name: str, arguments: Sequence[str], told: Mapping[str, Any], *, detached: bool, out: Path | None = None
) -> Process:
    """A Python process of ours that is told its settings on standard input, and ends with it."""
    reading, writing = os.pipe()
    crew.held.append(writing)  # open until the end, or until we die
    try:
        process = crew.start(
            name,
            [sys.executable, *arguments],
            env=environment(PYTHONPATH=str(Path(gateproof.__file__).parents[1]), PYTHONUNBUFFERED="1"),
            stdin=reading,
            out=out,
            keep=[writing] if detached else [],
        )
    finally:
        os.close(reading)
    with contextlib.suppress(BrokenPipeError):  # it has ended: waiting for it tells why
        os.write(writing, json.dumps(dict(told)).encode() + b"\n")
    return process


def controls(ready: Mapping[str, Any]) -> list[str]:
    return [str(engine["control"]) for engine in ready["engines"].values()]


def engine_urls(ready: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(engine["url"]) for name, engine in ready["engines"].items()}
