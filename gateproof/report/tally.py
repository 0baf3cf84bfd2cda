"""What every rendering of a report counts and says, so that no two of them disagree. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from gateproof.report.model import Report, RequirementResult
from gateproof.report.text import amount
from gateproof.verdict.expectations import Judgement
from gateproof.verdict.outcomes import Verdict

KNOWN = "known"
COLUMNS: dict[str, str] = {
    Verdict.PASS: "PASS",
    Verdict.FAIL: "FAIL",
    Verdict.ERROR: "ERROR",
    Verdict.WARN: "WARN",
    Verdict.INFO: "INFO",
    Verdict.NOT_DECLARED: "n/a",
    Verdict.UNTESTABLE: "untestable",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.DISABLED: "disabled",
    KNOWN: "known",
}
"""Column heads. `known` holds the failures that an expectation excuses; they count in no other column."""
_ALWAYS = frozenset({Verdict.PASS, Verdict.FAIL, Verdict.WARN, Verdict.NOT_DECLARED, Verdict.UNTESTABLE})
_SPEAKING = frozenset({Verdict.ERROR, Verdict.FAIL, Verdict.UNTESTABLE, Verdict.INCONCLUSIVE, Verdict.WARN})


@dataclass(frozen=True, slots=True)
class AreaRow:
    """One area: how many requirements per column, and those that a reader should look at, worst first."""

    area: str
    title: str
    counts: dict[str, int]
    notable: tuple[RequirementResult, ...]


def area_rows(report: Report) -> list[AreaRow]:
    return [
        _row(area, title, [result for result in report.requirements if result.area == area])
        for area, title in report.areas.items()
        if any(result.area == area for result in report.requirements)
    ]


def columns(report: Report) -> list[str]:
    """Those that are always told, and those in which something stands."""
    used = {column_of(result) for result in report.requirements}
    return [column for column in COLUMNS if column in used or column in _ALWAYS]


def column_of(result: RequirementResult) -> str:
    return KNOWN if result.excused else result.verdict


def headline_of(result: RequirementResult) -> str:
    """The word that stands first: the verdict, unless a stale expectation is what is wrong."""
    return "STALE" if result.state is Judgement.STALE else result.verdict.value


def badness(result: RequirementResult) -> tuple[bool, bool, int]:
    """Sorts worst first: red, then the open warnings, then what is known."""
    return (not result.red, result.excused, result.verdict.rank)


def state_of(result: RequirementResult) -> str:
    """What an expectation makes of the result, in a word or two; empty when there is none to mention."""
    if result.expectation is None:
        return ""
    return {
        Judgement.NONE: "",
        Judgement.EXPECTED: f"known until {result.expectation.expires}",
        Judgement.STALE: f"STALE expectation, now {result.verdict}",
        Judgement.EXPIRED: f"expectation EXPIRED {result.expectation.expires}",
        Judgement.MISMATCH: "broke OTHERWISE than expected",
    }[result.state]


def advice_of(result: RequirementResult) -> str:
    """What to do about the expectation."""
    return {
        Judgement.NONE: "",
        Judgement.EXPECTED: "",
        Judgement.STALE: "remove the entry from the expectations of this target",
        Judgement.EXPIRED: "look at it again: remove the entry, or renew its date",
        Judgement.MISMATCH: "this is another failure than the known one",
    }[result.state]


def overall(report: Report) -> str:
    """The verdict as people read it: what is excused by expectations is still broken."""
    excused = report.summary.verdict == "CONFORMANT" and report.summary.expected
    return "CONFORMANT BUT FOR KNOWN FAILURES" if excused else report.summary.verdict


def reasons(report: Report) -> list[str]:
    """Why the verdict is what it is, in phrases that a comma joins."""
    if report.summary.verdict == "CONFORMANT":
        return _praise(report)
    summary = report.summary
    musts = Counter(result.verdict for result in report.requirements if result.id in summary.must_broken)
    phrases = [
        (musts[Verdict.FAIL], f"{musts[Verdict.FAIL]} MUST broken"),
        (musts[Verdict.UNTESTABLE], f"{musts[Verdict.UNTESTABLE]} untestable"),
        (musts[Verdict.INCONCLUSIVE], f"{musts[Verdict.INCONCLUSIVE]} inconclusive"),
        (len(summary.errors), amount(len(summary.errors), "error") + " of gateproof"),
        (len(summary.stale), amount(len(summary.stale), "stale expectation")),
        (len(summary.expired), amount(len(summary.expired), "expired expectation")),
        (len(summary.mismatched), f"{len(summary.mismatched)} broke otherwise than expected"),
        (not report.complete, "interrupted" if report.interrupted else "incomplete"),
        (len(summary.not_run), f"{len(summary.not_run)} without a result"),
    ]
    said = [phrase for counts, phrase in phrases if counts]
    return said or ["nothing could be judged"]


def _praise(report: Report) -> list[str]:
    counts = Counter(column_of(result) for result in report.requirements)
    warned, known = counts[Verdict.WARN], counts[KNOWN]
    phrases = [(warned, amount(warned, "warning")), (known, amount(known, "known failure"))]
    return [f"{counts[Verdict.PASS]} passed", *(phrase for count, phrase in phrases if count)]


def spent(report: Report) -> str:
    """`412 requests, 9,310 tokens of 20,000`"""
    money = report.summary.spent
    bounds = [
        amount(count, noun) + (f" of {limit:,}" if limit is not None else "")
        for count, noun, limit in (
            (money.requests, "request", money.of_requests),
            (money.tokens, "token", money.of_tokens),
        )
    ]
    return ", ".join(bounds)


def restrictions(report: Report) -> list[str]:
    """What this run did not look at, and why that is no failure."""
    summary, notes = report.summary, []
    if summary.selected:
        notes.append(f"only {summary.selected}")
    if disabled := summary.counts.get(Verdict.DISABLED, 0):
        notes.append(f"{disabled} disabled by the user")
    if report.planned:
        notes.append(f"{amount(len(report.planned), 'requirement')} planned, without a test in this release")
    return notes


def _row(area: str, title: str, results: list[RequirementResult]) -> AreaRow:
    notable = [result for result in results if result.red or result.excused or result.verdict in _SPEAKING]
    return AreaRow(
        area=area,
        title=title,
        counts=Counter(column_of(result) for result in results),
        notable=tuple(sorted(notable, key=badness)),
    )
