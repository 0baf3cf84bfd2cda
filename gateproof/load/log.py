"""The log of a run: one row per due request, in Parquet segments that are whole as soon as they have their name.

``<run>/log/worker-3-000017.parquet``: written beside and renamed, so that a kill -9 costs at most the rows since the
last flush, and no reader ever sees half a file. After the run's first interruption the name is
``worker-3-resumed1-000000.parquet``. Every analysis is a pure function of these.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

from gateproof.load.wire.outcome import Outcome
from gateproof.load.wire.reading import Instants

SCHEMA_VERSION = "1"
FOLDER = "log"
FLUSH_ROWS = 2000
FLUSH_SECONDS = 5.0
"""At most so much is lost with a worker that is killed."""

STOPPED = "the run was stopped"
"""Why a request did not leave whose turn had not come: where the run is resumed, another row takes the place of its."""
INTERRUPTED = "the run was interrupted"
"""Why nobody knows what became of a request: it was due before an interruption, and no worker lived to log it."""

AT_ONCE = 1 << 16
"""Rows of a log that are put in order together."""

INSTANT = pa.int64()  # ns since the start of the run; null: it never came
COUNT = pa.int32()
WORD = pa.dictionary(pa.int16(), pa.string())

SCHEMA = pa.schema(
    [
        ("index", pa.int64()),
        ("worker", pa.int16()),
        ("phase", pa.int16()),
        ("part", pa.int16()),
        ("scheduled", INSTANT),
        ("dispatched", INSTANT),
        ("connected", INSTANT),
        ("secured", INSTANT),
        ("sent", INSTANT),
        ("first_byte", INSTANT),
        ("first_event", INSTANT),
        ("first_token", INSTANT),
        ("first_visible", INSTANT),
        ("last_token", INSTANT),
        ("ended", INSTANT),
        ("read_first_token", INSTANT),
        ("outcome", WORD),
        ("detail", pa.string()),
        ("status", pa.int16()),
        ("reused", pa.bool_()),
        ("events", COUNT),
        ("bytes", pa.int64()),
        ("asked_input", COUNT),
        ("asked_output", COUNT),
        ("prompt_tokens", COUNT),
        ("completion_tokens", COUNT),
        ("cached_tokens", COUNT),
        # us between the arrivals of events with a token; a list for each stream
        ("gaps", pa.list_(pa.int32())),
    ],
    metadata={"gateproof.log": SCHEMA_VERSION},
)
COLUMNS = tuple(name for name in SCHEMA.names if name != "gaps")

log = logging.getLogger(__name__)


def stem(worker: int | str, play: int) -> str:
    """How the files of a worker begin; ``play`` counts how often the run had been interrupted before."""
    return f"worker-{worker}" + (f"-resumed{play}" if play else "")


@dataclass
class Writer:
    """Rows of one worker. ``add`` is cheap; ``flush`` takes some milliseconds per thousand rows."""

    folder: Path
    worker: int | str
    play: int = 0
    segment: int = 0
    rows: int = 0
    _columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in COLUMNS})
    _gaps: list[Instants] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def add(self, row: Mapping[str, Any], gaps: Instants) -> None:
        """One request; what ``row`` leaves out is null. ``gaps`` in microseconds."""
        for name, column in self._columns.items():
            column.append(row.get(name))
        self._gaps.append(gaps)
        self.rows += 1

    @property
    def waiting(self) -> int:
        return len(self._gaps)

    def flush(self) -> Path | None:
        """Write what waits; the last file, None when nothing waits. OSError when the disk is full: the rows stay."""
        file = None
        while self._gaps:
            file = self._write(FLUSH_ROWS)
        return file

    def _write(self, most: int) -> Path:
        """The first rows: on a full disk, each try then costs the same however many wait."""
        file = self.folder / f"{stem(self.worker, self.play)}-{self.segment:06}.parquet"
        part = file.with_suffix(".part")
        try:
            pq.write_table(self._table(most), part, compression="zstd", write_page_checksum=True)
        except OSError:
            part.unlink(missing_ok=True)  # half a file only takes the room that is wanting
            raise
        part.replace(file)
        for column in (*self._columns.values(), self._gaps):
            del column[:most]
        self.segment += 1
        return file

    def _table(self, most: int) -> pa.Table:
        arrays = [pa.array(self._columns[name][:most], SCHEMA.field(name).type) for name in COLUMNS]
        waiting = self._gaps[:most]
        offsets = np.concatenate([[0], np.cumsum([len(gaps) for gaps in waiting])]).astype(np.int32)
        values = np.concatenate(waiting).astype(np.int32)
        gaps = pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
        return pa.Table.from_arrays([*arrays, gaps], schema=SCHEMA)


def warm_up(folder: Path) -> None:
    """Write one row and forget it: the first write of a process takes 20 ms, later ones 2: requests are due then."""
    with contextlib.suppress(OSError), tempfile.TemporaryDirectory(dir=folder) as aside:
        writer = Writer(Path(aside), 0)
        writer.add({"outcome": "ok"}, np.zeros(1, dtype=np.int64))
        writer.flush()


@dataclass(frozen=True, slots=True)
class Rows:
    """What a log holds. ``unreadable`` names the files that could not be used, ``twice`` counts rows left out."""

    table: pa.Table
    unreadable: tuple[str, ...] = ()
    twice: int = 0

    @property
    def scalars(self) -> pa.Table:
        """All but the gaps, which are most of a log: who filters rows without them copies a tenth."""
        return self.table.select(COLUMNS)


def read_log(run: Path) -> Rows:
    """Every row of a run, in the order of its indices, each index once."""
    tables, unreadable = [], []
    for file in sorted((run / FOLDER).glob("worker-*.parquet")):
        try:
            table = pq.read_table(file, page_checksum_verification=True, use_threads=False)
            tables.append(table.cast(SCHEMA))
        except (pa.ArrowException, OSError, ValueError) as error:
            unreadable.append(f"{file.name}: {short(error)}")
    whole = [pa.concat_tables(tables) if tables else SCHEMA.empty_table()]
    tables.clear()  # and given away: a million rows are there once, not twice
    rows = once(whole.pop(), tuple(unreadable))
    pa.default_memory_pool().release_unused()
    return rows


def once(table: pa.Table, unreadable: tuple[str, ...] = ()) -> Rows:
    """Each index once: what was called back gives way to what became of it later."""
    table = table.unify_dictionaries()
    index, back = table["index"].to_numpy(), called_back(table)
    order = np.lexsort((back, index))
    index, back = index[order], back[order]
    first = np.concatenate([[True], index[1:] != index[:-1]]) if len(index) else np.empty(0, dtype=bool)
    kept, columns = order[first], table.columns
    del table
    taken = []
    while columns:  # each is given away before it is copied
        whole = columns.pop(0).combine_chunks()
        taken.append(_in_order(whole, kept))
    return Rows(pa.table(taken, SCHEMA), unreadable, int((~first & ~back).sum()))


def _in_order(column: pa.Array, kept: NDArray[np.int64]) -> pa.ChunkedArray:
    """In parts: a list that grows to a hundred million gaps in one piece is twice there whenever it has to grow."""
    parts = [column.take(pa.array(kept[start : start + AT_ONCE])) for start in range(0, len(kept), AT_ONCE)]
    return pa.chunked_array(parts, column.type)


def called_back(table: pa.Table) -> NDArray[np.bool_]:
    """Rows of requests that never left because the run was stopped before their turn."""
    detail: NDArray[np.bool_] = pc.fill_null(pc.equal(table["detail"], STOPPED), False).to_numpy()
    words = table["outcome"].cast(pa.string())
    unsent = pc.is_in(words, pa.array([Outcome.NOT_DISPATCHED.value, Outcome.SKIPPED.value]))
    back: NDArray[np.bool_] = detail & unsent.to_numpy()
    return back


def short(error: Exception) -> str:
    """The first line of what it says."""
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__


def outcomes(rows: Rows) -> Iterable[str]:
    """The word of each row."""
    return (str(value) for value in rows.table["outcome"].cast(pa.string()).to_pylist())
