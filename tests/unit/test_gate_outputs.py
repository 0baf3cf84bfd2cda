"""Every rendering of a result says the same, and hostile text does nothing in any of them."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from gateproof.gate.outputs import to_github, to_gitlab, to_json, to_junit, to_markdown
from gateproof.gate.result import GateResult, Row, RunRef, Sample, Verdict, overall
from gateproof.gate.schema import SCHEMAS, schema_text
from gateproof.gate.terminal import rendered
from gateproof.gate.words import length
from tests.unit.report_samples import HOSTILE, ROOT

SEEN = Sample(estimate=0.412, low=0.398, high=0.431, samples=480, effective=312.0, method="order statistics")


def row(verdict: Verdict, **more: Any) -> Row:
    plain = {
        "line": 7,
        "gate": "ttft.p95 ≤ 2 s",
        "level": "hard",
        "verdict": verdict,
        "subject": "ttft.p95",
        "side": "max",
        "bound": 2.0,
        "unit": "s",
        "confidence": 0.99,
        "run": "reports/x/load/latest",
        "profile": "baseline",
        "measured": SEEN,
        "said": f"said of {verdict}",
    }
    return Row.model_validate({**plain, **more})


def result(*rows: Row, **more: Any) -> GateResult:
    verdict, code = overall(list(rows))
    run = RunRef(
        run="reports/x/load/latest",
        kind="load",
        role="judged",
        target="local",
        versions={},
        profile="baseline",
        verdict="VALID",
    )
    plain: dict[str, Any] = {
        "verdict": verdict,
        "exit_code": code,
        "gates": "load/gates/release.yaml",
        "suite": "0.1.0",
    }
    return GateResult.model_validate({**plain, "runs": [run], "rows": list(rows), "notes": [], **more})


EVERY = result(*(row(verdict) for verdict in Verdict), row(Verdict.FAIL, level="advisory", why="a choice"))
BAD = result(
    *(row(verdict, said=HOSTILE, gate=HOSTILE, profile=HOSTILE, why=HOSTILE) for verdict in Verdict), notes=[HOSTILE]
)


def shown(whole: GateResult, width: int, *, explain: bool = False) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, emoji=False, markup=False).print(rendered(whole, explain=explain))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("whole", [EVERY, BAD], ids=["plain", "hostile"])
def test_json_holds_to_its_schema(whole: GateResult) -> None:
    plain = json.loads(to_json(whole))
    jsonschema.Draft202012Validator.check_schema(SCHEMAS["gate-result"]())
    jsonschema.validate(plain, SCHEMAS["gate-result"]())
    assert GateResult.model_validate(plain) == whole
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**plain, "more": 1}, SCHEMAS["gate-result"]())


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schema_is_the_model(name: str) -> None:
    published = ROOT / "docs" / "schema" / f"{name}.schema.json"
    assert published.read_text() == schema_text(name), f"run: python -m gateproof.gate.schema {name} > {published}"


def test_junit_is_red_where_the_release_stops() -> None:
    root = ET.fromstring(to_junit(EVERY))
    cases = list(root.iter("testcase"))
    assert {case[0].get("message", "").partition(":")[0]: case[0].tag for case in cases[:-1]} == {
        "": "system-out",
        "FAIL": "failure",
        "UNMEASURED": "failure",
        "UNDECIDED": "error",
        "VOID": "error",
        "NOT COMPARED": "skipped",
    }
    assert cases[-1][0].tag == "skipped"
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["7", "2", "2", "2"]
    assert (cases[0].get("file"), cases[0].get("line")) == ("load/gates/release.yaml", "7")


def test_hostile_text_is_still_xml() -> None:
    assert len(list(ET.fromstring(to_junit(BAD)).iter("testcase"))) == len(Verdict)


def test_markdown_says_every_row() -> None:
    page = to_markdown(EVERY)
    assert page.startswith("## ❌ FAIL: local\n")
    assert page.count("| ttft.p95 ≤ 2 s") == len(Verdict) + 1
    assert "412 ms (398 ms to 431 ms) | 480 |" in page
    assert "ttft.p95 ≤ 2 s (advisory)" in page


def test_hostile_text_draws_nothing_in_markdown() -> None:
    page = to_markdown(BAD)
    assert "</pre>" not in page
    assert "<script" not in page
    assert "@all" not in page
    assert all(line.count("|") == 6 for line in page.splitlines() if line.startswith("| "))


def test_github_gets_a_command_for_each_open_gate() -> None:
    lines = to_github(EVERY).splitlines()
    assert lines[0] == "::error file=load/gates/release.yaml,line=7,title=FAIL ttft.p95 ≤ 2 s::said of FAIL"
    assert [line.partition(" ")[0] for line in lines] == ["::error"] * 4 + ["::warning"]


def test_hostile_text_gives_github_no_command() -> None:
    sneaky = result(row(Verdict.FAIL, said="a\n::set-output name=x::y", gate="a,line=1::b"))
    assert to_github(sneaky) == (
        "::error file=load/gates/release.yaml,line=7,title=FAIL a%2Cline=1%3A%3Ab::a%0A::set-output name=x::y\n"
    )


def test_gitlab_gets_a_finding_for_each_open_gate() -> None:
    found = json.loads(to_gitlab(result(row(Verdict.PASS), row(Verdict.FAIL), row(Verdict.VOID, level="advisory"))))
    assert [(each["severity"], each["location"]) for each in found] == [
        ("critical", {"path": "load/gates/release.yaml", "lines": {"begin": 7}}),
        ("minor", {"path": "load/gates/release.yaml", "lines": {"begin": 7}}),
    ]
    assert len(json.loads(to_gitlab(result(row(Verdict.PASS))))) == 0


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("whole", [EVERY, BAD], ids=["plain", "hostile"])
def test_a_terminal_shows_it_within_its_width(whole: GateResult, width: int) -> None:
    lines = shown(whole, width, explain=True)
    assert max(map(len, lines)) <= width
    assert [word for word in Verdict if not any(line.startswith(word) for line in lines)] == []


def test_a_terminal_explains_what_is_not_kept_and_on_demand_the_rest() -> None:
    short, long = ("\n".join(shown(EVERY, 200, explain=explain)) for explain in (False, True))
    assert "Said of FAIL." in short
    assert "Said of PASS." not in short
    assert "Said of PASS." in long
    assert "Because: a choice" in long
    assert "load/gates/release.yaml:7" in short


@pytest.mark.parametrize(
    ("profiles", "named"),
    [(["smoke"], []), (["smoke", "soak"], ["smoke", "soak"]), (["smoke", "smoke"], ["run-0", "run-1"])],
    ids=["one run", "two profiles", "two runs of one profile"],
)
def test_several_runs_are_told_apart(profiles: list[str], named: list[str]) -> None:
    runs = [EVERY.runs[0].model_copy(update={"run": f"run-{n}", "profile": each}) for n, each in enumerate(profiles)]
    rows = [row(Verdict.PASS, run=run.run, profile=run.profile) for run in runs]
    lines = shown(result(*rows, runs=runs), 80)
    assert ("run" in lines[0].split()) == bool(named)
    assert [word for word, line in zip(named, lines[1:], strict=False) if word not in line] == []


def test_what_is_void_for_one_reason_is_told_once() -> None:
    whole = result(*(row(Verdict.VOID, said="the run is void: we ran late") for _ in range(3)))
    assert "\n".join(shown(whole, 200)).count("The run is void: we ran late.") == 1
    assert "\n".join(shown(whole, 200, explain=True)).count("The run is void: we ran late.") == 3


def test_the_last_line_is_the_verdict() -> None:
    assert shown(EVERY, 200)[-1] == (
        "FAIL: a hard gate is broken, or was not measured (hard: 1 PASS, 1 FAIL, 1 UNMEASURED, 1 UNDECIDED, 1 VOID, "
        "1 NOT COMPARED; advisory: 1 FAIL)"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(40.4, "40 s"), (125.0, "2.1 min"), (3000.0, "50 min"), (9000.0, "2.5 h"), (1e6, "278 h")]
)
def test_lengths_are_shown_as_people_read_them(seconds: float, text: str) -> None:
    assert length(seconds) == text


def test_equal_results_give_equal_bytes() -> None:
    for made in (to_json, to_junit, to_markdown, to_github, to_gitlab):
        assert made(EVERY) == made(GateResult.model_validate_json(to_json(EVERY)))
