"""What one worker learns while it runs: rows for the log, histograms and counts for whoever watches."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np

from gateproof.load.histogram import Histogram
from gateproof.load.log import FLUSH_ROWS, FLUSH_SECONDS, Writer
from gateproof.load.wire.answer import Answer
from gateproof.load.wire.call import Call
from gateproof.load.wire.outcome import Outcome
from gateproof.load.wire.reading import Reading

LIVE = ("ttft", "tpot", "latency", "slip")
"""Metrics that the live view shows; user latency, from when a request was due."""


class Recorder:
    """Rows and histograms of one worker. ``start`` is the run's zero on this worker's monotonic clock, in ns."""

    def __init__(self, writer: Writer, start: int) -> None:
        self._writer, self._start = writer, start
        self._flushed = time.monotonic()
        self.live = {name: Histogram() for name in LIVE}
        self.outcomes: Counter[str] = Counter()
        self._told = 0
        self.tokens = 0
        self.lost_rows: str | None = None
        """Why the log could not be written, once it could not."""

    def done(self, call: Call, answer: Answer, reading: Reading, known: dict[str, Any]) -> None:
        """One request that has ended; ``known`` is what the schedule says of it, ``scheduled`` in ns of the run."""
        times = reading.token_times
        row = {
            **known,
            **self._instants(call, reading),
            "outcome": reading.outcome.value,
            "detail": reading.detail or None,
            "status": reading.status or None,
            "reused": call.reused,
            "events": reading.events,
            "bytes": answer.body,
            "prompt_tokens": reading.prompt_tokens,
            "completion_tokens": reading.completion_tokens,
            "cached_tokens": reading.cached_tokens,
        }
        self._writer.add(row, np.diff(times) // 1000)
        self._watch(row, reading)

    def missed(self, known: dict[str, Any], outcome: Outcome, detail: str) -> None:
        """One request that never left."""
        row = {**known, "outcome": outcome.value, "detail": detail}
        self._writer.add(row, np.empty(0, dtype=np.int64))
        self.outcomes[outcome.value] += 1

    @property
    def rows(self) -> int:
        return self._writer.rows

    def news(self) -> dict[str, Any]:
        """What was added since the last time; ``sequence`` counts the times."""
        self._told += 1
        fresh, self.live = self.live, {name: Histogram() for name in LIVE}
        outcomes, self.outcomes = self.outcomes, Counter()
        return {
            "sequence": self._told,
            "live": {name: histogram.to_plain() for name, histogram in fresh.items()},
            "outcomes": dict(outcomes),
        }

    def flush(self, *, now: bool = False) -> None:
        """Write when there is enough, or when it is time; a disk that was full is tried again when it is time."""
        due = time.monotonic() - self._flushed >= FLUSH_SECONDS
        enough = self._writer.waiting >= FLUSH_ROWS and self.lost_rows is None
        if not (now or due or enough):
            return
        try:
            self._writer.flush()
        except OSError as error:
            self.lost_rows = f"{self._writer.waiting} requests could not be written: {error.strerror or error}"
        else:
            self.lost_rows = None
        self._flushed = time.monotonic()

    def _instants(self, call: Call, reading: Reading) -> dict[str, int | None]:
        instants = {
            "dispatched": call.dispatched,
            "connected": call.connected,
            "secured": call.secured,
            "sent": call.sent,
            "first_byte": reading.first_byte,
            "first_event": reading.first_event,
            "first_token": reading.first_token,
            "first_visible": reading.first_visible,
            "last_token": reading.last_token,
            "ended": call.ended,
            "read_first_token": reading.read_first_token,
        }
        return {name: instant - self._start if instant else None for name, instant in instants.items()}

    def _watch(self, row: dict[str, Any], reading: Reading) -> None:
        self.outcomes[reading.outcome.value] += 1
        scheduled = row["scheduled"]
        self.live["slip"].add(max(0, row["dispatched"] - scheduled))
        if reading.outcome is not Outcome.OK:
            return
        self.live["latency"].add(max(0, row["ended"] - scheduled))
        self.tokens += reading.completion_tokens or 0
        if row["first_token"] is not None:
            self.live["ttft"].add(max(0, row["first_token"] - scheduled))
            tokens = reading.completion_tokens or len(reading.token_times)
            if tokens > 1:
                self.live["tpot"].add((reading.last_token - reading.first_token) // (tokens - 1))
