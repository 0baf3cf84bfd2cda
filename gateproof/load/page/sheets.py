"""The plotted numbers for a spreadsheet: seconds and per second, empty where nothing is known (RFC 4180)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from gateproof.load.page import series
from gateproof.load.page.columns import WORDS, Floats
from gateproof.load.page.context import Context
from gateproof.load.page.plots import quantile_curves
from gateproof.load.wire.outcome import Outcome

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "highest": 1.0}


def over_time(run: Context) -> str:
    """One row per bin of the run."""
    log, bins, instants = run.log, run.bins, run.log.instants
    flying = series.under_way(bins, instants["dispatched"], instants["ended"])
    columns: dict[str, Floats] = {
        "start_s": bins.edges[:-1],
        "end_s": bins.edges[1:],
        "due": bins.count(run.due),
        "dispatched": bins.count(instants["dispatched"]),
        "ended_well": bins.count(instants["ended"][log.good]),
        "in_flight_mean": flying.mean,
        "in_flight_highest": flying.most,
    }
    for place, word in enumerate(WORDS):
        if word != Outcome.OK.value and (of_kind := log.outcome == place).any():
            columns[f"ended_{word.replace(' ', '_')}"] = bins.count(run.due[of_kind])
    for metric, (start, end) in {"ttft": ("scheduled", "first_token"), "latency": ("scheduled", "ended")}.items():
        values = np.where(log.good, log.between(start, end), np.nan)
        columns |= _quantiles(run, metric, values)
    columns |= _quantiles(run, "slip", log.between("scheduled", "dispatched"))
    return _sheet(columns.keys(), zip(*(each.tolist() for each in columns.values()), strict=True))


def quantiles(run: Context) -> str:
    """One row per point of each percentile curve."""
    rows = [
        (name.lower(), each.count, f"{share:.6g}", value)
        for name, each in quantile_curves(run).items()
        for share, value in zip(each.shares.tolist(), each.values.tolist(), strict=True)
    ]
    return _sheet(["metric", "count", "share", "value_s"], rows)


def _quantiles(run: Context, metric: str, values: Floats) -> Mapping[str, Floats]:
    found = series.by_bin(run.bins, run.due, values, list(SHARES.values()))
    return {f"{metric}_{name}_s": each for name, each in zip(SHARES, found, strict=True)}


def _sheet(head: Iterable[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, float):
        return value
    return "" if np.isnan(value) else f"{value:.6g}"
