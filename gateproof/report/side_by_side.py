"""Conformance runs side by side: one row per requirement, one column per run, what differs first. Pure."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from gateproof.report.model import Report, RequirementResult
from gateproof.report.signs import ABSENT, SIGNS, Sign, overall_sign, sign_of
from gateproof.report.tally import reasons
from gateproof.report.text import one_line, shorten, width_of, wrap
from gateproof.verdict.outcomes import Verdict

IDS_TOLD = 12  # requirements named in a warning; the matrix shows them all
NARROWEST = 40  # columns of a terminal
CLAIM_CELLS = 16  # fewer tell nothing
NAME_CELLS = 14  # of a target's name over its column in a terminal
_NOT_JUDGED = frozenset({ABSENT, SIGNS[Verdict.NOT_DECLARED], SIGNS[Verdict.DISABLED]})
_SHORT = {"not declared": "n/a", "UNTESTABLE": "untest.", "INCONCLUSIVE": "inconcl."}
_GAP = "  "
TIME = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement, and what each run found (None: that run has no result of it)."""

    id: str
    area: str
    level: str
    claim: str
    results: tuple[RequirementResult | None, ...]

    @property
    def signs(self) -> tuple[Sign, ...]:
        return tuple(sign_of(result) if result else ABSENT for result in self.results)

    @property
    def differs(self) -> bool:
        return len(set(self.signs)) > 1

    @property
    def disagrees(self) -> bool:
        """Whether two runs judged it, and otherwise: not only that one of them did not try it."""
        return len(set(self.signs) - _NOT_JUDGED) > 1


def rows(reports: Sequence[Report]) -> list[Row]:
    """First what was judged otherwise, then what only some judged, then the same; each in the catalogues' order."""
    tables = [{result.id: result for result in report.requirements} for report in reports]
    ids = dict.fromkeys(id_ for table in tables for id_ in table)
    made = [_row(tuple(table.get(id_) for table in tables)) for id_ in ids]
    return sorted(made, key=lambda row: (not row.disagrees, not row.differs))


def headline(made: Sequence[Row]) -> str:
    """`12 of 238 requirements differ, and 5 more were judged in some runs only`"""
    disagree, differ = sum(row.disagrees for row in made), sum(row.differs for row in made)
    some = f", and {differ - disagree} more were judged in some runs only" if differ > disagree else ""
    return f"{disagree} of {len(made)} requirements differ{some}"


def warnings(reports: Sequence[Report]) -> list[str]:
    """Why a difference between these runs may not be one between the targets."""
    found = [*_other_catalogues(reports), *_other_claims(reports)]
    for number, report in enumerate(reports, 1):
        who = f"run {number} ({report.target.name})"
        if report.interrupted or not report.complete:
            found.append(f"{who} is incomplete: {report.interrupted or 'it did not come to its end'}")
        if report.summary.selected:
            found.append(f"{who} was restricted to {report.summary.selected}")
    return found


def render(reports: Sequence[Report]) -> str:
    """The page."""
    from gateproof.report.html.frame import asset, fragment, page  # noqa: PLC0415 - not needed for the terminal

    made = rows(reports)
    body = fragment(
        "side_by_side.html.j2",
        reports=reports,
        rows=made,
        differing=sum(row.differs for row in made),
        headline=headline(made),
        warnings=warnings(reports),
        overall_sign=overall_sign,
        reasons=reasons,
        quote=quote,
        time=TIME,
    )
    names = ", ".join(dict.fromkeys(report.target.name for report in reports))
    return page(f"conformance of {names}", body, scripts=[asset("side_by_side.js")])


def text(reports: Sequence[Report], width: int | None = None) -> str:
    """For a terminal of so many columns (default: this one): the runs, warnings, and the rows that differ."""
    width = max(width or shutil.get_terminal_size().columns, NARROWEST)
    made = rows(reports)
    differing = [row for row in made if row.differs]
    lines = [
        *(line for number, report in enumerate(reports, 1) for line in _run(number, report, width)),
        *(line for warning in warnings(reports) for line in wrap(f"warning: {one_line(warning)}", width)),
        "",
        *wrap(headline(made), width),
        *(["", *_differences(reports, differing, width)] if differing else []),
    ]
    return "\n".join(lines) + "\n"


def _row(results: tuple[RequirementResult | None, ...]) -> Row:
    first = next(result for result in results if result)
    return Row(first.id, first.area, first.level, first.claim, results)


def _other_catalogues(reports: Sequence[Report]) -> list[str]:
    hashes = dict.fromkeys(report.suite.catalogue_hash for report in reports)
    if len(hashes) == 1:
        return []
    told = ", ".join(
        f"run {number} {report.suite.catalogue_hash} (gateproof {report.suite.version})"
        for number, report in enumerate(reports, 1)
    )
    return [f"the runs were judged by different catalogues: {told}", *_only_in_some(reports)]


def _only_in_some(reports: Sequence[Report]) -> list[str]:
    """Requirements that a report does not name, neither as tested nor as planned or excluded."""
    known = [
        {entry.id for entries in (report.requirements, report.planned, report.excluded) for entry in entries}
        for report in reports
    ]
    union = set.union(*known)
    return [
        f"run {number} says nothing of {_some(sorted(union - own))}"
        for number, own in enumerate(known, 1)
        if union - own
    ]


def _other_claims(reports: Sequence[Report]) -> list[str]:
    seen: dict[str, set[tuple[str, str]]] = {}
    for report in reports:
        for result in report.requirements:
            seen.setdefault(result.id, set()).add((result.level, result.claim))
    changed = [id_ for id_, claims in seen.items() if len(claims) > 1]
    return [f"claim or level differs between the runs: {_some(changed)}"] if changed else []


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - IDS_TOLD} more" if len(ids) > IDS_TOLD else ""
    return ", ".join(ids[:IDS_TOLD]) + more


def _run(number: int, report: Report, width: int) -> list[str]:
    sign = overall_sign(report)
    about = f"{number} {one_line(report.target.name)}  {report.started.strftime(TIME)}"
    return [shorten(about, width), *wrap(f"  {sign.glyph} {sign.word}: {one_line(', '.join(reasons(report)))}", width)]


def _differences(reports: Sequence[Report], differing: Sequence[Row], width: int) -> list[str]:
    heads = [f"{number} {shorten(report.target.name, NAME_CELLS)}" for number, report in enumerate(reports, 1)]
    table = [["requirement", "level", *heads], *([row.id, row.level, *map(_cell, row.signs)] for row in differing)]
    widths = [max(map(width_of, column)) for column in zip(*table, strict=True)]
    claims = ["claim", *(row.claim for row in differing)]
    return [_line(cells, claim, widths, width) for cells, claim in zip(table, claims, strict=True)]


def _cell(sign: Sign) -> str:
    return f"{sign.glyph} {_SHORT.get(sign.word, sign.word)}"


def _line(cells: Sequence[str], claim: str, widths: Sequence[int], width: int) -> str:
    """Every cell, whatever the width: a verdict is never cut. The claim has what is left, if that is enough to read."""
    fixed = _GAP.join(cell + " " * (room - width_of(cell)) for cell, room in zip(cells, widths, strict=True))
    left = width - width_of(fixed) - len(_GAP)
    return (fixed + _GAP + shorten(claim, left) if left >= CLAIM_CELLS else fixed).rstrip()
