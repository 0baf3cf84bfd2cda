"""The log of a run as a page needs it: a few arrays, gaps counted and error texts summed up as they are read.

A million requests take some 150 MB; their gaps, which may be a hundred million, are never in memory at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.compute as pc  # type: ignore[import-untyped]  # no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # no types
from numpy.typing import NDArray

from gateproof.load.gaps import Gaps
from gateproof.load.log import FOLDER, called_back
from gateproof.load.page.frequent import Frequent
from gateproof.load.wire.outcome import Outcome

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

WORDS = tuple(each.value for each in Outcome)
INSTANTS = ("scheduled", "dispatched", "sent", "first_token", "last_token", "ended")
COUNTS = ("asked_input", "prompt_tokens", "completion_tokens")
SCALARS = ("index", "phase", "part", *INSTANTS, *COUNTS, "outcome", "detail")
UNREADABLE = (pa.ArrowException, OSError, ValueError)

NANOSECONDS = 1e-9
DETAIL_LIMIT = 300
"""Characters of an error text that are compared and shown."""


@dataclass(frozen=True, slots=True)
class Log:
    """One entry per request that was due; instants in seconds of the run, NaN where there is none.

    ``outcome`` are places in ``WORDS``. ``counted`` says which were due in counted phases. ``gaps`` and ``texts`` are
    of these: the gaps of what ended well, the words and details of what did not.
    """

    index: Ints
    part: Ints
    instants: dict[str, Floats]
    counts: dict[str, Floats]
    outcome: Ints
    counted: Bools
    gaps: Gaps = field(default_factory=Gaps)
    texts: Frequent[tuple[str, str]] = field(default_factory=Frequent)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def good(self) -> Bools:
        good: Bools = self.outcome == WORDS.index(Outcome.OK.value)
        return good

    def between(self, start: str, end: str) -> Floats:
        """Seconds, NaN where either instant is missing."""
        return self.instants[end] - self.instants[start]

    @property
    def tpot(self) -> Floats:
        """Seconds per token after the first."""
        tokens = self.counts["completion_tokens"]
        return self.between("first_token", "last_token") / np.where(tokens > 1, tokens - 1, np.nan)


def read(folder: Path, counted: Sequence[int], parts: int | None = None) -> Log:
    """All rows of a run, each index once. ``counted`` are the numbers of its counted phases.

    ``parts``: what goes past the gateway has these and higher numbers of the mix, and is left out.
    """
    segments = _segments(folder)
    gaps, texts = Gaps(), Frequent[tuple[str, str]]()
    pieces = []
    for segment, mask in zip(segments, _kept([each.scalars for each in segments]), strict=True):
        ours = mask if parts is None else mask & (segment.scalars["part"].to_numpy() < parts)
        piece = _plain(segment.scalars.filter(pa.array(ours)), counted)
        try:
            gaps.add(segment.gaps(_within(ours, piece.counted & piece.good)))
        except UNREADABLE:
            continue  # named among the reasons why the run is void, as one that cannot be read at all
        pieces.append(piece)
        texts.add(_texts(segment.scalars.filter(pa.array(_within(ours, piece.counted & ~piece.good)))))
    return _joined(pieces, gaps, texts)


@dataclass(frozen=True, slots=True)
class _Segment:
    """A file of the log. Its gaps are most of it, and are read when it is known which of its rows count."""

    file: Path
    scalars: pa.Table

    def gaps(self, chosen: Bools) -> NDArray[np.int32]:
        lists = pq.read_table(self.file, columns=["gaps"], page_checksum_verification=True, use_threads=False)["gaps"]
        found: NDArray[np.int32] = lists.filter(pa.array(chosen)).combine_chunks().flatten().to_numpy()
        return found


def _segments(folder: Path) -> list[_Segment]:
    found = []
    for file in sorted((folder / FOLDER).glob("worker-*.parquet")):
        try:
            scalars = pq.read_table(file, columns=list(SCALARS), page_checksum_verification=True, use_threads=False)
        except UNREADABLE:
            continue
        found.append(_Segment(file, scalars))
    return found


def _kept(tables: Sequence[pa.Table]) -> list[Bools]:
    """Which rows of each count: each index once, by the rule of ``log.once``."""
    if not tables:
        return []
    index = np.concatenate([table["index"].to_numpy() for table in tables])
    back = np.concatenate([called_back(table) for table in tables])
    order = np.lexsort((back, index))
    first = np.concatenate([[True], np.diff(index[order]) != 0])[: len(order)]
    kept = np.zeros(len(index), dtype=bool)
    kept[order[first]] = True
    return np.split(kept, np.cumsum([len(table) for table in tables])[:-1])


def _within(mask: Bools, chosen: Bools) -> Bools:
    """The mask of all rows that ``chosen`` picks out of those of ``mask``."""
    picked = mask.copy()
    picked[mask] = chosen
    return picked


def _plain(table: pa.Table, counted: Sequence[int]) -> Log:
    words = table["outcome"].cast(pa.string())
    return Log(
        index=table["index"].to_numpy(),
        part=table["part"].cast(pa.int64()).to_numpy(),
        instants={name: _floats(table, name) * NANOSECONDS for name in INSTANTS},
        counts={name: _floats(table, name) for name in COUNTS},
        outcome=pc.index_in(words, pa.array(WORDS)).cast(pa.int64()).to_numpy(),
        counted=pc.is_in(table["phase"], pa.array(list(counted), pa.int16())).to_numpy()
        & (words.to_numpy() != Outcome.SKIPPED.value),
    )


def _floats(table: pa.Table, name: str) -> Floats:
    values: Floats = table[name].cast(pa.float64()).to_numpy()
    return values


def _texts(bad: pa.Table) -> dict[tuple[str, str], int]:
    words = bad["outcome"].cast(pa.string())
    details = pc.utf8_slice_codeunits(pc.fill_null(bad["detail"], ""), 0, DETAIL_LIMIT)
    counted = pa.table({"word": words, "detail": details}).group_by(["word", "detail"]).aggregate([([], "count_all")])
    return {(row["word"], row["detail"]): row["count_all"] for row in counted.to_pylist()}


def _joined(pieces: Sequence[Log], gaps: Gaps, texts: Frequent[tuple[str, str]]) -> Log:
    def floats(arrays: Iterable[Floats]) -> Floats:
        return np.concatenate([np.empty(0), *arrays])

    def ints(arrays: Iterable[Ints]) -> Ints:
        return np.concatenate([np.empty(0, np.int64), *arrays])

    return Log(
        index=ints(each.index for each in pieces),
        part=ints(each.part for each in pieces),
        instants={name: floats(each.instants[name] for each in pieces) for name in INSTANTS},
        counts={name: floats(each.counts[name] for each in pieces) for name in COUNTS},
        outcome=ints(each.outcome for each in pieces),
        counted=np.concatenate([np.empty(0, np.bool_), *(each.counted for each in pieces)]),
        gaps=gaps,
        texts=texts,
    )
