"""What clients saw beside what servers say: where the two cannot both be right, or the way between takes its time.

A client's quantile has an interval (`report/statistics.py`), a server's lies between two edges of its histogram. Only
intervals that do not meet are a disagreement, and its least size is the distance between them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.compute as pc  # type: ignore[import-untyped]  # no types
from numpy.typing import NDArray

from gateproof.load.log import Rows
from gateproof.load.metrics.samples import added
from gateproof.load.metrics.summary import Seen, Spread, finite
from gateproof.load.schedule import Phase
from gateproof.load.wire.outcome import Outcome
from gateproof.report.statistics import quantile_interval

Floats = NDArray[np.float64]

CONFIDENCE = 0.975
"""Of each end of a client's interval: 95 % for both."""
COMPARED = {"p50": 0.5, "p95": 0.95}
LEAST = 20
"""Requests on either side, below which nothing is compared."""
METRICS = ("ttft", "tpot", "latency")
"""Ours, from when a request was sent; servers count from when it came in, so theirs should be no longer."""
_MILLISECONDS = ("_ms", "_milliseconds")


@dataclass(frozen=True, slots=True)
class Pair:
    """One quantile from both sides, in seconds; an upper end may be infinite."""

    metric: str
    quantile: str
    source: str
    name: str
    client: tuple[float, float]
    server: tuple[float, float]
    counts: tuple[int, int]
    """Requests on each side."""

    @property
    def apart(self) -> float:
        """Least distance in seconds: above 0 the client saw more, below 0 it saw less, 0 when the two can agree."""
        if self.client[0] > self.server[1]:
            return self.client[0] - self.server[1]
        if self.client[1] < self.server[0]:
            return self.client[1] - self.server[0]
        return 0.0

    @property
    def said(self) -> str:
        sides = f"{_range(*self.client)} for clients, {_range(*self.server)} for {self.source}"
        if not self.apart:
            return f"{self.metric} {self.quantile}: {sides}"
        more = "more than it says" if self.apart > 0 else "less than it says, so the two measure different things"
        return f"{self.metric} {self.quantile}: {sides}: at least {abs(self.apart) * 1e3:.3g} ms {more}"

    def to_plain(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "quantile": self.quantile,
            "source": self.source,
            "name": self.name,
            "client_s": [self.client[0], finite(self.client[1])],
            "server_s": [self.server[0], finite(self.server[1])],
            "requests": {"client": self.counts[0], "server": self.counts[1]},
            "apart_s": self.apart,
            "said": self.said,
        }


def pairs(clients: Mapping[str, Floats], servers: Sequence[Seen]) -> list[Pair]:
    """Every metric that both sides have, for each histogram of each source, its labels added up."""
    histograms: dict[tuple[str, str, str], list[Spread]] = {}
    for each in servers:
        if each.word in clients and isinstance(each.told, Spread):
            histograms.setdefault((each.word, each.source, each.name), []).append(each.told)
    told = []
    for (word, source, name), spreads in sorted(histograms.items()):
        buckets = reduce(added, (spread.buckets for spread in spreads))
        whole = Spread(buckets, spreads[0].seconds, 0)
        values = clients[word]
        if len(values) < LEAST or buckets.count < LEAST:
            continue
        factor = 1e-3 if name.endswith(_MILLISECONDS) else 1.0
        for quantile, share in COMPARED.items():
            bounds = whole.quantile(share)
            assert bounds is not None  # something was counted
            server = (bounds[0] * factor, bounds[1] * factor)
            counts = (len(values), int(buckets.count))
            told.append(Pair(word, quantile, source, name, _of_client(values, share), server, counts))
    return told


def _of_client(values: Floats, share: float) -> tuple[float, float]:
    """An end that the values are too few to tell is the farthest it can be."""
    found = quantile_interval(values, share, confidence=CONFIDENCE)
    return found.low or 0.0, math.inf if found.high is None else found.high


def client_values(rows: Rows, phases: Sequence[Phase]) -> dict[str, Floats]:
    """Seconds of what went well in the counted phases."""
    counted = pa.array([number for number, phase in enumerate(phases) if phase.counted], pa.int16())
    good = pc.equal(rows.table["outcome"].cast(pa.string()), Outcome.OK.value)
    table = rows.scalars.filter(pc.and_(good, pc.is_in(rows.table["phase"], counted)))

    def column(name: str) -> Floats:
        values: Floats = table[name].cast(pa.float64()).to_numpy()
        return values

    sent, first = column("sent") / 1e9, column("first_token") / 1e9
    tokens = column("completion_tokens")
    after_first = np.where(tokens > 1, tokens - 1, np.nan)
    found = {
        "ttft": first - sent,
        "tpot": (column("last_token") / 1e9 - first) / after_first,
        "latency": column("ended") / 1e9 - sent,
    }
    return {name: values[~np.isnan(values)] for name, values in found.items()}


def _range(low: float, high: float) -> str:
    if math.isinf(high):
        return f"over {low * 1e3:.4g} ms"
    return f"{low * 1e3:.4g} to {high * 1e3:.4g} ms"
