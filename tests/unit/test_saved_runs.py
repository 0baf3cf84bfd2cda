"""A run on the disk, whole or not: every way in which it cannot be read is one line that says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateproof.errors import ConfigError
from gateproof.report.load_model import LoadReport
from gateproof.report.model import Report
from gateproof.report.saved import read_run
from gateproof.report.write import write_report
from tests.unit import load_runs, report_samples


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return load_runs.made(tmp_path_factory.mktemp("reports"), load_runs.lognormal(200.0))


def broken(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "report.json").write_bytes(content)
    return tmp_path


def test_a_load_run_is_read_by_its_folder_its_file_and_its_link(whole: Path) -> None:
    latest = whole.parent / "latest"
    runs = [read_run(path) for path in (whole, whole / "report.json", latest)]
    assert {run.name for run in runs} == {whole.name}
    assert all(isinstance(run.report, LoadReport) and run.report.target.name == "mine" for run in runs)


def test_a_conformance_run_is_read_as_what_was_written(tmp_path: Path) -> None:
    report = report_samples.report(report_samples.record())
    write_report(report, tmp_path)
    found = read_run(tmp_path).report
    assert isinstance(found, Report)
    assert found == report


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "half-written or damaged: not JSON"),
        (b'{"kind": "load", ', "half-written or damaged: not JSON"),
        (b"[" * 100_000, "half-written or damaged: not JSON"),
        (b"\xff\xfe", "not a report of ours: no UTF-8 at byte 0"),
        (b"[]", r"not a report of ours: \[\]"),
        (b"{}", "schema_version: not a report of ours: null"),
        (b'{"schema_version": "1"}', 'schema_version: not a report of ours: "1"'),
        (b'{"schema_version": "1.1", "kind": "load"}', "written by a newer gateproof: its schema is 1.1"),
        (b'{"schema_version": "2.0", "kind": "odd"}', "written by a newer gateproof: its schema is 2.0"),
        (b'{"schema_version": "1.0", "kind": "odd"}', 'kind: not a report of ours: "odd"'),
        (b'{"schema_version": "1.0", "kind": ["load"]}', "kind: not a report of ours"),
        (b'{"schema_version": "1.0", "kind": "load"}', "window_s: half-written or damaged: Field required, and"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_file(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        read_run(broken(tmp_path, content))
    assert str(tmp_path / "report.json") in str(raised.value)


def test_a_wrong_value_is_told_by_its_key(whole: Path, tmp_path: Path) -> None:
    plain = json.loads((whole / "report.json").read_text())
    plain["metrics"]["ttft"]["quantiles"]["p50"] = "fast"
    with pytest.raises(ConfigError, match=r"metrics\.ttft\.quantiles\.p50: half-written or damaged"):
        read_run(broken(tmp_path, json.dumps(plain).encode()))


def test_no_run_is_a_mistake_that_says_what_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no run is here\n    accepted here: the folder of a run"):
        read_run(tmp_path / "nowhere")


def test_a_run_without_an_end_is_told_how_to_get_its_report(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ConfigError, match=f"`gateproof report {tmp_path}` makes it"):
        read_run(tmp_path)
