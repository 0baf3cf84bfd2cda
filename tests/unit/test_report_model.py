"""Roll-up: the worst part wins, an expectation covers nothing but itself, and nothing lost reads as fine."""

from __future__ import annotations

import json

import jsonschema
import pytest

from gateproof.report.model import EvidenceItem, Record, Report, TargetInfo
from gateproof.report.rollup import evidence_files
from gateproof.report.schema import report_schema, schema_text
from gateproof.verdict.expectations import Expectations
from gateproof.verdict.outcomes import Verdict
from tests.unit.report_samples import CATALOGUE, HOSTILE, MUST, ROOT, SHOULD, known, record, report


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ([Verdict.PASS, Verdict.NOT_DECLARED], Verdict.PASS),
        ([Verdict.PASS, Verdict.FAIL, Verdict.PASS], Verdict.FAIL),
        ([Verdict.FAIL, Verdict.ERROR], Verdict.ERROR),
        ([Verdict.UNTESTABLE, Verdict.INCONCLUSIVE], Verdict.UNTESTABLE),
        ([Verdict.NOT_DECLARED, Verdict.NOT_DECLARED], Verdict.NOT_DECLARED),
    ],
)
def test_worst_part_wins(verdicts: list[Verdict], whole: Verdict) -> None:
    (result,) = report(*(record(verdict=v, part=str(n)) for n, v in enumerate(verdicts))).requirements
    assert (result.verdict, len(result.parts)) == (whole, len(verdicts))


@pytest.mark.parametrize(
    ("requirement", "verdict", "whole"),
    [
        (MUST, Verdict.PASS, "CONFORMANT"),
        (MUST, Verdict.WARN, "CONFORMANT"),
        (MUST, Verdict.FAIL, "NOT CONFORMANT"),
        (MUST, Verdict.UNTESTABLE, "NOT CONFORMANT"),
        (MUST, Verdict.INCONCLUSIVE, "NOT CONFORMANT"),
        (MUST, Verdict.ERROR, "NOT CONFORMANT"),
        (MUST, Verdict.NOT_DECLARED, "CONFORMANT"),
        (SHOULD, Verdict.WARN, "CONFORMANT"),
        (SHOULD, Verdict.UNTESTABLE, "CONFORMANT"),
        (SHOULD, Verdict.ERROR, "NOT CONFORMANT"),
    ],
)
def test_verdict_on_the_target(requirement: str, verdict: Verdict, whole: str) -> None:
    assert report(record("AUTH-001"), record(requirement, verdict)).summary.verdict == whole


@pytest.mark.parametrize("verdict", [Verdict.NOT_DECLARED, Verdict.DISABLED])
def test_a_run_that_judged_nothing_proves_nothing(verdict: Verdict) -> None:
    assert report(record(verdict=verdict)).summary.verdict == "INCOMPLETE"
    assert report().summary.verdict == "INCOMPLETE"


def test_an_incomplete_run_is_never_conformant() -> None:
    assert report(record(), complete=False, interrupted="Ctrl-C").summary.verdict == "INCOMPLETE"
    assert report(record(verdict=Verdict.FAIL), complete=False).summary.verdict == "NOT CONFORMANT"


def test_a_lost_result_is_an_error_of_a_complete_run() -> None:
    awaited = {record().nodeid: MUST, "conformance/test_auth.py::test_lost": "AUTH-003"}
    whole = report(record(), awaited=awaited)
    assert (whole.summary.verdict, whole.summary.errors) == ("NOT CONFORMANT", ["AUTH-003"])
    part = report(record(), awaited=awaited, complete=False)
    assert (part.summary.verdict, part.summary.errors, part.summary.not_run) == ("INCOMPLETE", [], ["AUTH-003"])


@pytest.mark.parametrize(
    ("records", "expectations", "state", "whole"),
    [
        ([Verdict.FAIL], known(), "expected", "CONFORMANT"),
        ([Verdict.FAIL, Verdict.PASS], known(), "expected", "CONFORMANT"),
        ([Verdict.PASS, Verdict.PASS], known(), "stale", "NOT CONFORMANT"),
        ([Verdict.FAIL], known(expires="2026-11-19"), "expired", "NOT CONFORMANT"),
        ([Verdict.FAIL], known(expires="2026-11-20"), "expected", "CONFORMANT"),
        ([Verdict.FAIL, Verdict.UNTESTABLE], known(), "mismatch", "NOT CONFORMANT"),
        ([Verdict.FAIL, Verdict.ERROR], known(), "mismatch", "NOT CONFORMANT"),
        ([Verdict.FAIL], known(seen="another text"), "mismatch", "NOT CONFORMANT"),
        ([Verdict.FAIL], known(seen="got 200"), "expected", "CONFORMANT"),
        ([Verdict.NOT_DECLARED], known(), "none", "CONFORMANT"),
    ],
)
def test_expectations(records: list[Verdict], expectations: Expectations, state: str, whole: str) -> None:
    parts = [record(verdict=v, part=str(n), message="got 200") for n, v in enumerate(records)]
    made = report(record("AUTH-001"), *parts, expectations=expectations)
    result = made.requirements[1]
    assert result.expectation is not None
    assert (result.expectation.state, made.summary.verdict) == (state, whole)


