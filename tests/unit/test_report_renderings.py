"""Terminal, Markdown and JUnit: the same verdict in three forms, and no reply of a target can forge one."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest

from gateproof.report.junit import junit_xml
from gateproof.report.model import EvidenceItem, Report
from gateproof.report.summary import PAGE_BYTES, escape, summary_markdown
from gateproof.report.terminal import failure_lines, summary_lines
from gateproof.report.text import clean, shorten, width_of
from gateproof.verdict.catalogue import Catalogue
from gateproof.verdict.expectations import Expectations
from gateproof.verdict.outcomes import Verdict
from tests.unit.report_samples import CATALOGUE, HOSTILE, known, record, report

FOLDER = "reports/local/conformance/2026-11-20T12-00-00"
CURL = """curl -s http://127.0.0.1:1/v1/models -H "Authorization: Bearer $KEY" """ + "-H 'x: y' " * 20
EVIDENCE = (EvidenceItem("GET / HTTP/1.1", CURL, "GET /v1/models → 200 in 31 ms"),)


def busy(expectations: Expectations | None = None, text: str = "got 200") -> Report:
    more: dict[str, Any] = {"message": text, "expected": "401", "seen": text, "evidence": EVIDENCE}
    return report(
        record("AUTH-001", duration=0.25),
        record("AUTH-002", Verdict.FAIL, **more),
        record("AUTH-003", Verdict.UNTESTABLE, message="no second key"),
        record("AUTH-005", Verdict.WARN, **more),
        record("CHAT-001", Verdict.ERROR, message="KeyError"),
        record("EMB-001", Verdict.NOT_DECLARED, message="not declared: api.embeddings"),
        expectations=expectations or Expectations({}),
        selected="area AUTH",
    )


@pytest.mark.parametrize("width", [80, 120, 200])
def test_terminal_summary_fits(width: int) -> None:
    lines = summary_lines(busy(known("AUTH-005", Verdict.WARN), text=HOSTILE * 9), width, FOLDER)
    assert max(map(width_of, lines)) <= width
    assert lines[-1].endswith(FOLDER)
    text = "\n".join(lines)
    assert "NOT CONFORMANT: 1 MUST broken, 1 untestable, 1 error of gateproof" in text
    assert "only area AUTH" in text


def test_terminal_rows_count_and_show_the_worst() -> None:
    lines = summary_lines(busy(known("AUTH-005", Verdict.WARN)), 120, FOLDER)
    head, auth = next((lines[n], lines[n + 1]) for n, line in enumerate(lines) if line.startswith("area"))
    assert head.split() == ["area", "PASS", "FAIL", "ERROR", "WARN", "n/a", "untestable", "known"]
    assert auth.split()[:8] == ["auth", "1", "1", ".", ".", ".", "1", "1"]
    assert "AUTH-002" in auth
    assert auth.endswith("+2")


def test_terminal_says_why_a_run_is_incomplete() -> None:
    made = report(record(), complete=False, interrupted="Ctrl-C", awaited={"x": "AUTH-003"})
    text = "\n".join(summary_lines(made, 80))
    assert "INCOMPLETE: interrupted, 1 without a result" in text
    assert "interrupted: Ctrl-C" in text
    assert "INCOMPLETE: nothing could be judged" in "\n".join(summary_lines(report(), 80))


def test_terminal_praise() -> None:
    made = report(record(), record("AUTH-003", Verdict.FAIL), expectations=known("AUTH-003"))
    assert summary_lines(made, 80)[-1] == "CONFORMANT BUT FOR KNOWN FAILURES: 1 passed, 1 known failure"


@pytest.mark.parametrize("width", [80, 200])
def test_failure_tells_all_one_needs(width: int) -> None:
    result = busy().requirements[1]
    lines = failure_lines(result, width, FOLDER)
    assert lines[0].startswith("FAIL  AUTH-002  MUST (schema or SDK)  No credentials")
    labels = [line.split()[0] for line in lines[1:] if line[6] != " "]
    assert labels == ["expected", "seen", "evidence", "source", "repeat"]
    assert any(line.endswith(f"{FOLDER}/AUTH-002.http") for line in lines)
    assert max(width_of(line) for line in lines if CURL not in line) <= width
    assert any(CURL in line for line in lines), "the command to repeat stays whole"


@pytest.mark.parametrize(
    ("verdict", "expectations", "told"),
    [
        (Verdict.FAIL, known(), "until 2027-03-01: why https://example.com/1"),
        (Verdict.PASS, known(), "STALE expectation, now PASS: why"),
        (Verdict.FAIL, known(expires="2020-01-01"), "expectation EXPIRED 2020-01-01: why"),
        (Verdict.FAIL, known(seen="other"), "broke OTHERWISE than expected: why"),
    ],
)
def test_failure_tells_what_is_known(verdict: Verdict, expectations: Expectations, told: str) -> None:
    result = report(record(verdict=verdict), expectations=expectations).requirements[0]
    assert told in "\n".join(failure_lines(result, 120))


def test_failure_names_the_broken_parts() -> None:
    parts = [record(verdict=Verdict.FAIL, part="chat"), record(part="embeddings")]
    assert any("FAIL in 1 of 2: chat" in line for line in failure_lines(report(*parts).requirements[0], 80))


def test_a_huge_message_is_cut() -> None:
    result = report(record(verdict=Verdict.FAIL, message="word " * 100_000)).requirements[0]
    assert len(failure_lines(result, 80)) < 20


def junit(made: Report) -> ET.Element:
    return ET.fromstring(junit_xml(made).encode())


