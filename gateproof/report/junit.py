"""The report as JUnit XML: one suite per area, one case per requirement; red here is what is red in the report."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from gateproof.report.model import Report, RequirementResult
from gateproof.report.tally import headline_of, reasons, state_of
from gateproof.report.terminal import failure_lines
from gateproof.report.text import one_line, shorten
from gateproof.verdict.outcomes import Verdict

MESSAGE_WIDTH = 300  # characters of a `message` attribute; CI systems show it in one line
TEXT_WIDTH = 120  # columns of the text within an element

_PASSED = frozenset({Verdict.PASS, Verdict.WARN, Verdict.INFO})
# Everything outside https://www.w3.org/TR/xml/#charsets; a parser refuses the whole file for one of them.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def junit_xml(report: Report) -> str:
    """The whole file."""
    root = ET.Element("testsuites", name=safe(f"gateproof {report.target.name}"))
    for area, title in report.areas.items():
        results = [result for result in report.requirements if result.area == area]
        if results:
            suite = _suite(root, report, f"{area.lower()}: {title}")
            for result in results:
                _case(suite, report.target.name, result)
    if report.summary.verdict == "INCOMPLETE" or not report.complete:
        _run_case(_suite(root, report, "run"), report)
    for suite in root:
        _count(suite, list(suite))
    _count(root, [case for suite in root for case in suite])
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="utf-8"?>\n', "\n")
    )


def _suite(root: ET.Element, report: Report, name: str) -> ET.Element:
    started = report.started.replace(tzinfo=None).isoformat(timespec="seconds")  # the format knows no offset
    return ET.SubElement(root, "testsuite", name=safe(name), timestamp=started)


def _case(suite: ET.Element, target: str, result: RequirementResult) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=safe(f"gateproof.{target}.{result.area.lower()}"),
        name=safe(one_line(f"{result.id} {result.claim}")),
        time=f"{result.duration:.3f}",
    )
    kind = _kind(result)
    if kind is None:
        if result.verdict is not Verdict.PASS:
            ET.SubElement(case, "system-out").text = _text(result)
        return
    told = ET.SubElement(case, kind, message=_message(result))
    if kind != "skipped":
        told.set("type", headline_of(result))
        told.text = _text(result)


def _kind(result: RequirementResult) -> str | None:
    if result.verdict is Verdict.ERROR:
        return "error"
    if result.red:
        return "failure"
    return None if result.verdict in _PASSED and not result.excused else "skipped"


def _message(result: RequirementResult) -> str:
    known = result.expectation
    words = [state_of(result) or result.verdict.value]
    words += [f"{known.reason} {known.link}"] if known and state_of(result) else []
    told = f"expected {result.expected}; seen {result.seen}" if result.expected and result.seen else result.message
    return safe(shorten(": ".join([*words, *([told] if told else [])]), MESSAGE_WIDTH))


def _run_case(suite: ET.Element, report: Report) -> None:
    """An incomplete run without a failed case would read as green."""
    case = ET.SubElement(suite, "testcase", classname=safe(f"gateproof.{report.target.name}.run"), time="0.000")
    case.set("name", "the run is complete")
    error = ET.SubElement(case, "error", message=safe(", ".join(reasons(report))), type="INCOMPLETE")
    error.text = safe(report.interrupted or ", ".join(report.summary.not_run))


def _count(element: ET.Element, cases: list[ET.Element]) -> None:
    kinds = [child.tag for case in cases for child in case]
    element.set("tests", str(len(cases)))
    for kind, plural in _COUNTED.items():
        element.set(plural, str(kinds.count(kind)))
    element.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")


def _text(result: RequirementResult) -> str:
    return safe("\n".join(failure_lines(result, TEXT_WIDTH)))


def safe(text: str) -> str:
    """Without the characters that no XML file may have."""
    return _NOT_XML.sub("", text)