def test_the_part_that_nothing_excuses_speaks() -> None:
    parts = [record(verdict=Verdict.FAIL, part=word, message=word) for word in ("known bug", "new bug")]
    (result,) = report(*parts, expectations=known(seen="known")).requirements
    assert (result.message, result.state) == ("new bug", "mismatch")


def test_summary_lists_each_state_once() -> None:
    made = report(
        record(verdict=Verdict.FAIL), record("AUTH-003", Verdict.FAIL), expectations=known(), selected="area AUTH"
    )
    summary = made.summary
    assert (summary.expected, summary.must_broken, summary.selected) == ([MUST], ["AUTH-003"], "area AUTH")
    assert (summary.counts[Verdict.FAIL], summary.wall_s) == (2, 5.0)


def test_results_stand_in_the_order_of_the_catalogue() -> None:
    made = report(record("STREAM-001"), record("AUTH-003"), record("AUTH-001"))
    assert [result.id for result in made.requirements] == ["AUTH-001", "AUTH-003", "STREAM-001"]


def test_other_targets_are_passed_over() -> None:
    other = Record(MUST, "other", "", "x", Verdict.FAIL)
    assert report(record(), other).summary.verdict == "CONFORMANT"


def test_planned_and_excluded_are_told_with_their_reasons() -> None:
    planned = {item.id: item.reason for item in report(record()).planned}
    assert planned == {r.id: r.planned for r in CATALOGUE.requirements.values() if r.planned}


def test_evidence_only_of_what_did_not_pass() -> None:
    items = tuple(EvidenceItem(f"text {n}", "curl\nx", f"GET /{n} → 200") for n in range(2))
    records = [record(verdict=Verdict.PASS, evidence=items), record("AUTH-003", Verdict.FAIL, "a", evidence=items)]
    passed, failed = report(*records).requirements
    assert passed.evidence == []
    assert [(ref.request, ref.file) for ref in failed.evidence] == [
        ("GET /1 → 200", "AUTH-003.http"),
        ("GET /0 → 200", "AUTH-003.http"),
    ]
    files = evidence_files(records, "local")
    assert list(files) == ["AUTH-003"]
    assert "### a: FAIL, exchange 1 of 2: GET /0 → 200\n# curl\n# x\n\ntext 0\n" in files["AUTH-003"]


def test_records_travel_as_plain_types() -> None:
    sent = record(verdict=Verdict.FAIL, message="ü", evidence=(EvidenceItem("t", "c", "l"),), duration=0.5)
    plain = json.loads(json.dumps(sent.to_json()))
    assert type(sent.to_json()["verdict"]) is str
    assert Record.from_json(plain) == sent


def test_hostile_text_survives_the_way_as_escapes() -> None:
    sent = record(verdict=Verdict.FAIL, message=HOSTILE * 2000, evidence=(EvidenceItem(HOSTILE, HOSTILE, HOSTILE),))
    json.dumps(sent.to_json(), ensure_ascii=False).encode()
    for arrived in (sent, Record.from_json(sent.to_json())):
        text = report(arrived).model_dump_json()
        assert len(text) < 100_000
        assert not any(bad in text for bad in ("\x1b", "\\u001b", "\u202e"))


def test_credentials_in_the_address_are_left_out() -> None:
    assert TargetInfo(name="x", url="https://me:secret@example.com/v1", dialect="d").url == "https://example.com/v1"


def test_a_written_report_holds_to_the_schema() -> None:
    made = report(
        record(verdict=Verdict.FAIL, message=HOSTILE, evidence=(EvidenceItem("t", "c", "l"),)), expectations=known()
    )
    data = json.loads(made.model_dump_json())
    jsonschema.Draft202012Validator.check_schema(report_schema())
    jsonschema.validate(data, report_schema())
    assert Report.model_validate_json(made.model_dump_json()) == made
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**data, "more": 1}, report_schema())


def test_the_published_schema_is_the_model() -> None:
    published = ROOT / "docs" / "schema" / "report.schema.json"
    assert published.read_text() == schema_text(), "run: python -m gateproof.report.schema > docs/schema/…"
    assert "$id" not in report_schema()
