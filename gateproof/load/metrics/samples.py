"""What was scraped, row by row, in Parquet segments as the run's own log: whole as soon as they have their name.

``<run>/server/scrape-000003.parquet``. A scrape that failed is a row with its reason: a gap is known, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from gateproof.load.metrics.exposition import Buckets, Family, Labels

SCHEMA_VERSION = "1"
FOLDER = "server"
FLUSH_ROWS = 2000
FLUSH_SECONDS = 10.0
"""At most so much is lost with a process that is killed."""

LABELS = frozenset({"model", "model_name", "engine", "gpu", "device", "finished_reason", "status_code", "status"})
"""Labels that are kept. Others name users, keys, pods: series that differ in them alone are added up."""

WORD = pa.dictionary(pa.int16(), pa.string())
SCHEMA = pa.schema(
    [
        ("source", WORD),
        ("at", pa.int64()),  # ns since the start of the run: the middle between asking and the answer's head
        ("took", pa.int64()),  # ns from asking to the end of the page
        ("gap", pa.string()),  # why the scrape failed; then all that follows is null
        ("word", WORD),
        ("name", WORD),
        ("labels", WORD),  # `engine=0,model_name=m`
        ("kind", WORD),
        ("value", pa.float64()),  # of a histogram: its number of observations
        ("sum", pa.float64()),
        ("edges", pa.list_(pa.float64())),
        ("counts", pa.list_(pa.float64())),
    ],
    metadata={"gateproof.server": SCHEMA_VERSION},
)
WORDS = ("source", "word", "name", "labels", "kind")
PLAIN = (*WORDS, "at", "value")


@dataclass(frozen=True, slots=True)
class Sample:
    """One series at one instant, ``at`` in ns of the run."""

    source: str
    at: int
    word: str
    name: str
    labels: str
    kind: str
    value: float
    buckets: Buckets | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A scrape that failed."""

    source: str
    at: int
    reason: str


@dataclass(frozen=True, slots=True)
class Samples:
    """All that a log holds, in the order of time. ``unreadable`` names the files that could not be used."""

    samples: Sequence[Sample] = ()
    gaps: Sequence[Gap] = ()
    scrapes: Mapping[str, int] = field(default_factory=dict)
    """By source: pages that were read."""
    unreadable: tuple[str, ...] = ()


def samples_of(source: str, at: int, families: Iterable[Family], words: Mapping[str, str]) -> list[Sample]:
    """The series of a page, with the labels that are kept; what then falls together is added up."""
    found: dict[tuple[str, str], Sample] = {}
    for family in families:
        kind = _kind(family)
        word = words.get(family.name, family.name)
        for labels, value in family.values.items():
            _add(found, Sample(source, at, word, family.name, _kept(labels), kind, value))
        for labels, buckets in family.histograms.items():
            _add(found, Sample(source, at, word, family.name, _kept(labels), kind, buckets.count, buckets))
    return list(found.values())


def _kind(family: Family) -> str:
    if family.kind == "untyped":
        return "counter" if family.name.endswith("_total") else "gauge"
    return family.kind


def _kept(labels: Labels) -> str:
    return ",".join(f"{name}={value}" for name, value in labels if name in LABELS)


def _add(found: dict[tuple[str, str], Sample], new: Sample) -> None:
    key = new.name, new.labels
    old = found.get(key)
    if old is None:
        found[key] = new
        return
    buckets = None if old.buckets is None or new.buckets is None else added(old.buckets, new.buckets)
    found[key] = Sample(new.source, new.at, new.word, new.name, new.labels, new.kind, old.value + new.value, buckets)


def added(one: Buckets, two: Buckets) -> Buckets:
    """Of two with the same edges; where they differ, over the edges that both have: nothing is interpolated."""
    edges = tuple(edge for edge in one.edges if edge in two.edges)
    first, second = (dict(zip(each.edges, each.counts, strict=True)) for each in (one, two))
    total = None if one.sum is None or two.sum is None else one.sum + two.sum
    return Buckets(edges, tuple(first[edge] + second[edge] for edge in edges), total)


@dataclass
class SampleWriter:
    """Rows of all sources. ``flush`` takes some milliseconds per thousand rows."""

    folder: Path
    play: int = 0
    """How often the run had been interrupted before."""
    segment: int = 0
    _rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        return len(self._rows)

    def page(self, source: str, at: int, took: int, samples: Iterable[Sample]) -> None:
        """One scrape; a page without anything that we know still counts as read."""
        self._rows.append({"source": source, "at": at, "took": took})
        self._rows += [_row(each) for each in samples]

    def gap(self, source: str, at: int, took: int, reason: str) -> None:
        self._rows.append({"source": source, "at": at, "took": took, "gap": reason})

    def flush(self) -> Path | None:
        """Write what waits; None when nothing does. OSError when the disk is full: the rows stay."""
        if not self._rows:
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(self._rows, schema=SCHEMA)
        resumed = f"-resumed{self.play}" if self.play else ""
        file = self.folder / f"scrape{resumed}-{self.segment:06}.parquet"
        part = file.with_suffix(".part")
        pq.write_table(table, part, compression="zstd")
        part.replace(file)
        self._rows = []
        self.segment += 1
        return file


def _row(sample: Sample) -> dict[str, Any]:
    row = {name: getattr(sample, name) for name in PLAIN}
    if sample.buckets is not None:
        row |= {"sum": sample.buckets.sum, "edges": sample.buckets.edges, "counts": sample.buckets.counts}
    return row


def read_samples(run: Path) -> Samples:
    """Everything that was scraped for a run; what cannot be read is named and costs only itself."""
    samples: list[Sample] = []
    gaps: list[Gap] = []
    scrapes: dict[str, int] = {}
    unreadable = []
    once: dict[Any, Any] = {}  # names, labels and edges are the same in every scrape of hours
    for file in sorted((run / FOLDER).glob("scrape-*.parquet")):
        try:
            rows = pq.read_table(file).cast(SCHEMA).to_pylist()
        except (pa.ArrowException, OSError, ValueError) as error:
            unreadable.append(f"{file.name}: {str(error).partition(chr(10))[0][:120]}")
            continue
        for row in rows:
            if row["gap"] is not None:
                gaps.append(Gap(row["source"], row["at"], row["gap"]))
            elif row["word"] is None:
                scrapes[row["source"]] = scrapes.get(row["source"], 0) + 1
            else:
                samples.append(_sample(row, once))
    return Samples(samples, gaps, scrapes, tuple(unreadable))


def _sample(row: Mapping[str, Any], once: dict[Any, Any]) -> Sample:
    buckets = None
    if row["edges"] is not None:
        edges = tuple(row["edges"])
        buckets = Buckets(once.setdefault(edges, edges), tuple(row["counts"]), row["sum"])
    plain = {name: once.setdefault(row[name], row[name]) if name in WORDS else row[name] for name in PLAIN}
    return Sample(**plain, buckets=buckets)
