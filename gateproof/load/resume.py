"""A run goes on after an interruption: the rest of its schedule, into the same folder, each request counted once.

The clock of the schedule stands still meanwhile. In an open loop the rest begins behind the last request that is known
to have been due: what was due before it and is in no log is lost, and said to be. A closed loop has no due times, so
whatever is in no log is sent. A conversation that had begun is over.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.compute as pc  # type: ignore[import-untyped]

import gateproof
from gateproof.errors import ConfigError
from gateproof.load.interruption import Interruption
from gateproof.load.log import FOLDER, INTERRUPTED, Writer, called_back, read_log
from gateproof.load.plan import Bound, everything_of
from gateproof.load.run import FACTS, LoadRun, files_of
from gateproof.load.schedule import Ints, Rest, Schedule
from gateproof.load.wire.outcome import Outcome
from gateproof.load.workload import Asked
from gateproof.targets.model import Target

NEEDED = ("target", "suite", "salt")
NO_GAPS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Left:
    """What an interruption left of a run: ``rest`` is to be sent, ``lost`` never is; ``last`` is the last sign of life.

    ``last`` in seconds of the schedule, ``lost`` in the order of indices.
    """

    run: LoadRun
    asked: Asked
    rest: Rest
    lost: Ints
    last: float

    @property
    def bound(self) -> Bound:
        """The most that the rest may send."""
        asked = self.asked.only(self.rest.of(np.arange(self.asked.conversations)))
        return Bound(len(asked), asked.tokens)

    def go_on(self, workers: int) -> LoadRun:
        """The run, in which now stands what is lost, and that it goes on with so many workers.

        ConfigError where nothing can be written.
        """
        schedule, now = self.run.schedule, dt.datetime.now(dt.UTC)
        due = schedule.times[self.lost % len(schedule)]
        interruption = Interruption(
            self.rest.since,
            (self.run.zero + dt.timedelta(seconds=self.last)).isoformat(),
            now.isoformat(),
            workers,
            len(self.lost),
            (float(due.min()), float(due.max())) if len(due) and not self._closed else None,
        )
        writer = Writer(self.run.folder / FOLDER, "none", len(self.run.interruptions) + 1)
        for index in self.lost.tolist():
            writer.add(self._row(index), NO_GAPS)
        try:
            writer.flush()
            self.run.went_on(interruption)
        except OSError as error:
            raise _refusal(self.run.folder, f"cannot be written: {error.strerror}") from None
        return self.run

    @property
    def _closed(self) -> bool:
        return self.run.profile.arrivals.kind == "closed"

    def _row(self, index: int) -> dict[str, Any]:
        schedule = self.run.schedule
        return {
            "index": index,
            "phase": int(schedule.phase[index % len(schedule)]),
            "part": int(self.asked.part[index]),
            "outcome": Outcome.SKIPPED.value,
            "detail": INTERRUPTED,
            "asked_input": self.asked.prompt_tokens(index),
            "asked_output": int(self.asked.output_tokens[index]),
        }


def look(folder: Path) -> Left:
    """What is left of a run. ConfigError where it cannot or need not go on."""
    folder = folder.resolve()  # `latest` is about to point to it
    if not (folder / FACTS).exists() and (folder / "report.json").exists():
        raise _refusal(folder, "a search cannot be resumed: its runs belong together in time", "start it anew")
    run = LoadRun.reopen(folder)
    _refuse(run)
    schedule, asked, _ = everything_of(run.profile)
    table = read_log(folder).table
    known = table.filter(pa.array(~called_back(table)))
    first_turns = known["index"].to_numpy()
    first_turns = first_turns[first_turns < len(schedule)]
    if not len(first_turns):
        raise _refusal(folder, "nothing of this run is in its log", "start it anew")
    last = max(pc.max(known[name]).as_py() or 0 for name in ("dispatched", "ended")) / 1e9
    closed = run.profile.arrivals.kind == "closed"
    rest = _rest_of_closed(schedule, first_turns, last) if closed else _rest_of_open(schedule, first_turns)
    if not len(rest.of(np.arange(len(schedule)))) or rest.since >= schedule.duration:
        raise _refusal(folder, "this run came to its end: nothing of its schedule is left")
    return Left(run, asked, rest, _lost(asked, rest, known["index"].to_numpy()), last)


def fits(left: Left, target: Target) -> None:
    """ConfigError unless ``target`` is the one that the run was about."""
    told = left.run.facts["target"]
    now = {"name": target.name, "dialect": target.stack}
    if target.launch is None:  # one that is launched listens elsewhere each time
        now["url"] = target.root_url
    for name, value in now.items():
        if told[name] != value:
            raise _refusal(left.run.folder, f"this run was about another target: {name} {told[name]}, now {value}")


def _rest_of_open(schedule: Schedule, sent: Ints) -> Rest:
    reached = int(sent.max())
    return Rest(first=reached + 1, since=float(schedule.times[reached]))


def _rest_of_closed(schedule: Schedule, sent: Ints, last: float) -> Rest:
    missing = np.setdiff1d(np.arange(len(schedule)), sent)
    first = int(missing[0]) if len(missing) else len(schedule)
    return Rest(first, tuple(sent[sent > first].tolist()), last)


def _lost(asked: Asked, rest: Rest, known: Ints) -> Ints:
    """Turns that nobody will send, and nobody knows of."""
    every = np.arange(len(asked))
    gone = ~np.isin(every % asked.conversations, rest.of(np.arange(asked.conversations)))
    return np.setdiff1d(every[gone], known)


def _refuse(run: LoadRun) -> None:
    if missing := [name for name in NEEDED if name not in run.facts]:
        raise _refusal(run.folder, f"an older version began this run: its facts have no {', '.join(missing)}")
    if run.profile.against is not None:
        problem = "a comparison of two paths cannot be resumed: its blocks belong together in time"
        raise _refusal(run.folder, problem, "start it anew")
    version = run.facts["suite"]["version"]
    if version != gateproof.__version__:
        problem = f"this run was begun by version {version}, this is {gateproof.__version__}"
        raise _refusal(run.folder, problem, f"version {version}")
    if run.unlike:
        raise _refusal(run.folder, run.unlike)
    before, now = run.facts.get("files", {}), files_of(run.profile)
    if others := [file for file, digest in now.items() if before.get(file) != digest]:
        raise _refusal(run.folder, f"{', '.join(others)} is not what it was when the run began")
    allowed = run.profile.trust.interruptions
    if len(run.interruptions) >= allowed:
        problem = f"its profile allows {allowed} interruptions, and this would be number {len(run.interruptions) + 1}"
        raise _refusal(run.folder, problem, "trust.interruptions of the profile, when a run is started")


def _refusal(folder: Path, problem: str, accepted: str | None = None) -> ConfigError:
    return ConfigError(problem, file=folder / FACTS, key="--resume", accepted=accepted)
