"""A gate on a conformance run: any run can show a breach, only a whole one that there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateproof.gate.conformance import judge_conformance
from gateproof.gate.model import ConformanceGate, Placed
from gateproof.gate.result import Row, Verdict
from gateproof.report.model import Report, Suite
from gateproof.verdict.catalogue import Catalogue
from gateproof.verdict.outcomes import Verdict as Outcome
from tests.unit.report_samples import CATALOGUE, MUST, SHOULD, known, record, report

PASSED = record("AUTH-001")


def judged(found: Report, catalogue: Catalogue | None = None, **gate: Any) -> Row:
    made = ConformanceGate.model_validate({"conformance": "must", **gate})
    return judge_conformance(Placed(made, 3), made, Path("reports/x"), found, catalogue)


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Outcome.PASS, Verdict.PASS),
        (Outcome.WARN, Verdict.FAIL),
        (Outcome.FAIL, Verdict.FAIL),
        (Outcome.UNTESTABLE, Verdict.UNMEASURED),
        (Outcome.INCONCLUSIVE, Verdict.UNMEASURED),
        (Outcome.ERROR, Verdict.UNMEASURED),
        (Outcome.DISABLED, Verdict.UNMEASURED),
        (Outcome.NOT_DECLARED, Verdict.PASS),
    ],
)
def test_a_must_that_did_not_pass_is_told_by_its_id(outcome: Outcome, verdict: Verdict) -> None:
    found = judged(report(PASSED, record(MUST, outcome)))
    assert found.verdict is verdict
    assert (MUST in found.said) == (verdict is not Verdict.PASS)


def test_what_is_allowed_passes() -> None:
    found = report(PASSED, record(MUST, Outcome.FAIL), record("AUTH-003", Outcome.UNTESTABLE))
    assert judged(found, failed=1, untestable=1).verdict is Verdict.PASS
    assert judged(found, failed=1).verdict is Verdict.UNMEASURED
    assert judged(found, untestable=1).verdict is Verdict.FAIL


def test_only_the_level_that_is_named_counts() -> None:
    found = report(PASSED, record(SHOULD, Outcome.WARN))
    assert judged(found).verdict is Verdict.PASS
    assert judged(found, conformance="should").verdict is Verdict.FAIL
    assert judged(found, conformance="should", failed=1).verdict is Verdict.PASS


def test_known_failures_pass_unless_they_are_bounded() -> None:
    found = report(PASSED, record(MUST, Outcome.FAIL), expectations=known())
    assert judged(found).verdict is Verdict.PASS
    assert "1 known to be broken" in judged(found).said
    assert judged(found, known=0).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("outcome", "settings"),
    [(Outcome.FAIL, {"expires": "2026-11-19"}), (Outcome.PASS, {}), (Outcome.FAIL, {"seen": "another text"})],
    ids=["expired", "stale", "another failure"],
)
def test_an_expectation_that_does_not_hold_fails(outcome: Outcome, settings: dict[str, str]) -> None:
    found = judged(report(PASSED, record(MUST, outcome), expectations=known(**settings)), failed=5)
    assert found.verdict is Verdict.FAIL
    assert "with an expectation that does not hold" in found.said


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"complete": False, "interrupted": "Ctrl-C"}, "Ctrl-C"),
        ({"complete": False}, "incomplete"),
        ({"selected": "area AUTH"}, "only area AUTH"),
    ],
    ids=["interrupted", "incomplete", "restricted"],
)
def test_a_part_of_a_run_proves_a_breach_and_nothing_else(settings: dict[str, Any], said: str) -> None:
    fine = judged(report(PASSED, **settings))
    assert fine.verdict is Verdict.VOID
    assert said in fine.said
    assert judged(report(record(MUST, Outcome.FAIL), **settings)).verdict is Verdict.FAIL


def test_a_run_of_a_few_files_is_a_part_though_it_does_not_say_so() -> None:
    """`pytest conformance/test_auth.py` restricts a run by pytest's own words, which no report has."""
    ids = [name for name, requirement in CATALOGUE.requirements.items() if requirement.needs_test]
    whole, part = (report(*(record(each) for each in some)) for some in (ids, ids[:-3]))
    assert judged(whole, CATALOGUE).verdict is Verdict.PASS
    found = judged(part, CATALOGUE)
    assert found.verdict is Verdict.VOID
    assert found.said == f"the run looked at {len(ids) - 3} of {len(ids)} requirements"


def test_a_run_of_another_catalogue_proves_nothing_of_this_one() -> None:
    other = report(PASSED, suite=Suite(version="1.0", catalogue_hash="0123", command="pytest"))
    found = judged(other, CATALOGUE)
    assert (found.verdict, found.said) == (Verdict.VOID, f"the run is of catalogue 0123, here is {CATALOGUE.hash}")


def test_a_run_that_judged_nothing_is_no_pass() -> None:
    assert judged(report(record(SHOULD, Outcome.PASS))).verdict is Verdict.UNMEASURED


def test_no_run_is_no_pass() -> None:
    gate = ConformanceGate.model_validate({"conformance": "must"})
    found = judge_conformance(Placed(gate, 3), gate, None, None, None)
    assert (found.verdict, found.measured) == (Verdict.UNMEASURED, None)


def test_the_gate_is_told_in_words() -> None:
    found = judged(report(PASSED), failed=2, known=1)
    assert found.gate == "MUST: no untestable, disabled, expired, at most 2 failed, at most 1 known"


def test_many_ids_are_counted() -> None:
    ids = [f"AUTH-{number:03}" for number in (1, 2, 3, 4, 6, 7, 8)]
    found = report(*(record(id_, Outcome.FAIL) for id_ in ids))
    musts = sum(result.level == "MUST" for result in found.requirements)
    assert f"{musts} broken: " in judged(found).said
    assert f"{musts - 5} more" in judged(found).said
