"""The conformance page says all that the report says, counts as the other renderings do, and lets nothing act."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys

import pytest

from gateproof.report.html import conformance
from gateproof.report.model import Capability, EvidenceItem, NotTested, Report
from gateproof.report.signs import SIGNS, STALE, overall_sign, sign_of
from gateproof.report.tally import COLUMNS
from gateproof.verdict.outcomes import Verdict
from tests.unit.html_reading import Document, plain
from tests.unit.report_samples import CATALOGUE, HOSTILE, ROOT, known, record, report

MANY = 400  # requirements; the catalogue has nearly as many
EVIDENCE = EvidenceItem("> GET /v1 HTTP/1.1\n< HTTP/1.1 200 OK", 'curl -H "Bearer $KEY" /v1', "GET /v1 → 200 in 3 ms")


def busy(**more: object) -> Report:
    told = {"message": "got 200", "expected": "401", "seen": "200", "evidence": (EVIDENCE, EVIDENCE)}
    return report(
        record("AUTH-001"),
        record("AUTH-002", Verdict.FAIL, "first", **told),
        record("AUTH-002", Verdict.PASS, "second"),
        record("AUTH-005", Verdict.WARN, **told),
        record("EMB-001", Verdict.NOT_DECLARED, message="not declared: api.embeddings"),
        expectations=known("AUTH-005", Verdict.WARN),
        **more,
    )


def test_the_same_report_gives_the_same_bytes_in_any_process() -> None:
    program = (
        "import sys, hashlib; from gateproof.report.html import conformance; from gateproof.report.model import Report;"
        "page = conformance.render(Report.model_validate_json(sys.stdin.read()));"
        "print(hashlib.sha256(page.encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            input=busy().model_dump_json(),
            env={"PYTHONHASHSEED": seed, "TZ": zone},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert len(digests) == 1


def test_the_verdict_and_its_reasons_stand_first() -> None:
    text = plain(conformance.render(busy()))
    start = text.index("LLM gateway conformance")
    assert text[start:].startswith("LLM gateway conformance local ✗ NOT CONFORMANT 1 MUST broken")


def test_every_requirement_opens_to_what_the_report_knows() -> None:
    text = conformance.render(busy())
    (body,) = re.findall(r'<details class="result[^>]*id="AUTH-002".*?</dl>', text, flags=re.DOTALL)
    result = busy().requirements[1]
    for expected in (result.claim, result.source, "401", "200", "got 200", "first", "second", EVIDENCE.line):
        assert expected in plain(body)
    assert '<pre tabindex="0" id="curl-AUTH-002-1">curl -H &#34;Bearer $KEY&#34; /v1</pre>' in body
    assert 'href="./AUTH-002.http"' in body


def test_an_expectation_is_told_with_reason_link_and_end() -> None:
    (body,) = re.findall(
        r'<details class="result[^>]*id="AUTH-005".*?</dl>', conformance.render(busy()), flags=re.DOTALL
    )
    assert "known until 2027-03-01 : why" in plain(body)
    assert '<a href="https://example.com/1" rel="noreferrer noopener">' in body


def test_a_stale_expectation_is_what_stands_first() -> None:
    made = report(record("AUTH-002"), expectations=known("AUTH-002"))
    assert sign_of(made.requirements[0]).word == "STALE"
    assert "remove the entry from the expectations of this target" in plain(conformance.render(made))


def test_a_run_that_did_not_end_says_so_on_top() -> None:
    made = report(record(), complete=False, interrupted="Ctrl-C", awaited={"x": "AUTH-003"})
    text = conformance.render(made)
    assert '<p class="note">Interrupted: Ctrl-C</p>' in text
    assert '<p class="note">Without a result: AUTH-003</p>' in text
    assert text.index("INCOMPLETE") < text.index("Ctrl-C") < text.index("By area")
    assert "Incomplete: the run did not come to its end" in conformance.render(report(record(), complete=False))


def test_planned_excluded_and_capabilities_are_listed() -> None:
    capabilities = [
        Capability(name="f.stream", declared="supported", detected=False),
        Capability(name="api.chat", declared="supported", detected=True),
        Capability(name="api.audio", declared="unset", detected=True),
    ]
    made = busy(capabilities=capabilities).model_copy(update={"excluded": [NotTested(id="SEC-099", reason="by hand")]})
    text = plain(conformance.render(made))
    assert "f.stream supported not there ≠ declared" in text
    assert "api.chat supported there api.audio unset there" in text
    assert "1 contradict" in text
    assert "SEC-099 by hand" in text
    assert all(entry.id in text for entry in made.planned)


def test_the_matrix_has_one_tile_per_requirement_and_counts_as_the_terminal_does() -> None:
    document = Document(conformance.render(busy()))
    tiles = [attrs["aria-label"] for tag, attrs in document.found if tag == "a" and attrs.get("data-of")]
    assert tiles == ["AUTH-001 PASS", "AUTH-002 FAIL", "AUTH-005 known", "EMB-001 not declared"]
    assert "AUTH authentication 1/3" in plain(conformance.render(busy()))


def test_every_column_has_a_sign_of_its_own() -> None:
    assert SIGNS.keys() == COLUMNS.keys()
    assert len({sign.glyph for sign in SIGNS.values()}) == len(SIGNS)
    assert all(len(sign.glyph) == 1 for sign in SIGNS.values())


def test_the_docs_list_every_sign() -> None:
    rows = re.findall(r"^\| (\S) \| ([^|]+) \|", (ROOT / "docs" / "reports.md").read_text(), flags=re.MULTILINE)
    assert rows == [(sign.glyph, sign.word) for sign in (*SIGNS.values(), STALE)]


def test_an_area_that_the_catalogue_does_not_name_is_shown() -> None:
    made = busy().model_copy(update={"areas": {}})
    assert [area.name for area in conformance.areas_of(made)] == ["AUTH", "EMB"]


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", " https://x", "file:///etc/passwd"])
def test_only_web_addresses_are_links(address: str) -> None:
    assert conformance.as_link(address) is None
    assert conformance.as_link("https://example.com") == "https://example.com"


def test_what_a_target_says_is_text() -> None:
    quiet, loud = busy(), busy(selected=HOSTILE, interrupted=HOSTILE, complete=False)
    hostile = {"message": HOSTILE, "seen": HOSTILE, "expected": HOSTILE, "claim": HOSTILE, "source": HOSTILE}
    results = [result.model_copy(update=hostile) for result in loud.requirements]
    text = conformance.render(loud.model_copy(update={"requirements": results}))
    tags = [
        [tag for tag, _ in Document(each).found if tag in ("script", "pre")]
        for each in (conformance.render(quiet), text)
    ]
    assert tags[0] == tags[1]
    assert not any(bad in text for bad in ("\x1b", "\x00", "\ud800", "\u202e"))


def test_four_hundred_requirements_are_all_there() -> None:
    (base,) = report(
        record(verdict=Verdict.FAIL, message="got 200", seen="x" * 2000, evidence=(EVIDENCE,) * 12)
    ).requirements
    results = [base.model_copy(update={"id": f"AUTH-{number:03}"}) for number in range(MANY)]
    text = conformance.render(report(record()).model_copy(update={"requirements": results}))
    assert text.count('<details class="result') == text.count("data-of=") == MANY


def test_the_overall_sign_is_the_one_of_the_run() -> None:
    assert dataclasses.astuple(overall_sign(busy())) == ("✗", "NOT CONFORMANT", "bad")
    made = report(record(), record("AUTH-005", Verdict.WARN), expectations=known("AUTH-005", Verdict.WARN))
    assert overall_sign(made).word == "CONFORMANT BUT FOR KNOWN FAILURES"
    assert overall_sign(report()).tone == "warn"


def test_the_catalogue_has_ids_that_an_address_can_hold() -> None:
    assert [id_ for id_ in CATALOGUE.requirements if not re.fullmatch(r"[A-Z0-9-]+", id_)] == []