def kinds(root: ET.Element) -> dict[str, list[str]]:
    return {case.get("name", "").split()[0]: [child.tag for child in case] for case in root.iter("testcase")}


def test_junit_is_red_where_the_report_is() -> None:
    root = junit(busy())
    assert kinds(root) == {
        "AUTH-001": [],
        "AUTH-002": ["failure"],
        "AUTH-003": ["failure"],
        "AUTH-005": ["system-out"],
        "CHAT-001": ["error"],
        "EMB-001": ["skipped"],
    }
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["6", "2", "1", "1"]
    assert [suite.get("name") for suite in root] == [
        "auth: authentication",
        "chat: chat completions, unary",
        "emb: embeddings",
    ]
    case = next(root.iter("testcase"))
    assert (case.get("classname"), case.get("time")) == ("gateproof.local.auth", "0.250")


@pytest.mark.parametrize(
    ("verdict", "expectations", "tags"),
    [
        (Verdict.FAIL, known(), ["skipped"]),
        (Verdict.PASS, known(), ["failure"]),
        (Verdict.FAIL, known(expires="2020-01-01"), ["failure"]),
        (Verdict.FAIL, known(seen="other"), ["failure"]),
        (Verdict.INCONCLUSIVE, Expectations({}), ["failure"]),
        (Verdict.DISABLED, Expectations({}), ["skipped"]),
    ],
)
def test_junit_of_expectations(verdict: Verdict, expectations: Expectations, tags: list[str]) -> None:
    made = report(record("AUTH-001"), record(verdict=verdict), expectations=expectations)
    assert kinds(junit(made))["AUTH-002"] == tags


def test_junit_of_an_incomplete_run_is_red() -> None:
    root = junit(report(record(), complete=False, interrupted="worker died"))
    assert root.get("errors") == "1"
    assert root.find(".//error").text == "worker died"  # type: ignore[union-attr]  # the assertion is that it is there


def test_junit_survives_hostile_text() -> None:
    made = busy(text=HOSTILE + "]]>\ufffe\x0b")
    assert b"<script>" not in junit_xml(made).encode()
    assert junit(made).get("failures") == "2"


class Tags(HTMLParser):
    """Every element that a browser would make."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


def test_markdown_tells_the_verdict_first_and_counts_by_area() -> None:
    page = summary_markdown(busy(known("AUTH-005", Verdict.WARN)))
    assert page.startswith("## ❌ NOT CONFORMANT: local\n\n**1 MUST broken, 1 untestable, 1 error of gateproof**")
    assert "| auth: authentication | 1 | 1 | · | · | · | 1 | 1 | AUTH-002, AUTH-003 |" in page
    assert "- **AUTH-005**" in page
    assert '<a href="https://example.com/1">link</a>' in page
    assert "Restricted: only area AUTH" in page
    assert "planned, without a test in this release" in page


def test_markdown_cannot_be_drawn_upon() -> None:
    text = "<script>x</script> | ``` </details> [a](javascript:b) @all ![i](http://x/y)\n\n# head\n| a |"
    page = summary_markdown(busy(text=text))
    tags = Tags()
    tags.feed(page)
    assert tags.seen <= {"details", "summary", "b", "pre", "code", "p", "a"}
    assert page.count("<details>") == page.count("</details>") == 4
    assert not any(line.startswith("# head") and "<pre>" not in page.split(line)[0] for line in page.splitlines())


@pytest.mark.parametrize(
    "text", ["a|b", "`x`", "<b>", "[a](b)", "*x*", "_x_", "@me", "#1", "$x$", "~~x~~", "\\|", "a\nb"]
)
def test_escape_leaves_nothing_special(text: str) -> None:
    escaped = escape(text)
    bare = escaped.replace("&#", "&")
    assert not set("|`<>[]*_@#$~\\\n\"'") & set(bare)


def test_escape_makes_no_links() -> None:
    assert "://" not in escape("https://evil.example")
    assert "www." not in escape("www.evil.example")


def test_markdown_stays_within_its_bound() -> None:
    large = "'<" * 4000
    tested = [requirement.id for requirement in CATALOGUE.requirements.values()]
    records = [
        record(
            name, Verdict.FAIL, message=large, expected=large, seen=large, evidence=(EvidenceItem(large, large, large),)
        )
        for name in tested
    ]
    page = summary_markdown(report(*records))
    assert len(page.encode()) <= PAGE_BYTES
    assert "more in `report.json`" in page


def test_titles_of_the_catalogue_are_escaped_too() -> None:
    requirement = dataclasses.replace(CATALOGUE["AUTH-002"], claim="a | `b` <i>c</i>")
    altered = Catalogue({"AUTH-002": requirement}, CATALOGUE.areas, "0")
    page = summary_markdown(report(record(verdict=Verdict.FAIL), catalogue=altered))
    assert "a &#124; &#96;b&#96; &#60;i&#62;c&#60;/i&#62;" in page


def test_clean_is_bounded_and_idempotent() -> None:
    once = clean(HOSTILE * 5000)
    assert clean(once) == once
    assert "characters in all" in once
    assert clean("a\tb\nc é 你 🌍") == "a\tb\nc é 你 🌍"
    assert clean("\r\x1b\ud800\u202e") == "\\x0d\\x1b\\ud800\\u202e"


def test_shorten_counts_cells() -> None:
    assert shorten("你好世界", 5) == "你好…"
    assert shorten("a  b\nc", 10) == "a b c"
    assert shorten("abc", 0) == ""
