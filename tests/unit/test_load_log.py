"""The log survives what happens to its writer, and its numbers are those of the requests."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateproof.load.analysis import Numbers, numbers
from gateproof.load.histogram import Histogram
from gateproof.load.log import FOLDER, Rows, Writer, read_log, warm_up
from gateproof.load.profile import Trust
from gateproof.load.schedule import Phase
from gateproof.load.verdict import Belief, WorkerSelf, belief

MS = 1_000_000  # ns
PHASES = (Phase("warm-up", 1.0, 10, 10, counted=False), Phase("steady", 9.0, 10, 10))
GAPS = np.array([10_000, 0, 20_000])  # us


def row(index: int, **more: Any) -> dict[str, Any]:
    """A request every 100 ms: sent 1 ms late, first token 50 ms after that, four tokens in 30 ms."""
    due = index * 100 * MS
    return {
        "index": index,
        "worker": 0,
        "phase": 0 if index < 10 else 1,
        "part": 0,
        "scheduled": due,
        "dispatched": due + MS,
        "sent": due + MS,
        "first_token": due + 51 * MS,
        "last_token": due + 81 * MS,
        "ended": due + 90 * MS,
        "read_first_token": due + 52 * MS,
        "outcome": "ok",
        "status": 200,
        "completion_tokens": 4,
        "prompt_tokens": 7,
        **more,
    }


def written(run: Path, rows: list[dict[str, Any]], worker: int = 0) -> Writer:
    writer = Writer(run / FOLDER, worker)
    for each in rows:
        writer.add(each, GAPS)
    writer.flush()
    return writer


def test_rows_of_several_workers_and_segments_are_one_log(tmp_path: Path) -> None:
    for worker in (0, 1):
        writer = written(tmp_path, [row(index) for index in range(worker, 50, 2)], worker)
        for index in range(50 + worker, 100, 2):
            writer.add(row(index), GAPS)
        writer.flush()
    rows = read_log(tmp_path)
    assert (rows.table["index"].to_pylist(), rows.unreadable, rows.twice) == (list(range(100)), (), 0)
    assert rows.table["gaps"][0].as_py() == GAPS.tolist()


def test_a_half_written_segment_costs_only_itself(tmp_path: Path) -> None:
    written(tmp_path, [row(0), row(1)])
    broken = written(tmp_path, [row(2)], worker=1)
    file = tmp_path / FOLDER / f"worker-{broken.worker}-000000.parquet"
    file.write_bytes(file.read_bytes()[:100])
    (tmp_path / FOLDER / "worker-2-000000.part").write_bytes(b"killed while writing")
    rows = read_log(tmp_path)
    assert rows.table["index"].to_pylist() == [0, 1]
    assert [name.partition(":")[0] for name in rows.unreadable] == ["worker-1-000000.parquet"]


def test_a_request_counts_once_however_often_it_was_written(tmp_path: Path) -> None:
    written(tmp_path, [row(0), row(1)])
    written(tmp_path, [row(1), row(2)], worker=1)
    rows = read_log(tmp_path)
    assert (rows.table["index"].to_pylist(), rows.twice) == ([0, 1, 2], 1)


def test_warming_up_leaves_nothing_behind(tmp_path: Path) -> None:
    warm_up(tmp_path)
    assert (list(tmp_path.iterdir()), read_log(tmp_path).table.num_rows) == ([], 0)
    warm_up(tmp_path / "nowhere")  # a folder that cannot be written to is the recorder's to tell


def test_no_log_is_an_empty_one(tmp_path: Path) -> None:
    assert read_log(tmp_path).table.num_rows == 0


@pytest.fixture
def run(tmp_path: Path) -> Path:
    written(tmp_path, [row(index) for index in range(100)])
    return tmp_path


def test_a_user_waits_from_when_the_request_was_due(run: Path) -> None:
    metrics = numbers(read_log(run), PHASES).metrics
    told = {name: (metrics[name].start, metrics[name].quantiles["p50"]) for name in ("ttft", "ttft_service", "slip")}
    assert told == {
        "ttft": ("scheduled", pytest.approx(0.051)),
        "ttft_service": ("sent", pytest.approx(0.050)),
        "slip": ("scheduled", pytest.approx(0.001)),
    }


def test_what_warms_up_is_left_out(run: Path) -> None:
    counted = numbers(read_log(run), PHASES)
    assert (counted.due, counted.window, counted.metrics["ttft"].count) == (90, 9.0, 90)


def test_time_per_token_and_gaps_are_two_things(run: Path) -> None:
    metrics = numbers(read_log(run), PHASES).metrics
    assert metrics["tpot"].mean == pytest.approx(0.010)
    assert (metrics["gap"].count, metrics["gap"].low, metrics["gap"].high) == (270, 0.0, pytest.approx(0.020))


def test_a_quantile_with_too_few_samples_beyond_it_is_not_told(run: Path) -> None:
    assert list(numbers(read_log(run), PHASES).metrics["ttft"].quantiles) == ["p50"]


def test_tokens_and_answers_come_at_the_rate_of_the_window(run: Path) -> None:
    counted = numbers(read_log(run), PHASES)
    # the last warm-up request ends within the warm-up, so nine seconds see ninety answers
    assert counted.rates == {"requests": pytest.approx(10.0), "output_tokens": pytest.approx(40.0)}


def test_an_error_is_no_latency_and_counts_against_the_target(tmp_path: Path) -> None:
    rows = [row(index, outcome="cut" if index % 10 == 0 else "ok") for index in range(10, 100)]
    rows += [row(100, outcome="abandoned"), row(101, outcome="not dispatched", dispatched=None)]
    written(tmp_path, rows)
    counted = numbers(read_log(tmp_path), PHASES)
    assert counted.outcomes == {"ok": 81, "cut": 9, "abandoned": 1, "not dispatched": 1}
    assert (counted.error_share, counted.metrics["ttft"].count) == (pytest.approx(0.1), 81)


def test_what_was_not_measured_is_missing_and_never_nought(tmp_path: Path) -> None:
    written(tmp_path, [row(index, first_token=None, completion_tokens=None) for index in range(10, 20)])
    metrics = numbers(read_log(tmp_path), PHASES).metrics
    assert {name: (metrics[name].count, metrics[name].missing) for name in ("ttft", "tpot", "completion_tokens")} == {
        "ttft": (0, 10),
        "tpot": (0, 10),
        "completion_tokens": (0, 10),
    }


# --- may it be believed? ---


def a_worker(**more: Any) -> WorkerSelf:
    return dataclasses.replace(WorkerSelf(0, 100, 0.3, Histogram()), **more)


def believed(run: Path, *workers: WorkerSelf, due: int = 100, expected: int = 1, **trust: Any) -> Belief:
    rows = read_log(run)
    counted: Numbers = numbers(rows, PHASES)
    return belief(Trust(**trust), due, rows, counted, workers or [a_worker()], expected, closed=False)


def late(milliseconds: int) -> Histogram:
    histogram = Histogram()
    histogram.add(milliseconds * MS, 100)
    return histogram


def test_a_run_in_which_all_was_well_is_believed(run: Path) -> None:
    assert believed(run) == Belief()


@pytest.mark.parametrize(
    ("worker", "reason"),
    [
        (a_worker(lag=late(20)), "we ran late: p99 of our own timers 20.0 ms, 5 ms allowed"),
        (a_worker(cpu=0.95), "we used 95% of a core, 80% allowed: use more workers"),
        (a_worker(clock_steps=2), "our clock was set 2 times during the run"),
        (a_worker(lost_rows="No space left on device: 7 rows wait in memory"), "our log is incomplete: No space"),
    ],
    ids=["late", "busy", "clock", "disk"],
)
def test_what_we_did_wrong_voids_the_run(run: Path, worker: WorkerSelf, reason: str) -> None:
    assert [told.startswith(reason) for told in believed(run, worker).void] == [True]


def test_a_lost_worker_voids_the_run(run: Path) -> None:
    assert believed(run, expected=2).void == ("1 of 2 workers were lost",)


def test_requests_in_no_log_void_the_run(run: Path) -> None:
    assert believed(run, due=120).void == ("20 of 120 due requests are in no log",)


def test_requests_that_left_late_void_the_run(run: Path) -> None:
    assert believed(run, slip_p99=0.0005).void == ("requests left late: p99 1.0 ms, 0.5 ms allowed",)


def test_a_log_that_cannot_be_read_voids_the_run(run: Path) -> None:
    (run / FOLDER / "worker-9-000000.parquet").write_bytes(b"PAR1")
    assert [reason.startswith("a part of the log cannot be read: worker-9") for reason in believed(run).void] == [True]


def test_an_empty_run_is_void(tmp_path: Path) -> None:
    assert "nothing was due in the counted phases" in believed(tmp_path, due=0).void


def test_answers_without_usage_are_noted(tmp_path: Path) -> None:
    written(tmp_path, [row(index, completion_tokens=None if index % 2 else 4) for index in range(100)])
    assert believed(tmp_path).notes == ("45 of 90 answers do not tell their usage: token rates are too low",)


def test_a_worker_tells_itself_in_plain_numbers() -> None:
    told = a_worker(lag=late(3), lost_rows="full")
    back = WorkerSelf.from_plain(told.to_plain())
    assert (back.to_plain(), back.lag.quantile(0.5)) == (told.to_plain(), told.lag.quantile(0.5))


def test_rows_may_be_empty() -> None:
    assert isinstance(read_log(Path("nowhere")), Rows)
