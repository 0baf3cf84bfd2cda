"""Many load runs over time: where they lie, what their numbers are, what changed between them.

Runs of one target with one profile make a track. A void run stands in it and has no numbers. Where the profile changes,
what lies before is another question, so that no line and no trend goes across.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from pathlib import Path

from gateproof.compare.courses import courses
from gateproof.compare.model import Difference, History, LeftOut, Mark, Point, Side, Track
from gateproof.compare.numbers import COMPARED, OVERHEAD, Measured, load_report
from gateproof.compare.pairs import differences, run_of
from gateproof.compare.sides import side_of
from gateproof.errors import ConfigError
from gateproof.gate.metrics import Metric
from gateproof.load.analysis import QUANTILES
from gateproof.report.load_model import LoadReport
from gateproof.report.saved import FACTS, REPORT, Saved, read_run
from gateproof.report.statistics import CONFIDENCE

TRACKED: tuple[Metric, ...] = tuple(
    metric
    for metric in (*COMPARED, *OVERHEAD)
    if metric.text
    in {
        *("ttft.p50", "ttft.p95", "tpot.p50", "gap.p99", "latency.p50", "latency.p95"),
        *("error_share", "rates.requests", "rates.output_tokens", "overhead.ttft.median"),
    }
)
_ACCEPTED = "a run, or a folder of runs: reports/TARGET/load, or reports for every target"


def history(folders: Sequence[Path]) -> History:
    """Of every load run in these folders; see ``runs_below``."""
    read: list[Saved] = []
    left_out: list[LeftOut] = []
    for folder in runs_below(folders):
        try:
            read.append(read_run(folder))
        except ConfigError as error:
            why = f"{error.key}: {error.problem}" if error.key else error.problem
            left_out.append(LeftOut(folder=str(folder), why=why))
    trials = {trial: each.name for each in read for trial in _trials(each)}
    runs = []
    for each in read:
        if reason := _not_for_a_track(each, trials.get(each.folder.resolve())):
            left_out.append(LeftOut(folder=str(each.folder), why=reason))
        else:
            runs.append(each)
    return History(confidence=CONFIDENCE, tracks=[*_tracks(runs)], left_out=left_out)


def _trials(saved: Saved) -> list[Path]:
    """Where the runs of a search lie."""
    if not isinstance(saved.report, LoadReport) or saved.report.saturation is None:
        return []
    return [saved.folder.resolve().parent / trial.folder for trial in saved.report.saturation.runs]


def _not_for_a_track(saved: Saved, search: str | None) -> str | None:
    if not isinstance(saved.report, LoadReport):
        return "a conformance run: `gateproof compare` shows several of them side by side"
    if saved.report.saturation is not None:
        return "a search: it has the numbers of many runs"
    return None if search is None else f"a run of the search {search}"


def runs_below(folders: Sequence[Path]) -> list[Path]:
    """Folders of runs, each once: ``latest`` is only a link to one of them. ConfigError for a folder without any."""
    found: dict[Path, Path] = {}
    for folder in folders:
        runs = [folder] if _is_run(folder) else _inside(folder)
        if not runs:
            raise ConfigError("no run is in here", file=folder, accepted=_ACCEPTED)
        for each in runs:
            found.setdefault(each.resolve(), each)
    return list(found.values())


def _inside(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError("no such folder", file=folder, accepted=_ACCEPTED)
    places = sorted(place for pattern in ("*", "load/*", "*/load/*") for place in folder.glob(pattern))
    return [place for place in places if not place.is_symlink() and _is_run(place)]


def _is_run(folder: Path) -> bool:
    return (folder / REPORT).is_file() or (folder / FACTS).is_file()


def _tracks(runs: Iterable[Saved]) -> Iterator[Track]:
    def key(saved: Saved) -> tuple[str, str]:
        run = run_of(saved)
        return run.target, run.profile

    ordered = sorted(runs, key=lambda saved: (key(saved), load_report(saved).started, saved.name))
    for (target, profile), group in groupby(ordered, key=key):
        members = list(group)
        points = [_point(saved) for saved in members]
        marks = [*_marks(members)]
        comparable = points[_last_of_another_load(marks) :]
        offset = len(points) - len(comparable)
        yield Track(
            target=target,
            profile=profile,
            points=points,
            marks=marks,
            courses=courses(TRACKED, comparable, offset),
        )


def _marks(members: Sequence[Saved]) -> Iterator[Mark]:
    for number, (before, after) in enumerate(pairwise(members), start=1):
        if found := differences(before, after):
            yield Mark(at=number, differences=found)


def another_load(found: Iterable[Difference]) -> bool:
    """Whether what is sent has changed, so that numbers before and after answer different questions."""
    return any(each.kind == "load" for each in found)


def _last_of_another_load(marks: Sequence[Mark]) -> int:
    return max((mark.at for mark in marks if another_load(mark.differences)), default=0)


# --- numbers ---


def _point(saved: Saved) -> Point:
    report = load_report(saved)
    run = run_of(saved)
    if run.verdict == "VOID":
        return Point(run=run, schedule=report.schedule, numbers={}, missing="the run is void")
    try:
        numbers, missing = _measured(saved), None
    except ConfigError as error:
        # a run kept without its log still has its numbers, only nobody can say how sure they are
        numbers, missing = _told(report), f"no intervals: {error.problem}"
    return Point(run=run, schedule=report.schedule, numbers=numbers, missing=missing)


def _measured(saved: Saved) -> dict[str, Side]:
    of = Measured(saved)
    found = {metric.text: of.interval(metric, CONFIDENCE) for metric in TRACKED}
    return {name: side_of(each) for name, each in found.items() if each is not None}


def _told(report: LoadReport) -> dict[str, Side]:
    found = {metric.text: _value(report, metric) for metric in TRACKED}
    return {
        name: Side(value=value, low=None, high=None, samples=samples, effective=float(samples))
        for name, (value, samples) in found.items()
        if value is not None
    }


def _value(report: LoadReport, metric: Metric) -> tuple[float | None, int]:
    """The number as its report tells it, and the samples that it rests on."""
    if metric.kind == "overhead":
        stage = None if report.overhead is None else report.overhead.stages.get(metric.name)
        return (None, 0) if stage is None or stage.median is None else (stage.median.value, stage.pairs)
    if metric.kind == "share":
        return report.error_share, report.due
    if metric.kind == "rate":
        return getattr(report.rates, metric.statistic), report.due
    found = report.metrics.get(metric.name)
    if found is None:
        return None, 0
    told = {QUANTILES[name]: value for name, value in found.quantiles.items()}
    return told.get(metric.share or 0.0), found.count
