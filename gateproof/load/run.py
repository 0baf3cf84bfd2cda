"""A run as its folder and its facts: what the process that started it knows, and what it writes at the end."""

from __future__ import annotations

import dataclasses
import datetime as dt
import fcntl
import hashlib
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
from gateproof.load.calibrate.beyond import said, stamp
from gateproof.load.fidelity import fidelity
from gateproof.load.interruption import KEY, Interruption, gaps, interruptions_of
from gateproof.load.log import FOLDER, Rows, read_log, short
from gateproof.load.page import page
from gateproof.load.plan import bound_of, interleaved_of, schedule_of
from gateproof.load.profile import Profile
from gateproof.load.schedule import Schedule
from gateproof.load.selves import read_selves
from gateproof.load.verdict import Belief, WorkerSelf, belief
from gateproof.targets.model import Target

FACTS = "run.json"
REPORTS = ("report.json", "summary.md", "report.html")


@dataclass
class LoadRun:
    """``folder`` is ``reports/<target>/load/<stamp>``, and ``latest`` beside it points there.

    ``facts`` are what ``run.json`` holds, ``selves`` what workers said at their ends, where somebody heard it,
    ``missing`` what else a report should say that it lacks. ``unlike`` says why the schedule is another than that of
    the facts.
    """

    folder: Path
    facts: Mapping[str, Any]
    profile: Profile
    schedule: Schedule
    selves: dict[int, WorkerSelf] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    unlike: str | None = None
    _held: int | None = None

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
        salt: int = 0,
    ) -> LoadRun:
        """A new folder; ``prompts`` says of each part of the mix how its tokens were counted.

        With ``salt``, the seed and the schedule, every byte that was sent can be made again. ConfigError where nothing
        can be written.
        """
        started = dt.datetime.now(dt.UTC)
        base = root / target.name / "load"
        folder = base / started.strftime("%Y%m%dT%H%M%S.%fZ")
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
            "files": files_of(profile),
            "salt": salt,
            "workers": workers,
            "prompts": [dict(each) for each in prompts],
            "suite": {"version": gateproof.__version__, "command": command},
            "machine": machine(),
            "calibration": stamp(),
            "bound": dataclasses.asdict(bound_of(profile)),
            "started": started.isoformat(),
        }
        run = cls(folder, facts, profile, schedule)
        try:
            (folder / FOLDER).mkdir(parents=True)
            run._write_facts()
            make_latest(folder)
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}", file=folder, key="--report-dir") from None
        run.hold()
        return run

    @classmethod
    def reopen(cls, folder: Path) -> LoadRun:
        """A run that somebody else played: from its facts, and what its workers left."""
        file = folder / FACTS
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
            profile = Profile.model_validate(facts["profile"])
            digest, _, _ = str(facts["schedule"]), int(facts["workers"]), facts["bound"]
            interruptions_of(facts)
        except OSError as error:
            raise ConfigError(f"no folder of a run: {error.strerror}", file=file) from None
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"not the facts of a run: {short(error)}", file=file) from None
        schedule = schedule_of(profile)[0]
        unlike = None if schedule.digest == digest else "the schedule cannot be made again: other files or versions"
        return cls(folder, facts, profile, schedule, unlike=unlike)

    @property
    def interruptions(self) -> list[Interruption]:
        return interruptions_of(self.facts)

    @property
    def workers(self) -> int:
        """That play it now, or were the last to do so."""
        return self._workers[-1]

    @property
    def _workers(self) -> list[int]:
        """How many there were from the start on, and after each interruption."""
        return [int(self.facts["workers"]), *(each.workers for each in self.interruptions)]

    @property
    def zero(self) -> dt.datetime:
        """When the schedule began, had it run through to where it is now."""
        interruptions = self.interruptions
        return interruptions[-1].zero if interruptions else dt.datetime.fromisoformat(self.facts["started"])

    def hold(self) -> None:
        """Keep others from playing it, too, for as long as this process lives. ConfigError where one does."""
        self._held = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError("this run is still going on", file=self.folder, key="--resume") from None

    def went_on(self, interruption: Interruption) -> None:
        """After it. OSError when the disk is full."""
        told = [*self.facts.get(KEY, ()), interruption.to_plain()]
        self.facts = {**self.facts, KEY: told}
        self._write_facts()
        for name in REPORTS:  # of the run as it was before
            (self.folder / name).unlink(missing_ok=True)
        make_latest(self.folder)

    def _write_facts(self) -> None:
        part = self.folder / f"{FACTS}.part"
        part.write_text(json.dumps(self.facts, indent=1) + "\n", encoding="utf-8")
        part.replace(self.folder / FACTS)

    def finish(self) -> dict[str, Any]:
        """Read the log, judge, write the report: the same for the same folder, whoever does it and when."""
        told = self._written(self._told())
        page.draw(self.folder, told)
        return told

    def _told(self) -> dict[str, Any]:
        rows = every = read_log(self.folder)
        if (both := interleaved_of(self.profile)) is not None:
            rows = comparison.through_gateway(every, both)
        counted = numbers(rows, self.schedule.phases)
        gap = gaps(self.interruptions, self.schedule.phases)
        aside = beside(self.folder, rows, self.schedule.phases, self.profile.trust, gap)
        told = report.report(
            {**self._about(every), "ended": self._ended(rows)},
            counted,
            self._phases(rows),
            self._belief(every, counted).and_also(aside.void, aside.notes),
        )
        told |= aside.told
        if both is not None:
            told["overhead"] = comparison.told(comparison.compared(every, both))
        if self._held is not None:
            os.close(self._held)
            self._held = None
        return told

    def _written(self, told: dict[str, Any]) -> dict[str, Any]:
        """What is known is told, whatever becomes of the disk."""
        try:
            return report.write(self.folder, told)
        except OSError as error:
            before = told["verdict"]
            reasons = [*before["reasons"], f"the report cannot be written: {error.strerror or error}"]
            return {**told, "verdict": {**before, "verdict": "VOID", "reasons": reasons}}

    def _about(self, rows: Rows) -> dict[str, Any]:
        """The facts, and what became of what they planned."""
        facts = dict(self.facts)
        bound = facts.pop("bound")
        for name in ("salt", "files"):
            facts.pop(name, None)
        table = rows.table
        spent = {
            "requests": table.num_rows - table["dispatched"].null_count,
            "tokens": sum(int(pc.sum(table[name]).as_py() or 0) for name in ("prompt_tokens", "completion_tokens")),
            "of_requests": bound["requests"],
            "of_tokens": bound["tokens"],
        }
        interruptions = [each.told() for each in self.interruptions]
        return {**facts, "prompts": fidelity(rows, facts["prompts"]), "spent": spent, KEY: interruptions}

    def _ended(self, rows: Rows) -> str | None:
        """When the last answer had come."""
        last = pc.max(rows.table["ended"]).as_py()
        return None if last is None else (self.zero + dt.timedelta(microseconds=last // 1000)).isoformat()

    def _belief(self, rows: Rows, counted: Numbers) -> Belief:
        left = read_selves(self.folder / FOLDER, self._workers, self.selves)
        believed = belief(
            self.profile.trust,
            len(self.schedule) * self.profile.workload.turns,
            rows,
            counted,
            left.selves,
            sum(self._workers),
            closed=self.profile.arrivals.kind == "closed",
        )
        missing = [*([self.unlike] if self.unlike else []), *self.missing, *left.missing]
        interrupted = [each.in_words() for each in self.interruptions]
        calibrated = said(self.facts, rows, self.workers)
        return Belief((*missing, *believed.void), (*interrupted, *believed.notes, *calibrated))

    def _phases(self, rows: Rows) -> dict[str, Numbers]:
        names: Sequence[str] = [phase.name for phase in self.schedule.phases]
        return {name: numbers(rows, self.schedule.phases, only=[number]) for number, name in enumerate(names)}


def files_of(profile: Profile) -> dict[str, str]:
    """Digests of what the profile reads. ConfigError for a file that cannot be read."""
    trace = profile.arrivals.trace
    files = [profile.workload.dataset, None if trace is None else trace.file]
    return {file: _digest(Path(file)) for file in files if file is not None}


def _digest(file: Path) -> str:
    try:
        return hashlib.blake2b(file.read_bytes(), digest_size=8).hexdigest()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=file) from None


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
