"""``gateproof compare`` and ``gateproof history``: what they print, what they leave, what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import typer
from typer.testing import CliRunner

from gateproof.compare import history_page, page, schema
from gateproof.compare.command import compare, history
from gateproof.compare.history import history as history_of
from gateproof.compare.pairs import VoidRun
from gateproof.compare.pairs import compare as compared
from gateproof.errors import ConfigError, GateproofError
from gateproof.report.saved import read_run
from gateproof.report.write import write_report
from gateproof.verdict.outcomes import Verdict
from tests.unit import load_runs, report_samples
from tests.unit.load_runs import lognormal, made

ROOT = Path(__file__).parents[2]
HOSTILE = "</script><script>alert(1)</script>\u202e\x1b[31m{{7*7}}"

app = typer.Typer()
app.command()(compare)
app.command()(history)


def invoke(*words: str | Path) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("reports")
    return [made(root, lognormal(median), noise=number) for number, median in enumerate((200, 240, 200))]


def test_a_comparison_is_printed_and_lies_beside_the_candidate(runs: list[Path], tmp_path: Path) -> None:
    printed = invoke("compare", *runs[:2], "--output", tmp_path / "new")
    assert "✗ worse" in printed
    assert printed.splitlines()[-1].strip() == str(tmp_path / "new" / "compare.html")
    told = json.loads((tmp_path / "new" / "compare.json").read_text())
    jsonschema.validate(told, json.loads(schema.schema_text("comparison.schema.json")))
    assert told["candidates"][0]["run"]["folder"] == str(runs[1])
    invoke("compare", *runs[:2])
    assert {"compare.html", "compare.json"} <= {file.name for file in runs[1].iterdir()}


def test_a_history_is_printed_and_lies_in_the_folder(runs: list[Path]) -> None:
    folder = runs[0].parent
    assert "3 runs from " in invoke("history", folder)
    told = json.loads((folder / "history.json").read_text())
    jsonschema.validate(told, json.loads(schema.schema_text("history.schema.json")))
    assert [point["run"]["folder"] for point in told["tracks"][0]["points"]] == [str(run) for run in runs]
    assert (folder / "history.html").read_text().startswith("<!doctype html>")


def test_conformance_runs_are_shown_side_by_side(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder, verdict in zip(folders, (Verdict.PASS, Verdict.FAIL), strict=True):
        write_report(report_samples.report(report_samples.record(verdict=verdict)), folder)
    printed = invoke("compare", *folders)
    assert report_samples.MUST in printed
    assert report_samples.MUST in (folders[1] / "compare.html").read_text()


def test_runs_of_two_kinds_are_refused(runs: list[Path], tmp_path: Path) -> None:
    write_report(report_samples.report(report_samples.record()), tmp_path)
    with pytest.raises(ConfigError, match=f"{tmp_path} is a conformance run"):
        invoke("compare", runs[0], tmp_path)


@pytest.mark.parametrize(("first", "last", "words"), [(0, 1, "at least two runs"), (0, 0, "no run|Missing argument")])
def test_one_run_alone_is_nothing_to_compare(runs: list[Path], first: int, last: int, words: str) -> None:
    chosen = runs[first:last]
    if not chosen:
        assert CliRunner().invoke(app, ["compare"]).exit_code == 2
        return
    with pytest.raises(ConfigError, match=words):
        invoke("compare", *chosen)


def test_a_run_is_not_compared_with_itself(runs: list[Path]) -> None:
    with pytest.raises(ConfigError, match="each named once"):
        invoke("compare", runs[2], runs[0].parent / "latest")


def test_more_runs_than_colours_are_refused(tmp_path: Path, runs: list[Path]) -> None:
    many = []
    for number in range(9):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "report.json").write_text((runs[0] / "report.json").read_text())
        many.append(tmp_path / str(number))
    with pytest.raises(ConfigError, match="9 runs: more cannot be told apart"):
        invoke("compare", *many)


def test_a_void_run_needs_force(runs: list[Path], tmp_path: Path) -> None:
    void = made(tmp_path, lognormal(200), lost_worker=True)
    with pytest.raises(VoidRun):
        invoke("compare", runs[0], void)
    printed = invoke("compare", runs[0], void, "--force")
    assert printed.index("UNLIKE RUNS, compared by force") < printed.index("ttft.p50")
    assert "compared by force" in (void / "compare.html").read_text()


def test_a_folder_that_cannot_be_written_is_told(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GateproofError, match="cannot write into"):
        invoke("compare", *runs[:2], "--output", tmp_path / "file")


# --- pages ---


@pytest.mark.parametrize("name", schema.PUBLISHED)
def test_the_published_schema_is_the_model(name: str) -> None:
    assert (ROOT / "docs" / "schema" / name).read_text() == schema.schema_text(name), (
        "run: python -m gateproof.compare.schema"
    )


def test_pages_are_the_same_byte_for_byte_and_small(runs: list[Path]) -> None:
    saved = [read_run(run) for run in runs]
    pages = [(page.render(compared(saved)), history_page.render(history_of(runs))) for _ in range(2)]
    assert pages[0] == pages[1]
    assert max(len(text.encode()) for text in pages[0]) < 5_000_000


def test_a_page_tells_every_number_without_scripts(runs: list[Path]) -> None:
    told = compared([read_run(run) for run in runs[:2]])
    text = page.render(told)
    assert all(f">{change.metric}</th>" in text for change in told.candidates[0].changes)
    assert "numbers got worse" in text


def test_text_from_outside_is_escaped(tmp_path: Path) -> None:
    hostile = [
        made(tmp_path, lognormal(200), noise=n, versions={HOSTILE: HOSTILE}, of=load_runs.profile(name=HOSTILE))
        for n in (1, 2)
    ]
    saved = [read_run(run) for run in hostile]
    for text in (page.render(compared(saved)), history_page.render(history_of(hostile))):
        assert "alert(1)" in text
        assert "<script>alert(1)" not in text
        assert "\u202e" not in text
        assert "\x1b" not in text
