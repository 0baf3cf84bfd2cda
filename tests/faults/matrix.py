"""Run the packs against the reference stack, once healthy and once per fault.

A fault is put on a running stack through its control ports. The healthy run records, for every place in the stack
where a fault is hooked in, which requirements' requests reach it; a fault is then run against those requirements and
the ones that it must break. What never reaches a hook cannot be changed by it, so the rest of the map need not be run.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from gateproof.launch import Launched, launch
from gateproof.stack.faults import FAULTS, Fault
from gateproof.targets.loader import load_targets

ROOT = Path(__file__).parents[2]
# Most of a run is waiting for windows and streams, so more runs than cores fit, until timing itself suffers.
AT_ONCE = int(os.environ.get("GATEPROOF_FAULT_RUNS", "4"))
# Plugins that a run of one process does not use: not importing them saves a second of CPU, some 160 times.
WITHOUT = ("-p", "no:xdist", "-p", "no:hypothesispytest", "-p", "no:anyio")
RUN_LIMIT = 300.0  # s; a hang guard, not a claim on speed

Verdicts = dict[str, str]
Messages = dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """Verdict and message of each requirement of one run."""

    verdicts: Verdicts
    messages: Messages


@dataclass(frozen=True)
class Matrix:
    healthy: Outcome
    reached: dict[str, set[str]]
    faulty: dict[str, Outcome]


class Stack:
    """A reference stack of our own, and the packs run against it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.launched: Launched = launch(load_targets(ROOT / "targets.yaml").get("local"))
        self.controls = [*self.launched.upstream_control, self.launched.gateway_control]
        self.targets = folder / "targets.yaml"
        wired = {
            "base_url": self.launched.base_url,
            "launch": None,
            "upstream": {"control": list(self.launched.upstream_control)},
            "capabilities": {"k8s.chaos": True},  # declared by itself only where the run launches the stack
        }
        self.targets.write_text(
            (ROOT / "targets.yaml").read_text() + f"\n  faulty: {json.dumps({'extends': 'local', **wired})}\n"
        )

    def wear(self, *names: str) -> None:
        for control in self.controls:
            httpx.put(f"{control}/faults", json={"names": names}, trust_env=False).raise_for_status()

    def trace(self) -> dict[str, set[str]]:
        reached: dict[str, set[str]] = {}
        for control in self.controls:
            for fault, ids in httpx.get(f"{control}/faults", trust_env=False).json()["reached"].items():
                reached.setdefault(fault, set()).update(ids)
        return reached

    def run(self, name: str, only: Iterable[str] = ()) -> Outcome:
        reports = self.folder / name
        command = [
            sys.executable,
            "-m",
            "pytest",
            # One word each: pytest looks for its root in whatever looks like a path before it knows our options.
            "--target=faulty",
            f"--targets={self.targets}",
            f"--report-dir={reports}",
            "-q",
            *WITHOUT,
        ]
        command += [f"--requirement={','.join(sorted(only))}"] if only else []
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_LIMIT, check=False)
        file = reports / "faulty" / "conformance" / "latest" / "report.json"
        if not file.exists():
            raise RuntimeError(
                f"{name}: no report (exit {done.returncode})\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            )
        results: list[dict[str, Any]] = json.loads(file.read_text())["requirements"]
        return Outcome({r["id"]: r["verdict"] for r in results}, {r["id"]: r["message"] for r in results})

    def close(self) -> None:
        self.launched.stop()


def play(names: Iterable[str]) -> Matrix:
    """Run the healthy stack in full and each named fault where it can be felt."""
    with TemporaryDirectory(prefix="gateproof-faults-") as folder:
        stacks: queue.Queue[Stack] = queue.Queue()
        made = [Stack(Path(folder, str(number))) for number in range(AT_ONCE)]
        try:
            healthy = made[0].run("healthy")
            reached = made[0].trace()
            for stack in made:
                stacks.put(stack)

            def one(fault: Fault) -> Outcome:
                stack = stacks.get()
                try:
                    stack.wear(fault.name)
                    return stack.run(fault.name, only={*reached.get(fault.name, ()), *fault.breaks, *fault.clouds})
                finally:
                    stack.wear()
                    stacks.put(stack)

            faults = [FAULTS[name] for name in names]
            with ThreadPoolExecutor(AT_ONCE) as pool:
                outcomes = list(pool.map(one, faults))
        finally:
            for stack in made:
                stack.close()
    return Matrix(healthy, reached, {fault.name: outcome for fault, outcome in zip(faults, outcomes, strict=True)})
