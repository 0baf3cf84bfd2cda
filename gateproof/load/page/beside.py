"""The plots of what stands beside a run: its servers, a search, a comparison with the backend itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gateproof.load.page import charts, servers
from gateproof.load.page.charts import MILLISECONDS, Chart, Line, Points, Table, time_unit
from gateproof.load.page.context import Context
from gateproof.load.page.intervals import Interval, intervals
from gateproof.load.page.plots import over_bins
from gateproof.load.page.servers import Told
from gateproof.load.page.words import METRICS, NONE, STAGES, named, number, seconds

MOST_LINES = 8
"""Of one plot: as many as there are colours."""

GIBIBYTE = 2.0**30


@dataclass(frozen=True, slots=True)
class Group:
    """Metrics that are one plot: of words, in a unit of which one is ``size`` of what the server says."""

    id: str
    title: str
    words: tuple[str, ...]
    unit: str
    size: float = 1.0
    mean: bool = False
    """Whether series that differ in labels are averaged, not added up."""


GAUGES = (
    Group("server-requests", "Requests in the servers", ("running", "waiting"), "requests"),
    Group("server-kv-cache", "KV cache in use", ("kv_cache",), "%", 0.01, mean=True),
    Group("server-memory", "Resident memory of the servers", ("memory",), "GiB", GIBIBYTE),
    Group("gpu-use", "GPU use", ("gpu_use",), "%", mean=True),
    Group("gpu-memory", "GPU memory in use", ("gpu_memory",), "GiB", 1024),
    Group("gpu-power", "GPU power", ("gpu_power",), "W"),
    Group("gpu-temperature", "GPU temperature", ("gpu_temperature",), "°C", mean=True),
)
COUNTERS = (
    Group("server-preemptions", "Preemptions", ("preemptions",), "1/s"),
    Group("server-tokens", "Tokens by the servers' count", ("tokens_in", "tokens_out"), "tokens/s"),
)
SIDES = {
    "ttft": ("Time to first token: clients and servers", "sent", "first_token"),
    "latency": ("Latency: clients and servers", "sent", "ended"),
}


def of_servers(run: Context) -> list[Chart]:
    """A plot for each group of metrics of which anything was scraped."""
    samples, bins = run.samples.samples, run.bins
    plots = [_both_sides(run, word, *SIDES[word]) for word in SIDES]
    plots += [_group(run, each, servers.gauges(samples, bins, each.words, mean=each.mean)) for each in GAUGES]
    plots += [_group(run, each, servers.rates(samples, bins, each.words)) for each in COUNTERS]
    hits = servers.ratio(samples, bins, "prefix_hits", "prefix_queries")
    plots.append(_group(run, Group("server-prefix", "Prefix cache hits", (), "%", 0.01), hits))
    return [plot for plot in plots if plot is not None]


def _group(run: Context, group: Group, told: Sequence[Told]) -> Chart | None:
    if not told:
        return None
    lines = [
        Line(_name(each, group), each.values / group.size, f"--series-{place}")
        for place, each in enumerate(told[:MOST_LINES], 1)
    ]
    left_out = f" {len(told) - MOST_LINES} more are in report.json." if len(told) > MOST_LINES else ""
    said = "; ".join(f"{line.name}: at most {number(float(np.nanmax(line.values)))} {group.unit}" for line in lines)
    return _timed(run, group.id, group.title, f"{group.title}. {said}.{left_out}", lines, group.unit)


def _name(told: Told, group: Group) -> str:
    source = named(told.source)
    return f"{source}: {told.word.replace('_', ' ')}" if len(group.words) > 1 else source


def _both_sides(run: Context, word: str, title: str, start: str, end: str) -> Chart | None:
    """Means, for a server's sum and count are exact, its quantiles are not."""
    told = servers.means(run.samples.samples, run.bins, word)
    if not told:
        return None
    values = np.where(run.log.good, run.log.between(start, end), np.nan)
    ended = run.log.instants["ended"]
    known = ~np.isnan(values)
    count = run.bins.count(ended[known])
    ours = np.divide(
        run.bins.count(ended[known], values[known]), count, out=np.full(len(count), np.nan), where=count > 0
    )
    unit = time_unit(ours, *(each.values for each in told))
    lines = [Line("clients", ours * unit.factor, "--series-1")]
    lines += [
        Line(named(each.source), each.values * unit.factor, f"--series-{place}", "dashed")
        for place, each in enumerate(told[: MOST_LINES - 1], 2)
    ]
    said = f"{title}, mean of each bin. " + "; ".join(
        f"{line.name}: at most {number(float(np.nanmax(line.values)))} {unit.name}"
        for line in lines
        if not np.isnan(line.values).all()
    )
    note = "Means. Clients count from when a request was sent, servers from when it came in."
    return _timed(run, f"server-{word}", title, f"{said}.", lines, unit.name, note)


