"""Files: whole or not there, the newest findable, and one clear error when the disk refuses."""

from __future__ import annotations

import datetime as dt
import errno
import json
from pathlib import Path

import pytest

from gateproof.errors import GateproofError
from gateproof.report import write
from gateproof.report.html import conformance
from gateproof.report.model import Report
from gateproof.report.write import allocate, bounded, write_report
from gateproof.verdict.outcomes import Verdict
from tests.unit.report_samples import HOSTILE, START, record, report

WRITTEN = frozenset({"report.json", "junit.xml", "summary.md", "badge.svg", "report.html"})


def made() -> Report:
    return report(record(verdict=Verdict.FAIL, message=HOSTILE))


def full_disk_for(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    original = Path.write_text

    def write_text(self: Path, *args: object, **kwargs: object) -> int:
        if any(name in self.name for name in names):
            original(self, "half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(self, *args, **kwargs)  # type: ignore[arg-type]  # handed through as it came

    monkeypatch.setattr(Path, "write_text", write_text)


def test_everything_is_written(tmp_path: Path) -> None:
    folder = allocate(tmp_path, "local", START)
    paths = write_report(made(), folder, {"AUTH-002": "GET / \ud800"})
    assert folder == tmp_path / "local" / "conformance" / "2026-11-20T12-00-00"
    assert {path.name for path in folder.iterdir()} == {*WRITTEN, "AUTH-002.http"}
    assert json.loads(paths.report.read_text())["kind"] == "conformance"
    assert paths.evidence == (folder / "AUTH-002.http",)
    assert paths.latest.readlink() == Path(folder.name)


def test_latest_follows_the_newest_run(tmp_path: Path) -> None:
    for second in (0, 1):
        folder = allocate(tmp_path, "local", START + dt.timedelta(seconds=second))
        paths = write_report(made(), folder)
    assert paths.latest.resolve() == folder.resolve()


def test_two_runs_of_one_second_get_two_folders(tmp_path: Path) -> None:
    folders = [allocate(tmp_path, "local", START) for _ in range(3)]
    assert len(set(folders)) == 3
    assert sorted(folders) == folders


@pytest.mark.parametrize("name", ["../up", "/etc", "a/b", "..", "", "x\ny"])
def test_a_target_name_stays_within_the_root(tmp_path: Path, name: str) -> None:
    assert allocate(tmp_path, name, START).resolve().is_relative_to(tmp_path.resolve())


def test_a_full_disk_leaves_what_could_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = allocate(tmp_path, "local", START)
    full_disk_for(monkeypatch, "report.json", "AUTH-002.http")
    with pytest.raises(GateproofError, match=r"cannot write report\.json and 1 more .*No space left on device; 5 of 7"):
        write_report(made(), folder, {"AUTH-002": "x"})
    assert {path.name for path in folder.iterdir()} == WRITTEN - {"report.json"}


def test_an_old_report_stays_whole_when_the_new_one_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = allocate(tmp_path, "local", START)
    before = write_report(made(), folder).report.read_text()
    full_disk_for(monkeypatch, "report.json")
    with pytest.raises(GateproofError):
        write_report(report(record()), folder)
    assert (folder / "report.json").read_text() == before


def test_a_defect_of_the_page_costs_the_page_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(report: Report) -> str:
        raise TypeError("no such column")

    monkeypatch.setattr(conformance, "render", broken)
    folder = allocate(tmp_path, "local", START)
    with pytest.raises(
        GateproofError, match=r"cannot write report\.html .*a defect of gateproof: TypeError: no such col"
    ):
        write_report(made(), folder)
    assert {path.name for path in folder.iterdir()} == WRITTEN - {"report.html"}


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GateproofError, match="cannot make a report folder"):
        allocate(tmp_path / "file", "local")
    with pytest.raises(GateproofError, match="cannot write the report to"):
        write_report(made(), tmp_path / "file" / "x")


def test_a_folder_called_latest_is_told_and_left_alone(tmp_path: Path) -> None:
    folder = allocate(tmp_path, "local", START)
    (folder.parent / "latest").mkdir()
    with pytest.raises(GateproofError, match="cannot write latest"):
        write_report(made(), folder)
    assert (folder / "report.json").exists()


def test_evidence_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "EVIDENCE_FILE_BYTES", 100)
    monkeypatch.setattr(write, "EVIDENCE_TOTAL_BYTES", 300)
    kept = bounded({str(number): "é" * 1000 for number in range(4)})
    assert "cut here: 2,000 bytes in all" in kept["0"]
    assert kept["3"].startswith("# left out")
    assert sum(len(text.encode()) for text in kept.values()) < 1000
