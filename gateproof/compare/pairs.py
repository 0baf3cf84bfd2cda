"""Load runs against a baseline: whether they may be compared, and what became of each number."""

from __future__ import annotations

from collections.abc import Sequence

from gateproof.compare.changes import changes
from gateproof.compare.model import Against, Comparison, Curve, Difference, Run
from gateproof.compare.numbers import Measured, load_report
from gateproof.errors import EXIT_VOID, ConfigError, GateproofError
from gateproof.report import likeness
from gateproof.report.saved import Saved
from gateproof.report.statistics import CONFIDENCE

SHOWN_DIFFERENCES = 8
"""In a refusal: enough to see what is wrong, whatever two profiles differ in."""


class VoidRun(GateproofError):
    """A run whose numbers may not be believed."""

    exit_code = EXIT_VOID


def compare(runs: Sequence[Saved], *, force: bool = False) -> Comparison:
    """Each run against the first. Refuses void runs and unlike ones; with ``force`` they are compared all the same,
    and what is wrong with that stands in what comes back."""
    baseline, *candidates = runs
    found = [differences(baseline, each) for each in candidates]
    if not force:
        _refuse_void(runs)
        for each, unlike in zip(candidates, found, strict=True):
            _refuse_unlike(baseline, each, unlike)
    first = Measured(baseline)
    told, drawn = [], _curves(0, first)
    for number, (each, unlike) in enumerate(zip(candidates, found, strict=True), start=1):
        other = Measured(each)
        told.append(Against(run=run_of(each), differences=unlike, changes=changes(first, other)))
        drawn += _curves(number, other)
    return Comparison(confidence=CONFIDENCE, baseline=run_of(baseline), candidates=told, curves=drawn)


def differences(baseline: Saved, candidate: Saved) -> list[Difference]:
    """The grave ones first."""
    return [
        Difference(kind=each.kind, what=each.what, baseline=each.baseline, candidate=each.candidate, grave=each.grave)
        for each in likeness.differences(load_report(baseline), load_report(candidate))
    ]


def run_of(saved: Saved) -> Run:
    report = load_report(saved)
    return Run(
        folder=str(saved.folder),
        name=saved.name,
        target=report.target.name,
        profile=str(report.profile.get("name", "")),
        started=report.started,
        verdict=report.verdict.verdict,
        reasons=report.verdict.reasons,
        versions=report.target.versions,
        suite=report.suite.version,
    )


def _curves(number: int, of: Measured) -> list[Curve]:
    return [
        Curve(run=number, metric=metric, shares=shares, values=values)
        for metric, (shares, values) in of.curves().items()
    ]


def _refuse_void(runs: Sequence[Saved]) -> None:
    for each in runs:
        verdict = load_report(each).verdict
        if verdict.verdict == "VOID":
            reason = verdict.reasons[0] if verdict.reasons else "no reason given"
            raise VoidRun(
                f"{each.folder}: a void run has no numbers to compare: {reason} (--force compares all the same)"
            )


def _refuse_unlike(baseline: Saved, candidate: Saved, found: Sequence[Difference]) -> None:
    grave = [each for each in found if each.grave]
    if not grave:
        return
    lines = [f"\n    {each.what}: {each.baseline} there, {each.candidate} here" for each in grave[:SHOWN_DIFFERENCES]]
    more = f"\n    and {len(grave) - len(lines)} more" if len(grave) > len(lines) else ""
    raise ConfigError(
        f"not like {baseline.folder}, so their numbers answer other questions:{''.join(lines)}{more}",
        file=candidate.folder,
        accepted="runs of one target, its versions and one profile; --force compares all the same, and says so",
    )
