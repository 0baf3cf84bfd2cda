"""A gate on a conformance run: how many requirements of a level may be broken, untestable, disabled, expired."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gateproof.gate.model import ConformanceGate, Placed
from gateproof.gate.result import Row, Sample, Verdict
from gateproof.gate.words import conformance_in_words
from gateproof.report.model import NOT_EXCUSING, Report, RequirementResult
from gateproof.report.tally import restrictions
from gateproof.verdict.catalogue import Catalogue
from gateproof.verdict.outcomes import Level
from gateproof.verdict.outcomes import Verdict as Outcome

NOT_GIVEN = "no conformance run was given; the newest is reports/TARGET/conformance/latest"
BROKEN = frozenset({Outcome.FAIL, Outcome.WARN})
UNJUDGED = frozenset({Outcome.UNTESTABLE, Outcome.INCONCLUSIVE, Outcome.ERROR})
JUDGED = frozenset({Outcome.PASS, Outcome.INFO, *BROKEN})
SHOWN = 5
"""Ids that a row names; the rest are counted."""


def judge_conformance(
    placed: Placed, gate: ConformanceGate, folder: Path | None, report: Report | None, catalogue: Catalogue | None
) -> Row:
    """``report`` is None where no conformance run was given, ``catalogue`` where it is not at hand: a run that left
    requirements out is then not seen to be one."""
    verdict, said, results = Verdict.UNMEASURED, NOT_GIVEN, []
    if report is not None:
        level = Level(gate.conformance.upper())
        results = [result for result in report.requirements if result.level is level]
        verdict, said = _verdict(gate, report, results, catalogue)
    judged = sum(result.verdict in JUDGED for result in results)
    broken = float(len(_failed(results)))
    sample = Sample(
        estimate=broken,
        low=broken,
        high=broken,
        samples=judged,
        effective=float(judged),
        method="counted",
    )
    return Row(
        line=placed.line,
        gate=conformance_in_words(gate),
        level=gate.level,
        verdict=verdict,
        subject=gate.conformance,
        side="conformance",
        bound=float(gate.failed),
        unit="count",
        confidence=None,
        run=None if folder is None else str(folder),
        profile=None,
        measured=None if report is None else sample,
        said=said,
        why=gate.why,
    )


def _verdict(
    gate: ConformanceGate, report: Report, results: list[RequirementResult], catalogue: Catalogue | None
) -> tuple[Verdict, str]:
    """A breach is a breach in any run; that there is none is proved by a whole one only."""
    known = [result for result in results if result.excused]
    breaches = [
        *_over("broken", _failed(results), gate.failed),
        *_over("with an expectation that does not hold", _expired(results), gate.expired),
        *(_over("known to be broken", known, gate.known) if gate.known is not None else ()),
    ]
    if breaches:
        return Verdict.FAIL, "; ".join(breaches)
    if partial := _partial(report, catalogue):
        return Verdict.VOID, partial
    unjudged = [result for result in results if result.verdict in UNJUDGED and not result.excused]
    disabled = [result for result in results if result.verdict is Outcome.DISABLED]
    unmeasured = [
        *_over("could not be tested", unjudged, gate.untestable),
        *_over("disabled", disabled, gate.disabled),
    ]
    if unmeasured:
        return Verdict.UNMEASURED, "; ".join(unmeasured)
    judged = sum(result.verdict in JUDGED for result in results)
    if not judged:
        return Verdict.UNMEASURED, f"no requirement of level {gate.conformance.upper()} was judged"
    excused = f", {len(known)} known to be broken" if known else ""
    return Verdict.PASS, f"{judged} judged, {len(_failed(results))} broken{excused}"


def _failed(results: Iterable[RequirementResult]) -> list[RequirementResult]:
    return [result for result in results if result.verdict in BROKEN and not result.excused]


def _expired(results: Iterable[RequirementResult]) -> list[RequirementResult]:
    return [result for result in results if result.state in NOT_EXCUSING]


def _partial(report: Report, catalogue: Catalogue | None) -> str:
    """Why the run cannot prove that nothing is broken; empty for a whole one."""
    if report.interrupted or not report.complete:
        return f"the run was not finished: {report.interrupted or 'incomplete'}"
    if report.summary.selected:
        return f"the run looked at a part: {restrictions(report)[0]}"
    return "" if catalogue is None else _left_out(report, catalogue)


def _left_out(report: Report, catalogue: Catalogue) -> str:
    """What pytest's own words, a path or ``-k``, have left out stands nowhere in a report."""
    if catalogue.hash != report.suite.catalogue_hash:
        return f"the run is of catalogue {report.suite.catalogue_hash}, here is {catalogue.hash}"
    wanted = {name for name, requirement in catalogue.requirements.items() if requirement.needs_test}
    run = wanted & {result.id for result in report.requirements}
    return "" if run == wanted else f"the run looked at {len(run)} of {len(wanted)} requirements"


def _over(what: str, results: list[RequirementResult], most: int) -> list[str]:
    if len(results) <= most:
        return []
    ids = [result.id for result in results[:SHOWN]]
    more = [f"{len(results) - SHOWN} more"] if len(results) > SHOWN else []
    allowed = f", {most} allowed" if most else ""
    return [f"{len(results)} {what}{allowed}: {', '.join([*ids, *more])}"]
