"""A run as its folder and its facts: what the process that started it knows, and what it writes at the end."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gateproof
from gateproof.load import report
from gateproof.load.analysis import Numbers, numbers
from gateproof.load.log import FOLDER, Rows, read_log
from gateproof.load.plan import schedule_of
from gateproof.load.profile import Profile
from gateproof.load.schedule import Schedule
from gateproof.load.verdict import Belief, WorkerSelf, belief
from gateproof.targets.model import Target

FACTS = "run.json"


@dataclass
class LoadRun:
    """``folder`` is ``reports/<target>/load/<stamp>``, and ``latest`` beside it points there."""

    folder: Path
    target: Target
    profile: Profile
    schedule: Schedule
    workers: int
    started: dt.datetime
    versions: Mapping[str, str] = field(default_factory=dict)
    selves: dict[int, WorkerSelf] = field(default_factory=dict)

    @classmethod
    def create(cls, root: Path, target: Target, profile: Profile, workers: int, **more: Any) -> LoadRun:
        started = dt.datetime.now(dt.UTC)
        base = root / target.name / "load"
        folder = base / started.strftime("%Y%m%dT%H%M%S.%fZ")
        (folder / FOLDER).mkdir(parents=True)
        run = cls(folder, target, profile, schedule_of(profile)[0], workers, started, **more)
        (folder / FACTS).write_text(json.dumps(run.about(), indent=1) + "\n")
        latest = base / "latest"
        latest.unlink(missing_ok=True)
        latest.symlink_to(folder.name)
        return run

    def about(self) -> dict[str, Any]:
        """What it was, without a secret: keys are references in the target, and headers are left out."""
        return {
            "target": {"name": self.target.name, "url": self.target.root_url, "dialect": self.target.stack},
            "versions": dict(self.versions),
            "profile": self.profile.model_dump(mode="json"),
            "seed": self.profile.seed,
            "schedule": self.schedule.digest,
            "workers": self.workers,
            "suite": {"version": gateproof.__version__},
            "machine": machine(),
            "started": self.started.isoformat(),
        }

    def finish(self) -> dict[str, Any]:
        """Read the log, judge, write the report."""
        rows = read_log(self.folder)
        counted = numbers(rows, self.schedule.phases)
        told = report.report(
            {**self.about(), "ended": dt.datetime.now(dt.UTC).isoformat()},
            counted,
            self._phases(rows),
            self._belief(rows, counted),
        )
        report.write(self.folder, told)
        return told

    def _belief(self, rows: Rows, counted: Numbers) -> Belief:
        return belief(
            self.profile.trust,
            len(self.schedule),
            rows,
            counted,
            list(self.selves.values()),
            self.workers,
            closed=self.profile.arrivals.kind == "closed",
        )

    def _phases(self, rows: Rows) -> dict[str, Numbers]:
        names: Sequence[str] = [phase.name for phase in self.schedule.phases]
        return {name: numbers(rows, self.schedule.phases, only=[number]) for number, name in enumerate(names)}


def machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "usable_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
