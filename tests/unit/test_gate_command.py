"""``gateproof gate`` as people and pipelines start it: exit codes, files, annotations, mistakes in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gateproof.errors import ConfigError, GateproofError
from gateproof.gate.command import CODE_QUALITY, gate
from tests.unit.load_runs import lognormal, made

app = typer.Typer()
app.command()(gate)
Start = Callable[..., tuple[int, str]]


@pytest.fixture(name="run", scope="module")
def _run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("run"), lognormal(200.0))


@pytest.fixture(name="start")
def _start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """In a folder of its own, outside of any CI; an error that people read is raised as it is."""
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)

    def start(run: Path, bound: str, *words: str) -> tuple[int, str]:
        Path("gates.yaml").write_text(f"gates:\n  - {{metric: ttft.p50, max: {bound}}}\n", encoding="utf-8")
        done = CliRunner().invoke(app, [str(run), "--gates", "gates.yaml", *words])
        if isinstance(done.exception, GateproofError):
            raise done.exception
        return done.exit_code, done.stdout

    return start


@pytest.mark.parametrize(("bound", "code"), [("1s", 0), ("10ms", 1), ("200ms", 5)], ids=["pass", "fail", "void"])
def test_the_exit_code_is_the_verdict(start: Start, run: Path, bound: str, code: int) -> None:
    assert start(run, bound)[0] == code


def test_the_files_are_written(start: Start, run: Path) -> None:
    words = ("--json", "out/gate.json", "--junit", "out/gate.xml", "--markdown", "out/gate.md")
    start(run, "10ms", *words)
    assert json.loads(Path("out/gate.json").read_text(encoding="utf-8"))["verdict"] == "FAIL"
    assert 'failures="1"' in Path("out/gate.xml").read_text(encoding="utf-8")
    assert Path("out/gate.md").read_text(encoding="utf-8").startswith("## ❌ FAIL: mine")


def test_the_same_runs_give_the_same_bytes(start: Start, run: Path) -> None:
    texts = []
    for _ in range(2):
        start(run, "200ms", "--json", "gate.json")
        texts.append(Path("gate.json").read_bytes())
    assert texts[0] == texts[1]


@pytest.mark.parametrize("named", ["latest", "report.json"])
def test_a_run_may_be_named_by_its_link_or_its_file(start: Start, run: Path, named: str) -> None:
    assert start(run.parent / "latest" if named == "latest" else run / named, "1s")[0] == 0


@pytest.mark.parametrize(
    ("variable", "words", "marked"),
    [
        ("GITHUB_ACTIONS", (), True),
        ("GITHUB_ACTIONS", ("--annotations", "none"), False),
        ("", ("--annotations", "github"), True),
        ("", (), False),
    ],
)
def test_github_is_told_where_it_listens(
    start: Start, run: Path, monkeypatch: pytest.MonkeyPatch, variable: str, words: tuple[str, ...], marked: bool
) -> None:
    if variable:
        monkeypatch.setenv(variable, "true")
    assert ("::error file=gates.yaml,line=2," in start(run, "10ms", *words)[1]) == marked


def test_gitlab_gets_a_file(start: Start, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    _, told = start(run, "10ms")
    assert str(CODE_QUALITY) in told
    assert [each["severity"] for each in json.loads(CODE_QUALITY.read_text(encoding="utf-8"))] == ["critical"]


def test_explain_tells_of_what_passed_too(start: Start, run: Path) -> None:
    assert "order statistics" not in start(run, "1s")[1]
    assert "order statistics" in start(run, "1s", "--explain")[1]


def test_an_unknown_annotation_is_a_mistake(start: Start, run: Path) -> None:
    with pytest.raises(ConfigError, match="unknown word `githup`; did you mean `github`"):
        start(run, "1s", "--annotations", "githup")


def broken(run: Path, copy: Path, change: Callable[[str], str]) -> Path:
    shutil.copytree(run, copy)
    file = copy / "report.json"
    file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")
    return copy


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text[: len(text) // 2], "half-written or damaged"),
        (lambda _: "", "half-written or damaged"),
        (lambda _: "[]", "not a report of ours"),
        (lambda text: text.replace('"schema_version": "1.0"', '"schema_version": "7.3"'), "its schema is 7.3"),
        (lambda text: text.replace('"kind": "load"', '"kind": "cost"'), "not a report of ours"),
    ],
    ids=["half", "empty", "a list", "newer schema", "unknown kind"],
)
def test_a_run_that_is_none_is_told(
    start: Start, run: Path, tmp_path: Path, change: Callable[[str], str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        start(broken(run, tmp_path / "copy", change), "1s")


def test_a_folder_without_a_run_is_told(start: Start, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run is here"):
        start(tmp_path, "1s")


def test_a_file_that_cannot_be_written_is_told(start: Start, run: Path) -> None:
    with pytest.raises(GateproofError, match=r"cannot write gates\.yaml/gate\.json"):
        start(run, "1s", "--json", "gates.yaml/gate.json")
