"""The search for the knee as runs of its own: each an ordinary run, judged from its log, and one report over all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.compute as pc  # type: ignore[import-untyped]  # no types
from numpy.typing import NDArray

from gateproof.load.log import Rows
from gateproof.load.profile import Phase, Profile
from gateproof.load.saturation import (
    Bools,
    Judgement,
    Knee,
    Objective,
    Play,
    Search,
    Trial,
    following,
    judge,
    knee,
    most,
    objectives_of,
)
from gateproof.load.wire.outcome import Outcome

Floats = NDArray[np.float64]

STAGES = {
    "ttft": ("scheduled", "first_token"),
    "ttft_service": ("sent", "first_token"),
    "first_byte": ("sent", "first_byte"),
    "latency": ("scheduled", "ended"),
    "latency_service": ("sent", "ended"),
}
TPOT = "tpot"
SPENT = ("requests", "tokens")
CHANCE = 6.0  # standard deviations of a Poisson process by which a run may have more requests than are expected


def trial_profile(profile: Profile, search: Search, play: Play, number: int) -> Profile:
    """An ordinary profile of one run; every run has arrivals of its own."""
    phases = [
        Phase(name="settle", duration=search.settle, counted=False),
        Phase(name="held", duration=play.length),
    ]
    arrivals = profile.arrivals.model_copy(update={"rate": play.rate})
    changes = {"arrivals": arrivals, "phases": phases, "seed": profile.seed + number, "search": None}
    return profile.model_copy(update=changes)


def seen(rows: Rows, profile: Profile, objectives: Sequence[Objective]) -> dict[Objective, Bools]:
    """By objective, in the order in which they were due: which requests of the counted phases were within it.

    What did not end well is never within. What ended well and has no such value (the pace of one token) says nothing.
    """
    counted = [number for number, phase in enumerate(profile.phases) if phase.counted]
    words = rows.table["outcome"].cast(pa.string())
    due = pc.and_(
        pc.is_in(rows.table["phase"], pa.array(counted, pa.int16())), pc.not_equal(words, Outcome.SKIPPED.value)
    )
    table = rows.scalars.filter(due).sort_by("scheduled")
    good = pc.equal(table["outcome"].cast(pa.string()), Outcome.OK.value).to_numpy(zero_copy_only=False)
    return {objective: _within(table, good, objective) for objective in objectives}


def _within(table: pa.Table, good: Bools, objective: Objective) -> Bools:
    if objective.bound is None:
        return good
    values = _values(table, objective.metric)
    telling = ~good | ~np.isnan(values)
    within: Bools = (good & (values <= objective.bound))[telling]
    return within


def _values(table: pa.Table, metric: str) -> Floats:
    """Seconds; NaN where a request has none."""

    def column(name: str) -> Floats:
        values: Floats = table[name].cast(pa.float64()).to_numpy()
        return values

    if metric == TPOT:
        tokens = column("completion_tokens")
        pieces = np.where(tokens > 1, tokens - 1, np.nan)
        return (column("last_token") - column("first_token")) / 1e9 / pieces
    start, end = STAGES[metric]
    return (column(end) - column(start)) / 1e9


@dataclass
class Sweep:
    """The runs so far. ``told`` has the report of each, ``folders`` where it lies."""

    profile: Profile
    search: Search
    trials: list[Trial] = field(default_factory=list)
    told: list[Mapping[str, Any]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, profile: Profile) -> Sweep | None:
        """None of a profile that does not search."""
        return None if profile.search is None else cls(profile, profile.search)

    @property
    def objectives(self) -> list[Objective]:
        return objectives_of(self.profile.objectives, self.search)

    @property
    def following(self) -> Play | None:
        return following(self.search, self.objectives, self.trials)

    @property
    def most_requests(self) -> int:
        """All runs together."""
        expected = most(self.search, self.objectives).requests
        # one long process or many short ones: the deviation of the sum is the same
        return math.ceil(expected + CHANCE * self._variation * math.sqrt(expected))

    @property
    def _variation(self) -> float:
        return max(1.0, self.profile.arrivals.smoothness**-0.5) if self.profile.arrivals.kind == "gamma" else 1.0

    def next_trial(self) -> dict[str, Any]:
        """What a worker needs for ``profile_of``: plain numbers."""
        play = self.following
        assert play is not None, "the search is over"
        return {"rate": play.rate, "length": play.length, "number": len(self.trials)}

    def next_profile(self) -> Profile:
        return self.profile_of(**self.next_trial())

    def profile_of(self, rate: float, length: float, number: int) -> Profile:
        return trial_profile(self.profile, self.search, Play(rate, length), number)

    def took(self, played: Profile, rows: Rows, told: Mapping[str, Any], folder: Path) -> Trial:
        """Judge a run that has ended, the one that came next; a void one is not judged by its numbers."""
        play = self.following
        assert play is not None, "the search is over"
        reasons = tuple(told["verdict"]["reasons"])
        if reasons:
            judgement, why = Judgement.VOID, reasons
        else:
            judgement, why = judge(seen(rows, played, self.objectives))
        trial = Trial(play, judgement, why)
        self.trials.append(trial)
        self.told.append(told)
        self.folders.append(folder.name)
        return trial

    def report(self) -> dict[str, Any] | None:
        """The numbers of the best run that met the objectives (of the first, where none did), and the search; None
        before the first run has ended."""
        if not self.trials:
            return None
        found = knee(self.trials)
        told = dict(self.told[self.trials.index(found.met) if found.met else 0])
        verdict = dict(told["verdict"])
        verdict["notes"] = [*verdict["notes"], *self._notes(found)]
        return {
            **told,
            "verdict": verdict,
            "profile": self.profile.model_dump(mode="json"),
            "spent": told["spent"] | {word: sum(each["spent"][word] for each in self.told) for word in SPENT},
            "started": self.told[0]["started"],
            "ended": self.told[-1]["ended"],
            "saturation": {
                "unit": "requests/s",
                "met": found.met and found.met.play.rate,
                "not_met": found.not_met and found.not_met.play.rate,
                "limited_by_us": found.ours,
                "complete": self.following is None,
                "objectives": [str(objective) for objective in self.objectives],
                "runs": [self._run(number) for number in range(len(self.trials))],
            },
        }

    def _run(self, number: int) -> dict[str, Any]:
        trial = self.trials[number]
        return {
            "rate": trial.play.rate,
            "length_s": trial.play.length,
            "judgement": trial.judgement.value,
            "why": list(trial.why),
            "folder": self.folders[number],
        }

    def _notes(self, found: Knee) -> list[str]:
        notes = []
        if self.following is not None:
            notes.append("the search was interrupted: the knee lies between wider bounds than asked for")
        if found.met is None:
            notes.append(f"the objectives are not met at {self.search.low:g}/s, the lowest rate of the search")
        if found.not_met is None and found.met is not None:
            notes.append(f"the objectives are still met at {found.met.play.rate:.4g}/s: the knee lies higher")
        if found.ours:
            notes.append("the upper rate is where our own runs were void: the knee of the target may lie higher")
        return notes


def in_words(plain: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown, from ``saturation`` of a report."""
    return [
        f"{_knee(plain)} ({'; '.join(plain['objectives'])}).",
        "",
        "| requests/s | s | | why | run |",
        "|---:|---:|---|---|---|",
        *(
            f"| {run['rate']:.4g} | {math.ceil(run['length_s'])} | {run['judgement']} | {'; '.join(run['why'])} "
            f"| {run['folder']} |"
            for run in plain["runs"]
        ),
    ]


def _knee(plain: Mapping[str, Any]) -> str:
    met, not_met = plain["met"], plain["not_met"]
    if met is None and not_met is None:
        return "No run could tell whether the objectives are met"
    if met is None:
        return f"The objectives are not met at {not_met:.4g}/s, the lowest rate that was tried"
    if not_met is None:
        return f"The objectives are met at {met:.4g}/s, the highest rate that was tried"
    return f"The objectives are met at {met:.4g}/s and not at {not_met:.4g}/s"
