"""`gateproof report`: what a run left is made into its files again, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateproof import cli
from gateproof.report.write import write_report
from tests.unit.report_samples import record, report


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """An older run and the newest one, of one target."""
    older, newer = tmp_path / "1", tmp_path / "2"
    for folder in (older, newer):
        write_report(report(record()), folder)
    return older, newer


def test_the_files_of_a_run_are_made_again_byte_for_byte(runs: tuple[Path, Path]) -> None:
    older, _ = runs
    before = {file.name: file.read_bytes() for file in older.iterdir()}
    for file in older.iterdir():
        if file.name != "report.json":
            file.unlink()

    assert cli.run(["report", str(older)]) == 0

    assert {file.name: file.read_bytes() for file in older.iterdir()} == before


@pytest.mark.parametrize("name", ["1", "latest"])
def test_the_newest_run_stays_the_newest(runs: tuple[Path, Path], name: str) -> None:
    older, newer = runs
    assert cli.run(["report", str(older.parent / name)]) == 0
    assert (older.parent / "latest").resolve() == newer


def test_no_run_is_a_mistake_of_the_users(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["report", str(tmp_path / "nothing")]) == 2
    assert "no run is here" in capsys.readouterr().err


def test_a_package_of_an_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def missing(**_: object) -> None:
        raise ModuleNotFoundError(name="pyarrow.parquet")

    monkeypatch.setattr(cli, "app", missing)
    assert cli.run([]) == 2
    assert "pip install 'gateproof[load]'" in capsys.readouterr().err
