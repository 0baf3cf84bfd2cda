"""The badge: well-formed, wide enough, and the same verdict as everywhere."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from gateproof.report import badge
from gateproof.report.model import Report, TargetInfo
from gateproof.verdict.outcomes import Verdict
from tests.unit.report_samples import HOSTILE, known, record, report

SVG = "{http://www.w3.org/2000/svg}"


def named(name: str) -> Report:
    return report(record()).model_copy(update={"target": TargetInfo(name=name, url="http://x", dialect="d")})


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (report(record()), "✓ conformant"),
        (
            report(record(), record("AUTH-003", Verdict.FAIL), expectations=known("AUTH-003")),
            "✓ conformant, 1 known failure",
        ),
        (report(record(verdict=Verdict.FAIL)), "✗ not conformant"),
        (report(record(), complete=False), "! incomplete"),
    ],
    ids=["conformant", "known", "broken", "incomplete"],
)
def test_it_says_target_and_verdict(made: Report, message: str) -> None:
    root = ET.fromstring(badge.svg(made))
    assert [text.text for text in root.iter(f"{SVG}text")] == ["local", message]
    assert root.get("aria-label") == f"local: {message[2:]}"


@pytest.mark.parametrize("name", ["a", "x" * 500, "网关" * 30, '"><script>&]]>', f"{HOSTILE}\uffff", ""])
def test_any_name_stays_within(name: str) -> None:
    root = ET.fromstring(badge.svg(named(name)))
    whole = int(root.get("width", "0"))
    assert {child.tag for child in root.iter()} == {
        f"{SVG}{tag}" for tag in ("svg", "title", "rect", "path", "g", "text")
    }
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.get("x", "")) + float(text.get("textLength", "")) <= whole
    assert whole < 700


def test_it_asks_for_nothing() -> None:
    assert badge.svg(named("x")).count("http") == 1  # the name space
