"""The report as lines of text for a terminal. Pure: no colours, no terminal, no clock."""

from __future__ import annotations

from gateproof.report.model import Report, RequirementResult
from gateproof.report.tally import (
    COLUMNS,
    AreaRow,
    advice_of,
    area_rows,
    columns,
    headline_of,
    overall,
    reasons,
    restrictions,
    spent,
    state_of,
)
from gateproof.report.text import one_line, shorten, width_of, wrap
from gateproof.verdict.catalogue import BASES
from gateproof.verdict.expectations import Judgement
from gateproof.verdict.outcomes import Verdict

NARROWEST = 40  # cells; below this the table itself does not fit and lines are left to wrap
ROW_LINES = 10  # lines of one part of a failure; the evidence file has the rest
_GAP = "  "
_LABEL = 8  # cells; the longest label is `expected`
_INDENT = " " * 6
_COPIED = frozenset({"evidence", "source"})  # rows with paths and links, which a line end would spoil


def summary_lines(report: Report, width: int, folder: str | None = None) -> list[str]:
    """What was tested, one row per area, the verdict; `folder` is where the report lies."""
    width = max(width, NARROWEST)
    verdict = f"{overall(report)}: {', '.join(reasons(report))}"
    notes = restrictions(report)
    if report.interrupted:
        notes.insert(0, f"interrupted: {one_line(report.interrupted)}")
    return [
        *_packed(_head(report), width),
        *_table(report, width),
        *[shorten(note, width) for note in notes],
        *_packed([verdict, *([folder] if folder else [])], width, keep_whole=folder),
    ]


def failure_lines(result: RequirementResult, width: int, folder: str | None = None) -> list[str]:
    """One requirement that did not pass, so that a person can act on it."""
    width = max(width, NARROWEST)
    basis = f"{result.level} ({BASES[result.basis]})"
    lines = _hanging(f"{headline_of(result):<5} {result.id}  {basis}  {one_line(result.claim)}", _INDENT, width)
    for label, text in _rows(result, folder):
        lines += _labelled(label, text, width, break_words=label not in _COPIED)
    for evidence in result.evidence[:1]:
        # Whole and on its own lines, whatever its length: it is there to be copied.
        lines.append(f"{_INDENT}{'repeat':<{_LABEL}}  {evidence.curl}")
    if known := _known(result):
        lines += _labelled("known", known, width, break_words=False)
    return lines


def _head(report: Report) -> list[str]:
    target = report.target
    versions = [f"{name} {version}" for name, version in target.versions.items()]
    return [target.name, target.url, ", ".join([f"{target.dialect} dialect", *versions]), f"spent {spent(report)}"]


def _packed(pieces: list[str], width: int, keep_whole: str | None = None) -> list[str]:
    """As many pieces on a line as fit; a piece that is to be copied is never shortened."""
    lines: list[str] = []
    for piece in pieces:
        text = piece if piece == keep_whole else shorten(piece, width - len(_GAP))
        if lines and width_of(lines[-1]) + len(_GAP) + width_of(text) <= width:
            lines[-1] += _GAP + text
        else:
            lines.append((_GAP if lines else "") + text)
    return lines


def _table(report: Report, width: int) -> list[str]:
    rows, shown = area_rows(report), columns(report)
    if not rows:
        return []
    first = max(len("area"), *(len(row.area) for row in rows)) + 1
    widths = {column: max(len(COLUMNS[column]), 4) for column in shown}
    head = "area".ljust(first) + "".join(f" {COLUMNS[column]:>{widths[column]}}" for column in shown)
    lines = [head]
    for row in rows:
        cells = "".join(f" {row.counts.get(column) or '.':>{widths[column]}}" for column in shown)
        line = row.area.lower().ljust(first) + cells
        lines.append((line + _GAP + _beside(row, width - len(line) - len(_GAP))).rstrip())
    return lines


def _beside(row: AreaRow, room: int) -> str:
    if not row.notable:
        return ""
    more = f" +{len(row.notable) - 1}" if len(row.notable) > 1 else ""
    return shorten(_in_short(row.notable[0]), room - len(more)) + more if room > len(more) else ""


def _in_short(result: RequirementResult) -> str:
    """The id, what stands out about it, the claim, and what was seen instead, to be cut from the right."""
    if result.expectation and result.excused:
        return f"{result.id} [known] {one_line(result.expectation.reason)}"
    mark = state_of(result) or ("" if result.verdict is Verdict.FAIL else result.verdict.value.lower())
    told = result.seen or result.message
    return " ".join([result.id, *([f"[{mark}]"] if mark else []), result.claim, *([f"— {told}"] if told else [])])


def _rows(result: RequirementResult, folder: str | None) -> list[tuple[str, str]]:
    rows = [("expected", result.expected or ""), ("seen", result.seen or "")]
    if not any(text for _, text in rows):
        rows = [("message", result.message)]
    if len(result.parts) > 1:
        rows.append(("parts", _parts(result)))
    if result.evidence:
        evidence = result.evidence[0]
        where = f"{folder.rstrip('/')}/{evidence.file}" if folder else evidence.file
        more = f" (and {len(result.evidence) - 1} more)" if len(result.evidence) > 1 else ""
        rows.append(("evidence", f"{one_line(evidence.request)}{more}    {where}"))
    return [(label, text) for label, text in [*rows, ("source", result.source)] if text]


def _parts(result: RequirementResult) -> str:
    same = [part.name for part in result.parts if part.verdict is result.verdict]
    return f"{result.verdict} in {len(same)} of {len(result.parts)}: {', '.join(same)}"


def _known(result: RequirementResult) -> str:
    known = result.expectation
    if known is None or result.state is Judgement.NONE:
        return ""
    advice = advice_of(result)
    state = state_of(result).removeprefix("known ")
    return f"{state}: {one_line(known.reason)} {known.link}" + (f"; {advice}" if advice else "")


def _labelled(label: str, text: str, width: int, *, break_words: bool) -> list[str]:
    start = f"{_INDENT}{label:<{_LABEL}}  "
    lines = wrap(text, width - len(start), break_words=break_words)
    if len(lines) > ROW_LINES:
        lines = [*lines[:ROW_LINES], f"… {len(lines) - ROW_LINES} more lines"]
    return [f"{start if number == 0 else ' ' * len(start)}{line}".rstrip() for number, line in enumerate(lines)]


def _hanging(text: str, indent: str, width: int) -> list[str]:
    first, *rest = wrap(text, width - len(indent)) if width_of(text) > width else [text]
    return [first, *(indent + line for line in rest)]
