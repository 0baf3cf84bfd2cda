"""A run against the backend itself: what goes where, and the log's rows as both sides of each pair."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.compute as pc  # type: ignore[import-untyped]  # no types

from gateproof.errors import ConfigError
from gateproof.load.blocks import Against
from gateproof.load.interleave import Interleaved
from gateproof.load.log import Rows
from gateproof.load.overhead import Estimate, Floats, Overhead, Stage, Taken, overhead
from gateproof.load.profile import Workload
from gateproof.load.ranks import ranked
from gateproof.load.wire.outcome import Outcome
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret, resolve_key

BACKEND = "vllm"
"""The dialect of what stands behind a gateway."""

STAGES = {
    "connect": ("dispatched", "connected"),
    "first_byte": ("sent", "first_byte"),
    "ttft": ("sent", "first_token"),
    "latency": ("sent", "ended"),
}
"""From when to when. Not from when a request was due: how late we are ourselves is no gateway's doing."""

GAP_P99 = "gap_p99"
"""Of each request on its own: the p99 of the gaps between its events."""


def both_ways(workload: Workload) -> Workload:
    """The mix, and the same once more for the direct way."""
    return workload.model_copy(update={"mix": [*workload.mix, *workload.mix]})


def backend_of(target: Target, against: Against) -> Target:
    """The target as if nothing stood before its models: no headers of the gateway, no names of it."""
    url = against.url or (target.upstream.direct if target.upstream else None)
    if url is None:
        raise ConfigError(
            f"{target.name} does not say where its backend is",
            key="against.url",
            accepted="a URL, here or as `upstream.direct` of the target",
        )
    bare = {name: tenant.model_copy(update={"headers": {}}) for name, tenant in target.tenants.items()}
    models = target.models if against.model is None else dict.fromkeys(target.models, against.model)
    changes = {"stack": BACKEND, "base_url": url, "models": models, "tenants": bare, "headers": {}, "tls": against.tls}
    return target.model_copy(update={**changes, "host": None, "connect": None})


def backend_keys(target: Target, against: Against) -> dict[str, Secret]:
    """The same key for whoever asks; none where none is needed."""
    if against.key is None:
        return {}
    return dict.fromkeys(target.tenants, resolve_key(against.key, "against", target.name, cluster=target.kubernetes))


# --- what came of it ---


def through_gateway(rows: Rows, plan: Interleaved) -> Rows:
    """The rows that the gateway's own numbers are of."""
    chosen = pa.array(np.flatnonzero(~plan.direct))
    return dataclasses.replace(rows, table=rows.table.filter(pc.is_in(rows.table["index"], chosen)))


def compared(rows: Rows, plan: Interleaved) -> Overhead:
    """A request that is in no log did not end well."""
    counted = np.array([phase.counted for phase in plan.schedule.phases])[plan.schedule.phase]
    table, number = rows.table, len(plan.schedule)
    index = table["index"].to_numpy()
    good = np.zeros(number, dtype=bool)
    good[index] = pc.equal(table["outcome"].cast(pa.string()), Outcome.OK.value).to_numpy(zero_copy_only=False)

    def spread(values: Floats) -> Floats:
        full = np.full(number, np.nan)
        full[index] = values
        return full

    taken = {
        name: Taken(start, spread(_seconds(table, end) - _seconds(table, start)))
        for name, (start, end) in STAGES.items()
    }
    taken[GAP_P99] = Taken("token before", spread(_gaps(table)))
    return overhead(plan, counted, good, taken)


def _seconds(table: pa.Table, name: str) -> Floats:
    values: Floats = table[name].cast(pa.float64()).to_numpy() / 1e9
    return values


def _gaps(table: pa.Table) -> Floats:
    """NaN where a request has no gaps."""
    return np.array([ranked(gaps, [0.99])[0] / 1e6 if len(gaps) else np.nan for gaps in _lists(table["gaps"])])


def _lists(column: Any) -> list[Floats]:
    chunks = [chunk for chunk in column.chunks if len(chunk)]
    return [
        gaps
        for chunk in chunks
        for gaps in np.split(chunk.flatten().to_numpy(), np.cumsum(chunk.value_lengths().to_numpy())[:-1])
    ]


# --- telling it ---


def told(found: Overhead) -> dict[str, Any]:
    """For ``report.json``: seconds, gateway minus direct."""
    return {
        "unit": "s",
        "pairs": found.pairs,
        "lost": dict(found.lost),
        "stages": {name: dataclasses.asdict(stage) for name, stage in found.stages.items() if stage.pairs},
    }


def in_words(plain: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown, from what ``told`` gave."""
    lost = ", ".join(f"{count} {side}" for side, count in plain["lost"].items() if count)
    return [
        f"What the gateway adds, of {plain['pairs']} pairs of requests{f'; did not end well: {lost}' if lost else ''}:",
        "",
        "| stage [ms] | from | pairs | gateway p50 | direct p50 | added: median | mean | p95 |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
        *(_line(name, Stage(**_read(stage))) for name, stage in plain["stages"].items()),
    ]


def _read(stage: Mapping[str, Any]) -> dict[str, Any]:
    estimates = {name: Estimate(**each) for name, each in stage.items() if isinstance(each, Mapping)}
    return {**stage, **estimates}


def _line(name: str, stage: Stage) -> str:
    sides = [_milliseconds(value) for value in (stage.gateway, stage.direct)]
    cells = [_shown(each) for each in (stage.median, stage.mean, stage.tail)]
    return f"| {name} | {stage.start} | {stage.pairs} | {' | '.join([*sides, *cells])} |"


def _shown(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    interval = f" ({_milliseconds(estimate.low)} to {_milliseconds(estimate.high)})" if estimate.low is not None else ""
    return f"{_milliseconds(estimate.value)}{interval}"


def _milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds * 1e3:,.0f}" if abs(seconds) >= 1 else f"{seconds * 1e3:.3g}"
