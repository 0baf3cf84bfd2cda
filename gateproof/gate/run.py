"""All gates of a file on all runs that were given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import gateproof
from gateproof.errors import ConfigError
from gateproof.gate.conformance import judge_conformance
from gateproof.gate.judge import judge
from gateproof.gate.likeness import baseline_of, machine_difference, version_differences
from gateproof.gate.measure import LoadRun
from gateproof.gate.model import RATIOS, ConformanceGate, Gates, MetricGate, Placed
from gateproof.gate.result import GateResult, Row, RunRef, Verdict, overall
from gateproof.report.load_model import LoadReport
from gateproof.report.model import Report
from gateproof.report.saved import Saved, read_run
from gateproof.verdict.catalogue import load_catalogue

CATALOGUE = Path("conformance/catalogue")
PASSED_OVER = "no baseline was given, and the file says that it is optional"


class Given:
    """The runs to judge, and those to compare with."""

    def __init__(self, runs: Sequence[Path], baselines: Sequence[Path], *, other_versions: bool) -> None:
        saved = [read_run(path) for path in runs]
        before = [read_run(path) for path in baselines]
        self.saved, self.before, self.other_versions = saved, before, other_versions
        self.load = [LoadRun(each, each.report) for each in saved if isinstance(each.report, LoadReport)]
        self.conformance = [(each, each.report) for each in saved if isinstance(each.report, Report)]
        self.baselines = [LoadRun(each, each.report) for each in before if isinstance(each.report, LoadReport)]
        self.catalogue = load_catalogue(CATALOGUE) if self.conformance and CATALOGUE.is_dir() else None
        self._check()

    def _check(self) -> None:
        seen: dict[Path, Path] = {}
        for each in self.saved:
            if (twin := seen.setdefault(each.folder.resolve(), each.folder)) is not each.folder:
                raise ConfigError(f"{twin} and {each.folder} are one run", key="RUN", accepted="each run once")
        if len(targets := sorted({each.report.target.name for each in self.saved})) > 1:
            problem = f"runs of different targets: {', '.join(targets)}"
            raise ConfigError(problem, key="RUN", accepted="the runs of one target")
        for each in self.before:
            if not isinstance(each.report, LoadReport):
                raise ConfigError(f"{each.folder} is a {each.report.kind} run", key="--baseline", accepted="a load run")

    def baseline_of(self, run: LoadRun) -> LoadRun | None:
        return baseline_of(run, self.baselines, other_versions=self.other_versions)


def gate_runs(gates: Gates, given: Given) -> GateResult:
    """The verdict on the release; ConfigError where runs cannot be judged or compared."""
    if given.baselines and not gates.ratios:
        raise ConfigError(
            f"no gate of {gates.file} looks at a baseline", key="--baseline", accepted="max_ratio, min_ratio"
        )
    rows = [row for placed in gates.placed for row in _rows(gates, placed, given)]
    verdict, code = overall(rows)
    return GateResult(
        verdict=verdict,
        exit_code=code,
        gates=str(gates.file),
        suite=gateproof.__version__,
        runs=[*(_ref(each, "judged") for each in given.saved), *(_ref(each, "baseline") for each in given.before)],
        rows=rows,
        notes=list(_notes(given, rows)),
    )


def _rows(gates: Gates, placed: Placed, given: Given) -> list[Row]:
    gate = placed.gate
    if isinstance(gate, ConformanceGate):
        if not given.conformance:
            return [judge_conformance(placed, gate, None, None, None)]
        runs = given.conformance
        return [judge_conformance(placed, gate, each.folder, report, given.catalogue) for each, report in runs]
    concerned: list[LoadRun | None] = [run for run in given.load if gate.profile in (None, run.profile)]
    return [row for run in concerned or [None] for row in _bounds(gates, placed, gate, run, given)]


def _bounds(gates: Gates, placed: Placed, gate: MetricGate, run: LoadRun | None, given: Given) -> list[Row]:
    rows = []
    for side, bound in gate.sides:
        ratio = side in RATIOS
        against = given.baseline_of(run) if ratio and run is not None else None
        row = judge(placed, gate, side, bound, run, against)
        if ratio and not given.baselines and not gates.baseline_needed:
            row = row.model_copy(update={"verdict": Verdict.NOT_COMPARED, "said": PASSED_OVER})
        rows.append(row)
    return rows


def _ref(saved: Saved, role: Literal["judged", "baseline"]) -> RunRef:
    report = saved.report
    load = report if isinstance(report, LoadReport) else None
    return RunRef(
        run=str(saved.folder),
        kind=report.kind,
        role=role,
        target=report.target.name,
        versions=report.target.versions,
        profile=None if load is None else str(load.profile.get("name", "")),
        verdict=report.summary.verdict if isinstance(report, Report) else report.verdict.verdict,
    )


def _notes(given: Given, rows: Sequence[Row]) -> list[str]:
    notes = []
    if given.conformance and given.catalogue is None:
        notes.append(f"no {CATALOGUE} is here: a conformance run that left requirements out is not seen to be one")
    for run in given.load:
        notes += [f"{run.folder}: {note}" for note in run.report.verdict.notes]
        for before in [each for each in given.baselines if each.profile == run.profile]:
            notes += [f"compared across versions: {each}" for each in version_differences(run, before)]
            notes += [note] if (note := machine_difference(run, before)) else []
    if not any(row.level == "hard" for row in rows):
        notes.append("no gate of the file is hard: nothing could stop this release")
    return notes
