"""A run as its folder and its facts: what the process that started it knows, and what it writes at the end."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.compute as pc  # type: ignore[import-untyped]  # no types

import gateproof
from gateproof.errors import ConfigError
from gateproof.load import comparison, report
from gateproof.load.analysis import Numbers, numbers
from gateproof.load.beside import beside
from gateproof.load.fidelity import fidelity
from gateproof.load.log import FOLDER, Rows, read_log, short
from gateproof.load.plan import bound_of, interleaved_of, schedule_of
from gateproof.load.profile import Profile
from gateproof.load.schedule import Schedule
from gateproof.load.selves import read_selves
from gateproof.load.verdict import Belief, WorkerSelf, belief
from gateproof.targets.model import Target

FACTS = "run.json"


@dataclass
class LoadRun:
    """``folder`` is ``reports/<target>/load/<stamp>``, and ``latest`` beside it points there.

    ``facts`` are what ``run.json`` holds, ``missing`` what a report should say that it lacks.
    """

    folder: Path
    facts: Mapping[str, Any]
    profile: Profile
    schedule: Schedule
    workers: int
    selves: dict[int, WorkerSelf] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    reopened: bool = False

    @classmethod
    def create(
        cls,
        root: Path,
        target: Target,
        profile: Profile,
        workers: int,
        *,
        prompts: Sequence[Mapping[str, Any]] = (),
        versions: Mapping[str, str] | None = None,
        command: str | None = None,
    ) -> LoadRun:
        """A new folder; ``prompts`` says of each part of the mix how its tokens were counted."""
        started = dt.datetime.now(dt.UTC)
        base = root / target.name / "load"
        folder = base / started.strftime("%Y%m%dT%H%M%S.%fZ")
        (folder / FOLDER).mkdir(parents=True)
        schedule = schedule_of(profile)[0]
        # without a secret: keys are references in the target, and headers are left out
        facts = {
            "target": {
                "name": target.name,
                "url": target.root_url,
                "dialect": target.stack,
                "description": target.description or None,
                "versions": dict(versions or {}),
            },
            "profile": profile.model_dump(mode="json"),
            "seed": profile.seed,
            "schedule": schedule.digest,
            "workers": workers,
            "prompts": [dict(each) for each in prompts],
            "suite": {"version": gateproof.__version__, "command": command},
            "machine": machine(),
            "bound": dataclasses.asdict(bound_of(profile)),
            "started": started.isoformat(),
        }
        (folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        make_latest(folder)
        return cls(folder, facts, profile, schedule, workers)

    @classmethod
    def reopen(cls, folder: Path) -> LoadRun:
        """A run whose master wrote no report: from its facts, and what its workers left."""
        file = folder / FACTS
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
            profile = Profile.model_validate(facts["profile"])
            workers, digest, _ = int(facts["workers"]), str(facts["schedule"]), facts["bound"]
        except OSError as error:
            raise ConfigError(f"no folder of a run: {error.strerror}", file=file) from None
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"not the facts of a run: {short(error)}", file=file) from None
        schedule = schedule_of(profile)[0]
        missing = [] if schedule.digest == digest else ["the schedule cannot be made again: other files or versions"]
        left = read_selves(folder / FOLDER, workers)
        return cls(folder, facts, profile, schedule, workers, left.selves, (*missing, *left.missing), reopened=True)

    def finish(self) -> dict[str, Any]:
        """Read the log, judge, write the report."""
        rows = every = read_log(self.folder)
        if (both := interleaved_of(self.profile)) is not None:
            rows = comparison.through_gateway(every, both)
        counted = numbers(rows, self.schedule.phases)
        aside = beside(self.folder, rows, self.schedule.phases, self.profile.trust)
        told = report.report(
            {**self._about(every), "ended": self._ended(rows)},
            counted,
            self._phases(rows),
            self._belief(every, counted).and_also(aside.void, aside.notes),
        )
        told |= aside.told
        if both is not None:
            told["overhead"] = comparison.told(comparison.compared(every, both))
        return report.write(self.folder, told)

    def _about(self, rows: Rows) -> dict[str, Any]:
        """The facts, and what became of what they planned."""
        facts = dict(self.facts)
        bound = facts.pop("bound")
        table = rows.table
        spent = {
            "requests": table.num_rows - table["dispatched"].null_count,
            "tokens": sum(int(pc.sum(table[name]).as_py() or 0) for name in ("prompt_tokens", "completion_tokens")),
            "of_requests": bound["requests"],
            "of_tokens": bound["tokens"],
        }
        return {**facts, "prompts": fidelity(rows, facts["prompts"]), "spent": spent}

    def _ended(self, rows: Rows) -> str | None:
        """Of a run that nobody saw the end of: when its last answer had come."""
        if not self.reopened:
            return dt.datetime.now(dt.UTC).isoformat()
        last = pc.max(rows.table["ended"]).as_py()
        if last is None:
            return None
        return (dt.datetime.fromisoformat(self.facts["started"]) + dt.timedelta(microseconds=last // 1000)).isoformat()

    def _belief(self, rows: Rows, counted: Numbers) -> Belief:
        believed = belief(
            self.profile.trust,
            len(self.schedule) * self.profile.workload.turns,
            rows,
            counted,
            list(self.selves.values()),
            self.workers,
            closed=self.profile.arrivals.kind == "closed",
        )
        return Belief((*self.missing, *believed.void), believed.notes)

    def _phases(self, rows: Rows) -> dict[str, Numbers]:
        names: Sequence[str] = [phase.name for phase in self.schedule.phases]
        return {name: numbers(rows, self.schedule.phases, only=[number]) for number, name in enumerate(names)}


def make_latest(folder: Path) -> None:
    """Point ``latest`` beside it to this one."""
    latest = folder.parent / "latest"
    latest.unlink(missing_ok=True)
    latest.symlink_to(folder.name)


def machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "usable_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