def _timed(run: Context, id_: str, title: str, said: str, lines: Sequence[Line], unit: str, note: str = "") -> Chart:
    option = charts.over_time(run.bins.middles, lines, unit, end=run.bins.length, bands=run.bands, stops=run.stops)
    return Chart(id_, title, said, option, over_bins(run, lines, unit), note)


def compared(told: Mapping[str, Any]) -> Chart | None:
    """Quantiles of both sides as the intervals in which they lie."""
    pairs = (told.get("server") or {}).get("compared") or []
    if not pairs:
        return None
    rows = []
    for each in pairs[: MOST_LINES * 2]:
        sides = (("clients", each["client_s"], "--series-1"), (each["source"], each["server_s"], "--series-2"))
        for side, (low, high), colour in sides:
            point = low if high is None else None
            rows.append(Interval(f"{each['metric']} {each['quantile']}, {side}", point, low, high, colour))
    table = [
        [each["metric"], each["quantile"], each["source"], _between(*each["client_s"]), _between(*each["server_s"])]
        for each in pairs
    ]
    apart = [each["said"] for each in pairs if each["apart_s"]]
    said = "; ".join(apart) if apart else "Clients and servers agree as far as their intervals tell"
    head = ["metric", "quantile", "server", "clients", "server's own"]
    option = intervals(rows, MILLISECONDS)
    note = "A server's histogram tells between which edges a quantile lies. A lone dot: above this, no upper end."
    return Chart("compared", "Clients and servers: quantiles", f"{said}.", option, Table(head, table, 3), note)


def _between(low: float, high: float | None) -> str:
    return f"over {seconds(low)}" if high is None else f"{seconds(low)} to {seconds(high)}"


ESTIMATES = {"median": ("median", "--series-1"), "mean": ("mean", "--series-3"), "tail": ("p95", "--series-2")}


def overhead(told: Mapping[str, Any]) -> Chart | None:
    """What the gateway adds, by stage."""
    found = told.get("overhead")
    if not found or not found["stages"]:
        return None
    rows, table = [], []
    for name, stage in found["stages"].items():
        for key, (word, colour) in ESTIMATES.items():
            if (each := stage.get(key)) is not None:
                rows.append(Interval(f"{_stage(name)}, {word}", each["value"], each["low"], each["high"], colour))
        sides = [seconds(stage["gateway"]), seconds(stage["direct"])]
        table.append([_stage(name), str(stage["pairs"]), *sides, *(_estimate(stage.get(key)) for key in ESTIMATES)])
    head = ["stage", "pairs", "gateway p50", "direct p50", *(f"added: {word}" for word, _ in ESTIMATES.values())]
    first = next(iter(found["stages"]))
    named = "ttft" if "ttft" in found["stages"] else first
    said = (
        f"Through the gateway minus past it, {found['pairs']:,} pairs of equal requests. "
        f"Median of {_stage(named)}: {_estimate(found['stages'][named].get('median'))}."
    )
    note = (
        "Paired differences with their intervals of 95 %; right of zero the gateway takes longer. "
        "p95: the difference of both sides' p95."
    )
    option = intervals(rows, MILLISECONDS, zero=True)
    return Chart("overhead", "What the gateway adds, by stage", said, option, Table(head, table, 1), note)


