"""The page of one conformance run: the verdict and why, the matrix by area, and every requirement with its evidence.

Pure: the same report gives the same bytes. Everything can be read without scripts; they only filter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup

from gateproof.report.html.frame import asset, fragment, page
from gateproof.report.model import Capability, NotTested, Report, RequirementResult
from gateproof.report.signs import SIGNS, Sign, overall_sign, sign_of
from gateproof.report.tally import (
    advice_of,
    badness,
    column_of,
    columns,
    reasons,
    restrictions,
    spent,
    state_of,
)
from gateproof.verdict.catalogue import BASES
from gateproof.verdict.outcomes import Level, Verdict

_QUIET = frozenset({Verdict.PASS, Verdict.INFO, Verdict.NOT_DECLARED, Verdict.DISABLED})
TIME = "%Y-%m-%d %H:%M:%S UTC"


@dataclass(frozen=True, slots=True)
class Area:
    """The results of one area, in the order of the catalogue."""

    name: str
    title: str
    results: tuple[RequirementResult, ...]

    @property
    def counts(self) -> Counter[str]:
        return Counter(column_of(result) for result in self.results)


def render(report: Report) -> str:
    """The whole page."""
    return page(f"{report.target.name}: {overall_sign(report).word}", _body(report), scripts=[asset("filters.js")])


def _body(report: Report) -> Markup:
    standing_out = attention(report)
    return fragment(
        "conformance.html.j2",
        report=report,
        overall=overall_sign(report),
        reasons=reasons(report),
        notes=_endings(report),
        asides=restrictions(report),
        facts=_facts(report),
        areas=areas_of(report),
        broken=[result for result in standing_out if result.red],
        notable=[result for result in standing_out if not result.red],
        not_tested=_not_tested(report),
        contradictions=sum(contradicts(each) for each in report.capabilities),
        filters=_filters(report),
        contradicts=contradicts,
        sign_of=sign_of,
        signs=SIGNS,
        column_of=column_of,
        state_of=state_of,
        advice_of=advice_of,
        bases=BASES,
        as_link=as_link,
        quote=quote,
    )


def areas_of(report: Report) -> list[Area]:
    """In the order of the catalogue; an area without a title stands at the end, so that no result is left out."""
    named = [*report.areas, *dict.fromkeys(result.area for result in report.requirements)]
    areas = [
        Area(name, report.areas.get(name, ""), tuple(result for result in report.requirements if result.area == name))
        for name in dict.fromkeys(named)
    ]
    return [area for area in areas if area.results]


def attention(report: Report) -> list[RequirementResult]:
    """What a reader should look at: worst first, what is known last."""
    notable = [result for result in report.requirements if result.red or result.verdict not in _QUIET]
    return sorted(notable, key=badness)


def contradicts(capability: Capability) -> bool:
    """Whether probing saw the opposite of what the target says."""
    if capability.detected is None or capability.declared == "unset":
        return False
    return capability.detected is not (capability.declared == "supported")


def as_link(address: str) -> str | None:
    """The address if a browser may go there; anything else is shown as text."""
    return address if address.startswith(("https://", "http://")) else None


def _endings(report: Report) -> list[str]:
    """What kept the run from its end."""
    notes = []
    if report.interrupted:
        notes.append(f"Interrupted: {report.interrupted}")
    elif not report.complete:
        notes.append("Incomplete: the run did not come to its end")
    if report.summary.not_run:
        notes.append(f"Without a result: {', '.join(report.summary.not_run)}")
    return notes


def _facts(report: Report) -> list[tuple[str, str | None]]:
    target, suite = report.target, report.suite
    return [
        ("address", target.url),
        ("dialect", target.dialect),
        ("versions", ", ".join(f"{name} {version}" for name, version in target.versions.items())),
        ("description", target.description),
        ("started", report.started.strftime(TIME)),
        ("took", f"{report.summary.wall_s:.1f} s"),
        ("spent", spent(report)),
        ("gateproof", suite.version),
        ("catalogue", suite.catalogue_hash),
        ("seed", None if suite.seed is None else str(suite.seed)),
        ("command", suite.command),
    ]


def _not_tested(report: Report) -> list[tuple[str, list[NotTested]]]:
    kinds: Mapping[str, list[NotTested]] = {"planned": report.planned, "excluded": report.excluded}
    return [(kind, entries) for kind, entries in kinds.items() if entries]


def _filters(report: Report) -> list[tuple[str, str, list[tuple[str, Sign | None, str, int]]]]:
    """Groups of (key, heading, choices); a choice is (value, sign, word, how many results have it)."""
    verdicts = Counter(column_of(result) for result in report.requirements)
    levels = Counter(result.level for result in report.requirements)
    bases = Counter(result.basis for result in report.requirements)
    return [
        (
            "verdict",
            "Verdict",
            [(str(column), SIGNS[column], SIGNS[column].word, verdicts[column]) for column in columns(report)],
        ),
        ("level", "Level", [(level.value, None, level.value, levels[level]) for level in Level if levels[level]]),
        ("basis", "Basis", [(basis, None, word, bases[basis]) for basis, word in BASES.items() if bases[basis]]),
    ]
