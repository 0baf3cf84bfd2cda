"""From the log of a run to the single values behind its numbers, in the order in which they were due.

What an interval is made of: the gate and the comparison of runs need the values themselves, where the report has their
quantiles. The definitions are those of ``gateproof.load.analysis``, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.compute as pc  # type: ignore[import-untyped]  # no types
from numpy.typing import NDArray

from gateproof.load.log import Rows
from gateproof.load.wire.outcome import Outcome

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

BETWEEN: Mapping[str, tuple[str, str]] = {
    "ttft": ("scheduled", "first_token"),
    "ttft_service": ("sent", "first_token"),
    "first_byte": ("sent", "first_byte"),
    "first_event": ("sent", "first_event"),
    "latency": ("scheduled", "ended"),
    "latency_service": ("sent", "ended"),
    "connect": ("dispatched", "connected"),
    "slip": ("scheduled", "dispatched"),
    "read_delay": ("first_token", "read_first_token"),
}
"""Seconds from one instant of a request to another."""
TOKENS = ("prompt_tokens", "completion_tokens")
PER_SECOND = 1.0
"""s; the stretches whose sums are the series of a rate."""
_OURS = tuple(outcome for outcome in Outcome if outcome.ours)


@dataclass(frozen=True, slots=True)
class Samples:
    """Values in the order in which their requests were due; ``at`` has when, in seconds from the start of the run.

    ``lengths`` has the number of values of each request in ``at``, where that need not be one.
    """

    at: Floats
    values: Floats
    lengths: Ints | None = None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of a run that is looked at: spans of seconds from its start, which do not overlap."""

    spans: tuple[tuple[float, float], ...]

    @property
    def seconds(self) -> float:
        return sum(end - start for start, end in self.spans)

    def holds(self, at: Floats) -> Bools:
        found = np.zeros(len(at), dtype=bool)
        for start, end in self.spans:
            found |= (at >= start) & (at < end)
        return found


class Sampled:
    """The requests of one stretch of a run. ``parts`` is the number of parts of the mix: what is beyond them went past
    the gateway, and is no number of the target.

    Holds places in the log, not copies of it: a log has a million rows of thirty columns, and a metric needs two.
    """

    def __init__(self, rows: Rows, phases: Sequence[int], stretch: Stretch, parts: int) -> None:
        self._table, self._stretch = rows.table, stretch
        self._outcomes, self._codes = _encoded(rows.table)
        through = self._whole("part") < parts
        scheduled = self._whole("scheduled") / 1e9
        due = through & np.isin(self._whole("phase"), phases) & ~self._are(Outcome.SKIPPED) & stretch.holds(scheduled)
        places = np.flatnonzero(due)
        self._due = places[np.argsort(scheduled[places], kind="stable")]
        self._good = self._due[self._are(Outcome.OK)[self._due]]
        self._through = np.flatnonzero(through & self._are(Outcome.OK))

    @property
    def due(self) -> int:
        return len(self._due)

    @property
    def seconds(self) -> float:
        """Length of the stretch."""
        return self._stretch.seconds

    def of(self, metric: str) -> Samples:
        """One value of each request that ended well, or of each that left for ``slip``; ``gap`` has many."""
        places = self._due if metric == "slip" else self._good
        at = self._seconds(places, "scheduled")
        if metric == "gap":
            return self._gaps(places, at)
        values = self._values(places, metric)
        known = ~np.isnan(values)
        return Samples(at[known], values[known])

    def errors(self) -> Bools:
        """Of each request that the target had to answer: whether it was not answered well."""
        judged = self._due[~self._are(*_OURS)[self._due]]
        return ~self._are(Outcome.OK)[judged]

    def ended(self, outcome: Outcome) -> Bools:
        """Of each due request: whether it ended so."""
        return self._are(outcome)[self._due]

    def within(self, bounds: Mapping[str, float]) -> Bools:
        """Of each due request, whatever became of it: whether it ended well and within all bounds, in seconds.

        What we cut off ourselves at the end of the run is left out: nobody knows how long it would have taken.
        """
        places = self._due[~self._are(Outcome.ABANDONED)[self._due]]
        good = self._are(Outcome.OK)[places]
        for metric, bound in bounds.items():
            good &= np.nan_to_num(self._values(places, metric), nan=np.inf) <= bound
        return good

    def per_second(self, rate: str) -> Floats:
        """Of each whole second of the stretch: answers that ended well in it, or tokens of the answers to the requests
        that were due in it, as the rates of a report count them."""
        if rate == "requests":
            at, amounts = self._seconds(self._through, "ended"), np.ones(len(self._through))
        else:
            at = self._seconds(self._good, "scheduled")
            amounts = np.nan_to_num(self._whole("completion_tokens")[self._good])
        series = [_sums(at, amounts, start, end) for start, end in self._stretch.spans]
        return np.concatenate([np.empty(0), *series])

    # --- columns ---

    def _values(self, places: Ints, metric: str) -> Floats:
        if metric in TOKENS:
            return self._whole(metric)[places]
        if metric == "tpot":
            tokens = self._whole("completion_tokens")[places]
            spans = self._seconds(places, "last_token") - self._seconds(places, "first_token")
            values: Floats = np.divide(spans, tokens - 1, out=np.full(len(tokens), np.nan), where=tokens > 1)
            return values
        start, end = BETWEEN[metric]
        return self._seconds(places, end) - self._seconds(places, start)

    def _gaps(self, places: Ints, at: Floats) -> Samples:
        gaps = self._table["gaps"].take(pa.array(places))
        lengths = pc.fill_null(pc.list_value_length(gaps), 0).to_numpy().astype(np.int64)
        return Samples(at, pc.list_flatten(gaps).to_numpy() / 1e6, lengths)

    def _are(self, *outcomes: Outcome) -> Bools:
        """Of each row of the log: whether it ended in one of these ways."""
        wanted = [self._outcomes[outcome.value] for outcome in outcomes if outcome.value in self._outcomes]
        found: Bools = np.isin(self._codes, wanted)
        return found

    def _whole(self, name: str) -> Floats:
        values: Floats = self._table[name].cast(pa.float64()).to_numpy()
        return values

    def _seconds(self, places: Ints, name: str) -> Floats:
        return self._whole(name)[places] / 1e9


def _encoded(table: pa.Table) -> tuple[dict[str, int], Ints]:
    """The words of the outcomes with their codes, and the code of each row."""
    column = table["outcome"].unify_dictionaries()
    if not column.num_chunks:
        return {}, np.empty(0, dtype=np.int64)
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in column.chunks]).astype(np.int64)
    return {word: code for code, word in enumerate(column.chunk(0).dictionary.to_pylist())}, codes


def _sums(at: Floats, amounts: Floats, start: float, end: float) -> Floats:
    seconds = int((end - start) // PER_SECOND)
    edges = start + PER_SECOND * np.arange(seconds + 1)
    sums: Floats = np.histogram(at[at < edges[-1]], edges, weights=amounts[at < edges[-1]])[0]
    return sums / PER_SECOND