def _stage(name: str) -> str:
    return STAGES.get(name) or METRICS.get(name, name)


def _estimate(each: Mapping[str, Any] | None) -> str:
    if each is None:
        return NONE
    if each["low"] is None or each["high"] is None:
        return seconds(each["value"])
    return f"{seconds(each['value'])} ({seconds(each['low'])} to {seconds(each['high'])})"


SEARCHED = {
    ("ttft", "p50"): ("--series-1", "solid"),
    ("ttft", "p95"): ("--series-1", "dashed"),
    ("latency", "p50"): ("--series-2", "solid"),
    ("latency", "p95"): ("--series-2", "dashed"),
}
SYMBOLS = {"met": "circle", "not met": "diamond", "undecided": "emptyCircle", "void": "triangle"}


def search(run: Context) -> Chart | None:
    """Latency against throughput: one dot per run of a search, and the rates between which the knee lies."""
    found = run.told.get("saturation")
    if not found:
        return None
    trials = sorted(zip(found["runs"], run.trials, strict=True), key=lambda pair: float(pair[0]["rate"]))
    everything = _trials(trials)
    trials = list({trial["rate"]: (trial, told) for trial, told in trials}.values())  # a repeated run decides
    values = {key: np.array([_quantile(told, *key) for _, told in trials]) for key in SEARCHED}
    unit = time_unit(*values.values())
    rates = np.array([float(trial["rate"]) for trial, _ in trials])
    symbols = [SYMBOLS.get(trial["judgement"], "circle") for trial, _ in trials]
    groups = []
    for (metric, quantile), (colour, dash) in SEARCHED.items():
        known = values[metric, quantile] * unit.factor
        kept = ~np.isnan(known)
        if kept.any():
            shapes = [symbol for symbol, keep in zip(symbols, kept.tolist(), strict=True) if keep]
            groups.append(Points(f"{metric} {quantile}", rates[kept], known[kept], colour, True, dash, shapes))
    option = charts.scatter(groups, ("requests/s", True), (unit.name, True))
    if groups:
        option["series"][0]["markLine"] = _knee(found)
    met, not_met = (f"{number(rate)}/s" if rate else NONE for rate in (found["met"], found["not_met"]))
    said = f"The objectives are met at {met} and not at {not_met}: {'; '.join(found['objectives'])}."
    note = "Circle: objectives met; diamond: not met; triangle: void; ring: undecided."
    return Chart("search", "Latency against throughput", said, option, everything, note)


def _trials(trials: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Table:
    rows = [
        [
            number(float(trial["rate"])),
            number((told.get("rates") or {}).get("requests")),
            number((told.get("rates") or {}).get("output_tokens")),
            *(seconds(_quantile(told, *key)) for key in SEARCHED),
            trial["judgement"],
            "; ".join(trial["why"]),
        ]
        for trial, told in trials
    ]
    head = ["offered [1/s]", "answered [1/s]", "tokens/s", *(" ".join(key) for key in SEARCHED), "judgement", "why"]
    return Table(head, rows)


def _knee(found: Mapping[str, Any]) -> charts.Option:
    marks = [
        {"xAxis": rate, "label": {"formatter": name, "color": colour}, "lineStyle": {"color": colour}}
        for name, rate, colour in (("met", found["met"], "--good"), ("not met", found["not_met"], "--bad"))
        if rate
    ]
    return {"silent": True, "symbol": "none", "data": marks, "lineStyle": {"type": "dashed", "width": 1.5}}


def _quantile(told: Mapping[str, Any], metric: str, quantile: str) -> float:
    value = ((told.get("metrics") or {}).get(metric) or {}).get("quantiles", {}).get(quantile)
    return float("nan") if value is None else float(value)
