"""Many runs over time: which make a track, what a void one does to it, what creeps and what jumps."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from gateproof.compare.courses import chance_of_jump
from gateproof.compare.history import history, runs_below
from gateproof.compare.history_text import headline, rendered
from gateproof.compare.model import Course, History, Track
from gateproof.errors import ConfigError
from gateproof.report.write import write_report
from tests.unit import load_runs, report_samples
from tests.unit.load_runs import lognormal, made, profile

FIRST = dt.datetime(2026, 11, 1, 3, tzinfo=dt.UTC)
SHORT = {"phases": [{"name": "steady", "duration": 10}]}
RUNS, JUMP, VOID = 20, 10, 4


def dated(folder: Path, day: int) -> Path:
    """As if it had begun on that day."""
    file = folder / "report.json"
    told = json.loads(file.read_text())
    started = FIRST + dt.timedelta(days=day)
    told |= {"started": started.isoformat(), "ended": (started + dt.timedelta(seconds=10)).isoformat()}
    file.write_text(json.dumps(told))
    return folder


def one(root: Path, day: int, median: float = 200, **how: Any) -> Path:
    return dated(made(root, lognormal(median), **{"noise": day, "of": profile(**SHORT), **how}), day)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty days: one void run, and a version with which first tokens come a fifth later."""
    root = tmp_path_factory.mktemp("reports")
    for day in range(RUNS):
        later = day >= JUMP
        versions = {"litellm": "1.3" if later else "1.2"}
        one(root, day, 240 if later else 200, versions=versions, lost_worker=day == VOID)
    return root / "mine" / "load"


@pytest.fixture(scope="module")
def track(folder: Path) -> Track:
    [track] = history([folder]).tracks
    return track


def course(track: Track, metric: str) -> Course:
    return next(each for each in track.courses if each.metric == metric)


def text_of(told: History, width: int = 80) -> str:
    console = Console(width=width, highlight=False, emoji=False, markup=False, color_system=None)
    with console.capture() as captured:
        console.print(rendered(told))
    return captured.get()


def test_runs_stand_in_the_order_in_which_they_began_and_latest_is_none_of_its_own(folder: Path, track: Track) -> None:
    assert (folder / "latest").is_symlink()
    assert [point.run.started for point in track.points] == [FIRST + dt.timedelta(days=day) for day in range(RUNS)]


def test_a_void_run_is_marked_and_has_no_numbers(track: Track) -> None:
    void = [number for number, point in enumerate(track.points) if point.run.verdict == "VOID"]
    assert void == [VOID]
    assert track.points[VOID].numbers == {}
    assert track.points[VOID].run.reasons
    assert course(track, "ttft.p50").runs == RUNS - 1


def test_every_other_run_has_its_numbers_with_intervals(track: Track) -> None:
    sides = [point.numbers["ttft.p50"] for point in track.points if point.run.verdict == "VALID"]
    assert all(side.low is not None and side.high is not None and side.low < side.value < side.high for side in sides)


def test_a_jump_is_found_with_its_run_and_a_steady_number_is_not(track: Track) -> None:
    ttft = course(track, "ttft.p50")
    assert (ttft.verdict, ttft.shape, ttft.at) == ("worse", "jumps", JUMP)
    assert "with the run of 2026-11-11 03:00" in ttft.said
    assert course(track, "gap.p99").verdict == "no trend seen"


def test_what_creeps_is_told_by_the_week(tmp_path: Path) -> None:
    for day in range(14):
        one(tmp_path, day, 200 * 1.02**day)
    [track] = history([tmp_path / "mine" / "load"]).tracks
    ttft = course(track, "ttft.p50")
    assert (ttft.verdict, ttft.shape, ttft.at) == ("worse", "creeps", None)
    assert ttft.said.startswith("creeps by +1")  # 2 % a day are some 14 % a week
    assert "% a week over 14 runs" in ttft.said


def test_another_version_is_a_mark(track: Track) -> None:
    assert [
        (mark.at, [(each.what, each.baseline, each.candidate) for each in mark.differences]) for mark in track.marks
    ] == [(JUMP, [("version litellm", "1.2", "1.3")])]


def test_numbers_are_not_held_against_those_of_another_load(tmp_path: Path) -> None:
    """Twelve runs at one rate, three at another: for a trend there are only three."""
    for day in range(15):
        rate = {"kind": "poisson", "rate": 40 if day < 12 else 20}
        one(tmp_path, day, of=profile(**SHORT, arrivals=rate))
    [track] = history([tmp_path / "mine" / "load"]).tracks
    assert [mark.at for mark in track.marks] == [12]
    assert {each.verdict for each in track.courses} == {"too few runs"}
    assert course(track, "rates.requests").said == "too few runs to see a trend: 3, 12 are needed"


