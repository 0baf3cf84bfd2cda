"""Logs that a crash, a full disk or a bad disk left: what can be read is used, the rest is named."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from gateproof.load.analysis import numbers
from gateproof.load.histogram import Histogram
from gateproof.load.log import FLUSH_ROWS, FOLDER, STOPPED, Writer, read_log
from gateproof.load.profile import Trust
from gateproof.load.recorder import Recorder
from gateproof.load.verdict import SKEW, WorkerSelf, belief
from gateproof.load.wire.clock import STEP, Clock
from gateproof.load.wire.outcome import Outcome
from tests.unit.test_load_log import GAPS, PHASES, row, written

SEEDS, FLIPS = 4, 50
ROWS = 50


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_flipped_byte_never_passes_for_a_number(tmp_path: Path, seed: int) -> None:
    written(tmp_path, [row(index) for index in range(ROWS)])
    whole = read_log(tmp_path).table
    [file] = (tmp_path / FOLDER).glob("*.parquet")
    content, chance = file.read_bytes(), random.Random(seed)
    named = 0
    for _ in range(FLIPS):
        place = chance.randrange(len(content))
        file.write_bytes(content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :])
        rows = read_log(tmp_path)
        named += bool(rows.unreadable)
        # in bytes that nothing is read from, such as statistics, it does no harm
        assert rows.unreadable or rows.table.equals(whole)
    assert named > FLIPS // 4


@pytest.mark.parametrize("length", [0, 1, 4, 100, 5000])
def test_a_segment_that_ends_early_is_named(tmp_path: Path, length: int) -> None:
    written(tmp_path, [row(0)])
    broken = written(tmp_path, [row(1)], worker=1)
    file = tmp_path / FOLDER / f"worker-{broken.worker}-000000.parquet"
    file.write_bytes(file.read_bytes()[:length])
    rows = read_log(tmp_path)
    assert rows.table["index"].to_pylist() == [0]
    [named] = rows.unreadable
    assert named.startswith("worker-1-000000.parquet: ")


def test_a_table_of_something_else_is_named(tmp_path: Path) -> None:
    written(tmp_path, [row(0)])
    pq.write_table(pa.table({"a": [1]}), tmp_path / FOLDER / "worker-1-000000.parquet")
    rows = read_log(tmp_path)
    assert rows.table.num_rows == 1
    assert len(rows.unreadable) == 1


def test_what_was_called_back_gives_way_to_what_came_of_it(tmp_path: Path) -> None:
    back = {"outcome": "not dispatched", "detail": STOPPED, "dispatched": None}
    written(tmp_path, [row(0), row(1, **back), row(2, **back)])
    resumed = Writer(tmp_path / FOLDER, 0, play=1)
    for each in (row(1), row(2, **back)):
        resumed.add(each, GAPS)
    assert resumed.flush() == tmp_path / FOLDER / "worker-0-resumed1-000000.parquet"
    rows = read_log(tmp_path)
    assert rows.table["outcome"].to_pylist() == ["ok", "ok", "not dispatched"]
    assert (rows.table["index"].to_pylist(), rows.twice) == ([0, 1, 2], 0)


def test_a_full_disk_leaves_no_half_file_and_says_what_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(tmp_path / FOLDER, 0)
    recorder = Recorder(writer, 0)
    recorder.missed(row(0), Outcome.NOT_DISPATCHED, "")

    def full(_: pa.Table, part: Path, **__: object) -> None:
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    recorder.flush(now=True)
    assert recorder.lost_rows == "1 requests could not be written: No space left on device"
    assert list((tmp_path / FOLDER).iterdir()) == []
    monkeypatch.undo()
    recorder.flush(now=True)
    assert read_log(tmp_path).table.num_rows == 1
    assert not vars(recorder)["lost_rows"]


def test_a_full_disk_is_not_tried_for_every_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(tmp_path / FOLDER, 0)
    recorder, tries = Recorder(writer, 0), []

    def full(table: pa.Table, *_: object, **__: object) -> None:
        tries.append(table.num_rows)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    for index in range(FLUSH_ROWS + 100):
        recorder.missed(row(index), Outcome.NOT_DISPATCHED, "")
        recorder.flush()
    assert tries == [FLUSH_ROWS]
    monkeypatch.undo()
    recorder.flush(now=True)
    rows = read_log(tmp_path)
    assert (rows.table["index"].to_pylist(), writer.segment) == (list(range(FLUSH_ROWS + 100)), 2)


def test_a_clock_that_was_set_voids_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offset = 1_700_000_000_000_000_000
    monkeypatch.setattr("gateproof.load.wire.clock._offset", lambda: offset)
    clock = Clock()
    for moved in (STEP // 2, STEP, 3_600_000_000_000, 0):  # slewed by NTP twice, set by an hour, and left alone
        offset += moved
        clock.look()
    assert clock.steps == 1
    worker = WorkerSelf(0, ROWS, 0.1, Histogram(), clock_steps=clock.steps)
    assert believed(tmp_path, worker) == ("our clock was set 1 times during the run",)


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (SKEW, ()),
        (-SKEW, ()),
        (1.25, ("our clock is 1.2 s ahead of the master's: set both by NTP",)),
        (-7.0, ("our clock is 7.0 s behind the master's: set both by NTP",)),
    ],
)
def test_a_clock_that_is_off_its_master_s_voids_the_run(tmp_path: Path, ahead: float, said: tuple[str, ...]) -> None:
    assert believed(tmp_path, WorkerSelf(0, ROWS, 0.1, Histogram(), ahead=ahead)) == said


def believed(run: Path, worker: WorkerSelf) -> tuple[str, ...]:
    """The reasons to void a run of which nothing else is wrong."""
    written(run, [row(index) for index in range(ROWS)])
    rows = read_log(run)
    return belief(Trust(), ROWS, rows, numbers(rows, PHASES), [worker], 1, closed=False).void
