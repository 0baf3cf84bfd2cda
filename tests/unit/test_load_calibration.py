"""What a calibration finds, keeps, and says beside a run."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from gateproof.cli import app
from gateproof.errors import ConfigError
from gateproof.load.calibrate import beyond, command, store
from gateproof.load.calibrate.result import (
    CERTAIN,
    COARSE,
    FINE,
    Calibration,
    Departure,
    Spread,
    Step,
    changes,
    errors,
    notes,
)
from gateproof.load.log import SCHEMA, Rows

MACHINE = {"kernel": "6.1", "cpus": 4}


def spread(p99: float) -> Spread:
    return Spread(p99 / 2, p99, p99, 100)


def step(rate: float, ttft: float, gap: float | None = None) -> Step:
    return Step(int(rate / 100), rate, 0.1, spread(ttft), spread(ttft if gap is None else gap))


def calibration(*steps: Step) -> Calibration:
    return Calibration(MACHINE, "2026-01-01T00:00:00+00:00", steps, [Departure(100, spread(0.001))])


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


# --- errors ---


def test_an_error_is_what_was_told_less_what_was_so() -> None:
    first, gaps = errors(np.array([1_050, 11_000, 21_500]), [1_000, 11_000, 21_000], [1_010, 11_010, 21_010])

    assert (first.tolist(), gaps.tolist()) == ([50], [-50, 500])


def test_a_write_that_was_held_up_proves_nothing_of_its_token_or_of_the_gaps_beside_it() -> None:
    before = [0, 10_000_000, 20_000_000, 30_000_000]
    after = [1_000, 10_000_000 + CERTAIN + 1, 20_001_000, 30_001_000]

    first, gaps = errors(np.array([5, 99, 20_000_007, 30_000_008]), before, after)

    assert (first.tolist(), gaps.tolist()) == ([5], [1])


def test_a_first_token_that_was_held_up_is_left_out() -> None:
    first, gaps = errors(np.array([5, 10]), [0, 10], [CERTAIN + 1, 11])

    assert (len(first), len(gaps)) == (0, 0)


def test_streams_of_different_lengths_are_no_pair() -> None:
    with pytest.raises(ValueError, match="2 events were sent, 1 arrivals told"):
        errors(np.array([1]), [0, 1], [0, 1])


def test_a_spread_counts_early_as_late() -> None:
    assert Spread.of(np.array([-2_000_000, 1_000_000])) == Spread(0.002, 0.002, 0.002, 2)
    assert Spread.of(np.empty(0, dtype=np.int64)) == Spread(None, None, None, 0)


# --- up to where ---


def test_the_highest_rate_is_the_last_before_the_first_that_fails() -> None:
    found = calibration(step(1000, 0.0001), step(5000, 0.0009), step(10_000, 0.004), step(20_000, 0.0005))

    assert (found.highest(FINE), found.highest(COARSE)) == (5000, 20_000)


def test_gaps_count_as_much_as_first_tokens() -> None:
    assert calibration(step(1000, 0.0001, gap=0.002)).highest(FINE) is None


def test_a_step_without_samples_keeps_no_bound() -> None:
    nothing = Step(10, 1000, 0.1, Spread.of(np.empty(0, dtype=np.int64)), spread(0.0001))

    assert calibration(nothing).highest(COARSE) is None


# --- beside a run ---


def test_a_machine_that_was_not_calibrated_says_so() -> None:
    assert notes(None, 10.0) == ["this machine is not calibrated: run `gateproof calibrate`"]


def test_a_run_within_what_was_measured_says_nothing() -> None:
    plain = calibration(step(1000, 0.001), step(5000, 0.004)).to_plain()

    assert notes(plain, 5000.0) == []


def test_a_run_beyond_it_names_both_rates() -> None:
    plain = calibration(step(1000, 0.001), step(5000, 0.04)).to_plain()

    (said,) = notes(plain, 4321.0)

    assert said.startswith("numbers beyond what this machine was measured to do: 4,321 events/s of one worker")
    assert said.endswith("within 5 ms up to 1,000")


def test_a_machine_that_keeps_no_bound_says_so_at_any_rate() -> None:
    assert "no rate kept" in notes(calibration(step(1000, 0.04)).to_plain(), 0.0)[0]


def test_a_machine_that_has_changed_says_in_what() -> None:
    plain = calibration(step(1000, 0.001)).to_plain()
    changed = changes(plain, {"kernel": "6.2", "cpus": 4})

    assert changed == ["kernel"]
    assert notes({**plain, "changed": changed}, 1.0) == [
        "this machine was calibrated with another kernel: run `gateproof calibrate` again"
    ]


def test_the_rate_of_a_run_is_its_events_over_its_span() -> None:
    rows = [
        {"index": 0, "dispatched": 0, "ended": 1_000_000_000, "events": 100},
        {"index": 1, "dispatched": 1_000_000_000, "ended": 2_000_000_000, "events": 300},
        {"index": 2},
    ]

    assert beyond.event_rate(Rows(SCHEMA.empty_table().from_pylist(rows, SCHEMA))) == 200.0
    assert beyond.event_rate(Rows(SCHEMA.empty_table())) == 0.0


# --- kept ---


def test_what_is_kept_comes_back_with_what_has_changed_since(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "machine", lambda: {"kernel": "6.2", "cpus": 4})
    plain = calibration(step(1000, 0.001)).to_plain()

    file = store.keep(plain)

    assert file.is_relative_to(cache / "gateproof" / "calibration")
    assert beyond.stamp() == {**plain, "changed": ["kernel"]}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": "0"}'], ids=["empty", "half", "list", "older"])
def test_a_file_that_cannot_be_read_is_none(cache: Path, text: str) -> None:
    store.place().parent.mkdir(parents=True)
    store.place().write_text(text, encoding="utf-8")

    assert beyond.stamp() is None


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    with pytest.raises(ConfigError, match="XDG_CACHE_HOME"):
        store.keep({})


def test_a_name_of_a_machine_tells_nothing_of_it(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    identity = tmp_path / "machine-id"
    identity.write_text("0123456789abcdef\n", encoding="ascii")
    monkeypatch.setattr(store, "MACHINE_IDS", (identity,))
    one = store.place()
    identity.write_text("fedcba9876543210\n", encoding="ascii")

    assert one != store.place()
    assert "0123456789" not in one.name


# --- the command ---


@pytest.mark.parametrize("seconds", ["0", "0.5", "121"])
def test_a_length_out_of_bounds_is_refused(seconds: str) -> None:
    done = CliRunner().invoke(app, ["calibrate", "--seconds", seconds])

    assert isinstance(done.exception, ConfigError)
    assert "--seconds" in str(done.exception)
    assert "1 to 120" in str(done.exception)


def test_the_command_shows_and_keeps_what_was_found(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [{"step": asdict(step(1234.0, 0.0005))}, {"step": asdict(step(9876.0, 0.003))}]
    lines.append({"arrivals": asdict(Departure(100.0, spread(0.002)))})
    monkeypatch.setattr(command, "_told", lambda *_: iter(lines))

    done = CliRunner().invoke(app, ["calibrate", "--seconds", "1"])

    assert done.exit_code == 0, done.output
    assert "within 1 ms: up to 1,234 events/s of one worker" in done.output
    assert "within 5 ms: up to 9,876 events/s of one worker" in done.output
    assert "100 arrivals/s leave late by p50 1.000, p99 2.000 ms" in done.output
    assert max(map(len, done.output.replace(str(cache), "").splitlines())) <= 80
    kept = store.kept()
    assert kept is not None
    assert (kept["events_per_s_within_1ms"], kept["machine"]) == (1234.0, store.machine())


def test_a_measuring_process_that_fails_keeps_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "RATES", ("many",))

    done = CliRunner().invoke(app, ["calibrate", "--seconds", "1"])

    assert done.exit_code == 3
    assert "exit code 1: nothing is kept" in done.output
    assert store.kept() is None


def test_the_engine_is_measured_against_the_peer() -> None:
    """Every event of every stream has a truth to be held against; how far it is off is the machine's affair."""
    words = [sys.executable, "-m", "gateproof.load.calibrate", "1", "3", "50"]

    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(each) for each in told] == [["step"], ["arrivals"]]
    found, left = told[0]["step"], told[1]["arrivals"]
    assert found["streams"] == 3
    assert found["ttft"]["count"] >= 3
    assert found["gap"]["count"] > 50 * found["ttft"]["count"] / 2
    assert 0 < found["ttft"]["p50"] < 0.5
    assert left["slip"]["count"] > 20