def test_targets_and_profiles_have_tracks_of_their_own(tmp_path: Path) -> None:
    one(tmp_path, 0)
    one(tmp_path, 1, of=profile(**SHORT, name="other"))
    one(tmp_path, 2, tested=load_runs.target("theirs"))
    told = history([tmp_path / "mine" / "load", tmp_path / "theirs" / "load"])
    assert [(track.target, track.profile) for track in told.tracks] == [
        ("mine", "other"),
        ("mine", "p"),
        ("theirs", "p"),
    ]


def test_a_run_without_its_log_keeps_its_numbers_without_intervals(tmp_path: Path) -> None:
    folder = one(tmp_path, 0)
    shutil.rmtree(folder / "log")
    [track] = history([folder]).tracks
    [point] = track.points
    report = json.loads((folder / "report.json").read_text())
    side = point.numbers["ttft.p50"]
    assert (side.value, side.low, side.high) == (report["metrics"]["ttft"]["quantiles"]["p50"], None, None)
    assert point.numbers["error_share"].value == report["error_share"]
    assert point.numbers["rates.requests"].value == report["rates"]["requests"]
    assert point.missing == "no intervals: the log of this run is not there, or empty"


def test_the_runs_of_a_search_are_no_track(tmp_path: Path) -> None:
    """Each has another rate, as the search went."""
    trial = one(tmp_path, 0)
    told = json.loads((trial / "report.json").read_text())
    runs = [{"rate": 40.0, "length_s": 10.0, "judgement": "met", "why": [], "folder": trial.name}]
    knee = {"unit": "requests/s", "met": 40.0, "not_met": None, "limited_by_us": False, "complete": True}
    told["saturation"] = {**knee, "objectives": ["ttft p95 1 s"], "runs": runs}
    search = trial.with_name(f"{trial.name}-search")
    search.mkdir()
    (search / "report.json").write_text(json.dumps(told))
    found = history([trial.parent])
    assert found.tracks == []
    assert {Path(each.folder).name: each.why for each in found.left_out} == {
        search.name: "a search: it has the numbers of many runs",
        trial.name: f"a run of the search {search.name}",
    }


def test_what_is_no_run_for_a_track_is_named(tmp_path: Path) -> None:
    one(tmp_path, 0)
    base = tmp_path / "mine" / "load"
    (base / "half").mkdir()
    (base / "half" / "report.json").write_text('{"kind": "load"')
    (base / "begun").mkdir()
    (base / "begun" / "run.json").write_text("{}")
    write_report(report_samples.report(report_samples.record()), base / "conformance")
    told = history([base])
    assert {Path(each.folder).name: each.why.partition(":")[0] for each in told.left_out} == {
        "half": "half-written or damaged",
        "begun": "this run wrote no report",
        "conformance": "a conformance run",
    }
    assert len(told.tracks) == 1
    assert "left out: " in text_of(told)


@pytest.mark.parametrize(("name", "words"), [("nowhere", "no such folder"), ("empty", "no run is in here")])
def test_a_folder_without_runs_is_a_mistake(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=f"{name}: {words}\\n    accepted here: a run, or a folder of runs"):
        runs_below([tmp_path / name])


def test_the_runs_of_all_targets_are_found_from_above(tmp_path: Path) -> None:
    folders = [one(tmp_path, 0), one(tmp_path, 1, tested=load_runs.target("theirs"))]
    assert runs_below([tmp_path]) == folders
    assert runs_below([tmp_path / "mine"]) == folders[:1]


def test_a_run_named_twice_is_there_once(tmp_path: Path) -> None:
    folder = one(tmp_path, 0)
    assert runs_below([folder, folder.parent, folder.parent / "latest"]) == [folder]


@pytest.mark.parametrize("width", [80, 200])
def test_the_text_tells_tracks_marks_and_void_runs(folder: Path, width: int) -> None:
    text = text_of(history([folder]), width)
    assert max(map(len, text.splitlines())) <= width
    assert "✗ worse" in text
    words = " ".join(text.split())
    assert "2026-11-11 03:00 version litellm 1.2 → 1.3" in words
    assert "2026-11-05 03:00 VOID: worker 0 left no word of itself" in words


def test_the_headline_counts_what_is_there(track: Track) -> None:
    first = "20 runs from 2026-11-01 03:00 to 2026-11-20 03:00 UTC, 1 of them void: "
    assert headline(track).startswith(first)


def test_the_history_is_the_same_byte_for_byte(folder: Path) -> None:
    one_, other = (history([folder]).model_dump_json() for _ in range(2))
    assert one_ == other
    assert History.model_validate_json(one_).model_dump_json() == one_


def test_orders_of_a_series_tell_how_often_chance_makes_such_a_jump() -> None:
    """Two levels of eight runs: of the 12,870 ways to choose eight of sixteen two are as clear at their middle."""
    levels = np.repeat([1.0, 2.0], 8) + np.arange(16) * 1e-6
    assert chance_of_jump(levels) < 0.001
    random = np.random.default_rng(1)
    chances = [chance_of_jump(random.normal(size=16)) for _ in range(200)]
    assert np.mean(np.array(chances) < 0.05) == pytest.approx(0.05, abs=0.04)
