"""Runs side by side: what differs stands first, and what makes a difference doubtful is told."""

from __future__ import annotations

import pytest

from gateproof.report import side_by_side
from gateproof.report.model import NotTested, Report, Suite, TargetInfo
from gateproof.report.text import width_of
from gateproof.verdict.outcomes import Verdict
from tests.unit.html_reading import plain
from tests.unit.report_samples import CATALOGUE, HOSTILE, record, report


def run(name: str, verdicts: dict[str, Verdict], **more: object) -> Report:
    records = [record(id_, verdict, message=f"{name} says {verdict}") for id_, verdict in verdicts.items()]
    return report(*records, **more).model_copy(
        update={"target": TargetInfo(name=name, url="http://x", dialect="reference")}
    )


def two() -> list[Report]:
    first = {
        "AUTH-001": Verdict.PASS,
        "AUTH-002": Verdict.PASS,
        "AUTH-003": Verdict.NOT_DECLARED,
        "CHAT-001": Verdict.PASS,
    }
    return [
        run("old", first),
        run("new", {**first, "AUTH-002": Verdict.FAIL, "AUTH-003": Verdict.PASS, "EMB-001": Verdict.PASS}),
    ]


def test_disagreement_stands_first_then_what_one_run_did_not_judge() -> None:
    rows = side_by_side.rows(two())
    assert [(row.id, row.disagrees, row.differs) for row in rows] == [
        ("AUTH-002", True, True),
        ("AUTH-003", False, True),
        ("EMB-001", False, True),
        ("AUTH-001", False, False),
        ("CHAT-001", False, False),
    ]
    assert [sign.word for sign in rows[2].signs] == ["no result", "PASS"]
    assert side_by_side.headline(rows) == "1 of 5 requirements differ, and 2 more were judged in some runs only"


def test_the_page_has_every_row_and_both_sides_of_a_difference() -> None:
    text = plain(side_by_side.render(two()))
    assert "old says PASS" in text
    assert "new says FAIL" in text
    assert side_by_side.render(two()) == side_by_side.render(two())
    assert side_by_side.render(two()).count("data-differs=") == 5


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_terminal_shows_what_differs(width: int) -> None:
    lines = side_by_side.text(two(), width).splitlines()
    assert max(map(width_of, lines)) <= width
    rows = {line.split()[0]: line.split()[2:6] for line in lines if line.startswith(("AUTH", "EMB", "CHAT"))}
    assert rows == {
        "AUTH-002": ["✓", "PASS", "✗", "FAIL"],
        "AUTH-003": ["–", "n/a", "✓", "PASS"],
        "EMB-001": ["·", "no", "result", "✓"],
    }


def test_equal_runs_differ_nowhere() -> None:
    assert "0 of 4 requirements differ\n" in side_by_side.text([two()[0]] * 2, 80)


def test_another_catalogue_is_told_with_what_it_lacks() -> None:
    old, new = two()
    changed = new.requirements[0].model_copy(update={"claim": "another claim"})
    new = new.model_copy(
        update={
            "suite": Suite(version="2.0", catalogue_hash="0123456789ab", command="pytest"),
            "requirements": [changed, *new.requirements[1:]],
            "planned": [*new.planned, NotTested(id="NEW-001", reason="later")],
        }
    )
    assert side_by_side.warnings([old, old]) == []
    hashes = f"run 1 {CATALOGUE.hash} (gateproof 1.0), run 2 0123456789ab (gateproof 2.0)"
    assert side_by_side.warnings([old, new]) == [
        f"the runs were judged by different catalogues: {hashes}",
        "run 1 says nothing of EMB-001, NEW-001",
        "claim or level differs between the runs: AUTH-001",
    ]
    for shown in (side_by_side.text([old, new], 80), side_by_side.render([old, new])):
        assert "0123456789ab" in shown


def test_a_run_that_saw_only_a_part_is_told() -> None:
    part = run("x", {"AUTH-001": Verdict.PASS}, selected="area AUTH", complete=False, interrupted="Ctrl-C")
    assert side_by_side.warnings([part, two()[0]]) == [
        "run 1 (x) is incomplete: Ctrl-C",
        "run 1 (x) was restricted to area AUTH",
    ]


def test_what_a_target_says_is_text() -> None:
    quiet, loud = (
        [run("a", {"AUTH-001": Verdict.PASS}), run(name, {"AUTH-001": Verdict.FAIL})] for name in ("b", HOSTILE)
    )
    tags = [side_by_side.render(reports).count("<script") for reports in (quiet, loud)]
    assert tags[0] == tags[1]
    assert "\x1b" not in side_by_side.text(loud, 80)
