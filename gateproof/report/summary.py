"""The report as Markdown for the summary page of a CI job: verdict, table by area, what is broken, what is known.

Everything that came from outside is escaped; a reply of the target must not be able to draw a page of its own.
"""

from __future__ import annotations

import html

from gateproof.report.model import Report, RequirementResult
from gateproof.report.tally import (
    COLUMNS,
    advice_of,
    area_rows,
    badness,
    columns,
    headline_of,
    overall,
    reasons,
    restrictions,
    spent,
    state_of,
)
from gateproof.report.text import one_line, shorten
from gateproof.verdict.catalogue import BASES
from gateproof.verdict.outcomes import Verdict

PAGE_BYTES = 900 * 1024  # GitHub drops a job summary over 1 MiB whole
DETAILS_SHOWN = (40, 20, 10, 5, 0)  # requirements per section; the first number that gives a page within its bound
BLOCK_LIMIT = 3000  # characters
CELL_LIMIT = 160  # characters

_SPECIAL = {ord(character): f"&#{ord(character)};" for character in "&<>\"'\\`*_[]|~#@$"}
_SIGN = {"CONFORMANT": "✅", "NOT CONFORMANT": "❌", "INCOMPLETE": "⚠️"}
_OPEN = frozenset({Verdict.WARN, Verdict.UNTESTABLE, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.FAIL})


def summary_markdown(report: Report) -> str:
    """The whole page, with as many details as its bound allows."""
    page = ""
    for shown in DETAILS_SHOWN:
        page = _page(report, shown)
        if len(page.encode()) <= PAGE_BYTES:
            break
    return page


def _page(report: Report, shown: int) -> str:
    results = sorted(report.requirements, key=badness)
    red = [result for result in results if result.red]
    known = [result for result in results if result.excused]
    other = [result for result in results if result.verdict in _OPEN and not result.red and not result.excused]
    blocks = [
        *_head(report),
        *_table(report),
        *_details("Broken", red, shown),
        *_known(known),
        *_details("Warnings", other, shown),
        *_foot(report),
    ]
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """One line of text that Markdown and HTML both show as it is."""
    escaped = one_line(text).translate(_SPECIAL)
    return escaped.replace("://", "&#58;//").replace("www.", "www&#46;")  # else GitHub makes a link of it


def _head(report: Report) -> list[str]:
    verdict = report.summary.verdict
    target = report.target
    versions = [f"{name} {version}" for name, version in target.versions.items()]
    about = [target.name, target.url, ", ".join([f"{target.dialect} dialect", *versions])]
    blocks = [
        f"## {_SIGN[verdict]} {overall(report)}: {escape(target.name)}",
        f"**{escape(', '.join(reasons(report)))}**",
        " · ".join(f"<code>{escape(word)}</code>" for word in about[1:]) + f" · spent {spent(report)}",
    ]
    if report.interrupted:
        blocks.append(f"Interrupted: {escape(report.interrupted)}")
    return [*blocks, *(f"Restricted: {escape(note)}" for note in _selected(report))]


def _selected(report: Report) -> list[str]:
    return [f"only {report.summary.selected}"] if report.summary.selected else []


def _table(report: Report) -> list[str]:
    rows, shown = area_rows(report), columns(report)
    if not rows:
        return []
    lines = [
        "| area | " + " | ".join(COLUMNS[column] for column in shown) + " | |",
        "|---|" + "---:|" * len(shown) + "---|",
    ]
    for row in rows:
        counts = " | ".join(str(row.counts.get(column) or "·") for column in shown)
        worst = ", ".join(result.id for result in row.notable if result.red)
        lines.append(f"| {escape(row.area.lower())}: {escape(row.title)} | {counts} | {worst} |")
    return ["\n".join(lines)]


def _details(title: str, results: list[RequirementResult], shown: int) -> list[str]:
    if not results:
        return []
    blocks = [f"### {title}"]
    blocks += [_detail(result) for result in results[:shown]]
    if len(results) > shown:
        blocks.append(f"… and {len(results) - shown} more in `report.json`")
    return blocks


def _detail(result: RequirementResult) -> str:
    label = f"{headline_of(result)} {result.id} {result.level} ({BASES[result.basis]})"
    parts = [f"<details><summary><b>{label}</b> {escape(shorten(result.claim, CELL_LIMIT))}</summary>"]
    if state := state_of(result):
        parts.append(f"<p>{escape(f'{state}: {advice_of(result)}')}{_link(result)}</p>")
    told = [("expected", result.expected), ("seen", result.seen)]
    if not any(text for _, text in told):
        told = [("message", result.message)]
    told.append(("source", result.source))
    if result.evidence:
        told += [("exchange", result.evidence[0].request), ("repeat", result.evidence[0].curl)]
    parts += [f"{label}\n{_block(text)}" for label, text in told if text]
    return "\n\n".join([*parts, "</details>"])


def _block(text: str) -> str:
    """Preformatted HTML, not a code fence: no run of backticks in the text can end it."""
    cut = text if len(text) <= BLOCK_LIMIT else text[:BLOCK_LIMIT] + "…"
    return f"<pre>{html.escape(cut)}</pre>"


def _known(results: list[RequirementResult]) -> list[str]:
    if not results:
        return []
    lines = [
        f"- **{result.id}** {escape(shorten(result.claim, CELL_LIMIT))} — {escape(shorten(known.reason, CELL_LIMIT))}, "
        f"until {known.expires}{_link(result)}"
        for result in results
        if (known := result.expectation)
    ]
    return ["### Known", "\n".join(lines)]


def _link(result: RequirementResult) -> str:
    link = result.expectation.link if result.expectation else ""
    return f' <a href="{html.escape(link)}">link</a>' if link.startswith(("https://", "http://")) else ""


def _foot(report: Report) -> list[str]:
    suite = report.suite
    notes = [note for note in restrictions(report) if note not in _selected(report)]
    notes.append(f"gateproof {suite.version}, catalogue {suite.catalogue_hash}, {report.summary.wall_s:.1f} s")
    return [" · ".join(escape(note) for note in notes), f"<code>{escape(suite.command)}</code>"]
