"""The result of a gate for machines: JSON, JUnit, Markdown, annotations of GitHub and GitLab. Pure."""

from __future__ import annotations

import hashlib
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable

from gateproof.gate.result import BLOCKING, GateResult, Row, Verdict
from gateproof.gate.terminal import MEANS, counts, seen
from gateproof.report.junit import safe
from gateproof.report.summary import escape

_SIGN = {"PASS": "✅", "FAIL": "❌", "VOID": "⚠️"}
_ROW_SIGN = {Verdict.PASS: "✅", Verdict.FAIL: "❌", Verdict.UNMEASURED: "❌", Verdict.NOT_COMPARED: "➖"}
CELL_LIMIT = 300
"""Characters of one cell of a table: a page of a CI job must stay readable."""


def to_json(result: GateResult) -> str:
    return result.model_dump_json(indent=2) + "\n"


# --- JUnit ---


def to_junit(result: GateResult) -> str:
    """One case per row. Red is what stops the release: an advisory gate is never red, and is told as skipped."""
    cases = [_case(row, result) for row in result.rows]
    kinds = [child.tag for case in cases for child in case]
    counted = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    told = {
        "tests": str(len(cases)),
        **{plural: str(kinds.count(kind)) for plural, kind in counted.items()},
        "time": "0.000",
    }
    root = ET.Element("testsuites", {"name": "gateproof gate", **told})
    ET.SubElement(root, "testsuite", {"name": safe(f"gate {result.runs[0].target}"), **told}).extend(cases)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(row: Row, result: GateResult) -> ET.Element:
    of = f" [{row.profile}]" if row.profile else ""
    case = ET.Element("testcase", classname=safe(f"gateproof.gate.{result.runs[0].target}"), name=safe(row.gate + of))
    case.set("file", safe(result.gates))
    case.set("line", str(row.line))
    case.set("time", "0.000")
    if row.verdict is Verdict.PASS:
        ET.SubElement(case, "system-out").text = safe(row.said)
        return case
    stops = row.level == "hard" and row.verdict is not Verdict.NOT_COMPARED
    kind = ("failure" if row.verdict in BLOCKING else "error") if stops else "skipped"
    told = ET.SubElement(case, kind, message=safe(f"{row.verdict}: {row.said}"))
    if stops:
        told.set("type", row.verdict)
        told.text = safe("\n".join(filter(None, (row.said, row.why))))
    return case


# --- Markdown ---


def to_markdown(result: GateResult) -> str:
    """For the summary page of a CI job, or a comment."""
    lines = [
        f"## {_SIGN[result.verdict]} {result.verdict}: {escape(result.runs[0].target)}",
        "",
        f"**{MEANS[result.verdict].capitalize()}** ({counts(result)}).",
        "",
        "| | gate | seen | n | |",
        "|---|---|---|---:|---|",
        *(_line(row) for row in result.rows),
        "",
        *(f"- {escape(note)}" for note in result.notes),
        *([""] if result.notes else []),
        "Judged: " + ", ".join(_run(result, role="judged")) + ".",
        *(["", "Compared with: " + ", ".join(before) + "."] if (before := _run(result, role="baseline")) else []),
        "",
        f"<code>{escape(result.gates)}</code> · gateproof {escape(result.suite)}",
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    sign = _ROW_SIGN.get(row.verdict, "⚠️")
    number = f"{row.measured.samples:,}" if row.measured else "–"
    advisory = " (advisory)" if row.level == "advisory" else ""
    said = "" if row.verdict is Verdict.PASS else _short(row.said)
    cells = [f"{sign} {row.verdict}", escape(row.gate) + advisory, escape(seen(row)), number, said]
    return "| " + " | ".join(cells) + " |"


def _run(result: GateResult, *, role: str) -> list[str]:
    return [
        f"<code>{escape(run.run)}</code> ({escape(run.profile or run.kind)}, {escape(run.verdict)})"
        for run in result.runs
        if run.role == role
    ]


def _short(text: str) -> str:
    return escape(text if len(text) <= CELL_LIMIT else text[: CELL_LIMIT - 1] + "…")


# --- annotations ---


def to_github(result: GateResult) -> str:
    """Workflow commands, one per line that is not kept: https://docs.github.com/actions/reference/workflow-commands."""
    lines = []
    for row in _open(result):
        word = "error" if _stops(row) else "warning"
        fields = {"file": result.gates, "line": str(row.line), "title": f"{row.verdict} {row.gate}"}
        told = ",".join(f"{name}={_property(value)}" for name, value in fields.items())
        lines.append(f"::{word} {told}::{_data(row.said)}\n")
    return "".join(lines)


def to_gitlab(result: GateResult) -> str:
    """A code quality report, which GitLab shows beside the change: https://docs.gitlab.com/ci/testing/code_quality/."""
    found = [
        {
            "description": f"{row.verdict} {row.gate}: {row.said}",
            "check_name": f"gateproof gate {row.subject}",
            "fingerprint": hashlib.sha256(f"{result.gates}\n{row.gate}\n{row.run}".encode()).hexdigest(),
            "severity": "critical" if _stops(row) else "minor",
            "location": {"path": result.gates, "lines": {"begin": row.line}},
        }
        for row in _open(result)
    ]
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


ANNOTATIONS: dict[str, Callable[[GateResult], str]] = {"github": to_github, "gitlab": to_gitlab}


def _open(result: GateResult) -> list[Row]:
    return [row for row in result.rows if row.verdict not in (Verdict.PASS, Verdict.NOT_COMPARED)]


def _stops(row: Row) -> bool:
    return row.level == "hard" and row.verdict not in (Verdict.PASS, Verdict.NOT_COMPARED)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
