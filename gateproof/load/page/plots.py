"""The plots of what clients saw: each from the log, with its numbers and a sentence that says what it shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from gateproof.load.page import charts, distributions, series
from gateproof.load.page.charts import Chart, Line, Points, Table, time_unit
from gateproof.load.page.columns import WORDS, Floats, Ints
from gateproof.load.page.context import Context
from gateproof.load.page.words import clock, named, number, percent, seconds
from gateproof.load.wire.outcome import Outcome

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "highest": 1.0}
MOST_KINDS = 7
"""Kinds of errors with a colour of their own."""

KINDS = (*(f"--series-{place}" for place in (5, 2, 4, 7, 6, 1, 3)), "--muted")

DOTS = 1500
"""Requests in a scatter plot: more hide each other, and weigh on the page."""

MOST_PARTS = 5


def throughput(run: Context) -> Chart:
    """Requests that were due, that ended well, and that did not, per second."""
    bins, ended = run.bins, run.log.instants["ended"]
    bad = ~run.log.good & (run.log.outcome != WORDS.index(Outcome.SKIPPED.value))
    due, good, failed = (bins.count(at) / bins.widths for at in (run.due, ended[run.log.good], _end(run)[bad]))
    lines = [
        Line("due", due, "--muted", "dashed"),
        Line("ended well", good, "--series-1", area=True),
        *([Line("ended otherwise", failed, "--bad")] if bad.any() else []),
    ]
    said = f"Answers per second: {_range(good)}; due: {_range(due)}. {int(bad.sum()):,} requests did not end well."
    return _timed(run, "throughput", "Throughput", said, lines, "requests/s")


def tokens(run: Context) -> Chart | None:
    """Output tokens per second, spread over the time in which they came."""
    log, count = run.log, run.log.counts["completion_tokens"]
    if not (count[log.good] > 0).any():
        return None
    first, last = log.instants["first_token"], log.instants["last_token"]
    start = np.where(np.isnan(first), log.instants["ended"], first)
    end = np.where(np.isnan(last), start, last)
    told = np.where(log.good, count, np.nan)
    values = series.spread(run.bins, start, end, told) / run.bins.widths
    said = f"Output tokens per second: {_range(values)}, {int(np.nansum(told)):,} in all, by the usage that was told."
    return _timed(run, "tokens", "Output tokens", said, [Line("tokens", values, "--series-3", area=True)], "tokens/s")


def ttft(run: Context) -> Chart | None:
    values = np.where(run.log.good, run.log.between("scheduled", "first_token"), np.nan)
    note = "From when a request was due; in the bin in which it was due."
    return _quantiles(run, "ttft", "Time to first token", values, note)


def latency(run: Context) -> Chart | None:
    values = np.where(run.log.good, run.log.between("scheduled", "ended"), np.nan)
    return _quantiles(run, "latency", "Latency", values, "From when a request was due to its end.")


def slip(run: Context) -> Chart | None:
    """How late requests left: the part of the latencies that is our own doing."""
    values = run.log.between("scheduled", "dispatched")
    note = "How late requests left: our own doing, which is in every latency that counts from when a request was due."
    return _quantiles(run, "slip", "Schedule slip", values, note)


def in_flight(run: Context) -> Chart:
    found = series.under_way(run.bins, run.log.instants["dispatched"], run.log.instants["ended"])
    lines = [Line("highest", found.most, "--muted", "dotted"), Line("mean", found.mean, "--series-1", area=True)]
    said = f"Requests under way: {_range(found.mean)} on the mean of a bin, at most {number(float(found.most.max()))}."
    return _timed(run, "in-flight", "In flight", said, lines, "requests")


def errors(run: Context) -> Chart | None:
    """By kind, the most frequent first; None where there are none."""
    kinds = np.bincount(run.log.outcome, minlength=len(WORDS))
    kinds[[WORDS.index(Outcome.OK.value), WORDS.index(Outcome.SKIPPED.value)]] = 0
    ranked = [place for place in np.argsort(-kinds, kind="stable").tolist() if kinds[place]]
    if not ranked:
        return None
    at = _end(run)
    groups = [(WORDS[place], np.array([place])) for place in ranked[:MOST_KINDS]]
    if len(ranked) > MOST_KINDS:
        groups.append(("other", np.array(ranked[MOST_KINDS:])))
    lines = [
        Line(name, run.bins.count(at[np.isin(run.log.outcome, places)]) / run.bins.widths, colour)
        for colour, (name, places) in zip(KINDS, groups, strict=False)
    ]
    told = ", ".join(f"{int(kinds[places].sum()):,} {name}" for name, places in groups)
    said = f"Requests that did not end well, by kind: {told}."
    return _timed(run, "errors", "Requests that did not end well, by kind", said, lines, "requests/s", stack=True)


def curves(run: Context) -> Chart | None:
    """Quantiles on an axis on which each further nine is as wide as the one before."""
    found = quantile_curves(run)
    known = {name: each for name, each in found.items() if each.count}
    if not known:
        return None
    unit = time_unit(*(each.values for each in known.values()))
    option = distributions.quantile_curves(known, unit, ["--series-1", "--series-2", "--series-3", "--series-4"])
    marks = [name for name in distributions.QUANTILE_MARKS if name != "p0"]
    rows = [
        [name, f"{each.count:,}", *(_at(each, distributions.QUANTILE_MARKS[mark]) for mark in marks)]
        for name, each in known.items()
    ]
    said = "; ".join(f"{name}: p50 {_at(each, 0.5)}, p99 {_at(each, 0.99)}" for name, each in known.items())
    note = "Counted phases. A curve ends where fewer than ten values lie beyond."
    return Chart(
        "curves", "Percentiles", f"Percentile curves. {said}.", option, Table(["metric", "n", *marks], rows, 1), note
    )


def quantile_curves(run: Context) -> dict[str, series.Curve]:
    """Of what was due in counted phases and ended well, in seconds."""
    log, chosen = run.log, run.log.counted & run.log.good
    gaps = series.curve_of_counts(*log.gaps.distinct())
    return {
        "TTFT": series.curve(log.between("scheduled", "first_token")[chosen]),
        "TPOT": series.curve(log.tpot[chosen]),
        "gap": series.Curve(gaps.shares, gaps.values / 1e6, gaps.count),
        "latency": series.curve(log.between("scheduled", "ended")[chosen]),
    }


def gaps(run: Context) -> Chart | None:
    """The distribution of gaps; what came together has none, and is told in words."""
    values, counts = run.log.gaps.distinct()
    if not len(values) or not values[-1]:
        return None
    total, together = int(counts.sum()), int(counts[values == 0].sum())
    some = values > 0
    edges, shares = series.density(values[some] / 1e6, counts[some])
    shares = shares * (1 - together / total)
    found = series.curve_of_counts(values, counts)
    unit = time_unit(edges)
    marks = {name: _value(found, distributions.QUANTILE_MARKS[name]) / 1e6 for name in ("p50", "p99")}
    option = distributions.steps(edges, shares, unit, {name: value for name, value in marks.items() if value > 0})
    said = f"{total:,} gaps between tokens; {', '.join(f'{name} {seconds(value)}' for name, value in marks.items())}."
    note = f"{percent(together / total)} of the gaps are 0: their tokens arrived together." if together else ""
    rows = [
        [seconds(low), seconds(high), percent(share)]
        for low, high, share in zip(edges.tolist(), edges[1:].tolist(), shares.tolist(), strict=False)
    ]
    return Chart(
        "gaps", "Gaps between tokens, share by length", said, option, Table(["from", "to", "share"], rows), note
    )


def by_input(run: Context) -> Chart | None:
    """TTFT against the length of the prompt: a sample of requests, and quantiles of all of them."""
    log = run.log
    told = log.counts["prompt_tokens"]
    length = np.where(np.isnan(told), log.counts["asked_input"], told)
    values = log.between("scheduled", "first_token")
    chosen = log.counted & log.good & ~np.isnan(values) & (length > 0)
    if not chosen.any():
        return None
    if length[chosen].min() == length[chosen].max():
        return None  # all prompts are equally long
    length, values, part = length[chosen], values[chosen], log.part[chosen]
    unit = time_unit(values)
    picked = series.sample(log.index[chosen], DOTS)
    groups = _by_part(run, part[picked], length[picked], values[picked] * unit.factor)
    middles, (half, most) = series.by_length(length, values, [0.5, 0.95])
    groups += [
        Points("p50", middles, half * unit.factor, "--text", joined=True),
        Points("p95", middles, most * unit.factor, "--text", joined=True, dash="dashed"),
    ]
    option = charts.scatter(groups, ("prompt tokens", True), (unit.name, True))
    rows = [[number(m), seconds(p50), seconds(p95)] for m, p50, p95 in zip(middles, half, most, strict=True)]
    note = f"Lines: of all {len(values):,} requests." + (f" Dots: {DOTS:,} of them." if len(values) > DOTS else "")
    said = (
        f"Time to first token against prompt length, {number(middles[0])} to {number(middles[-1])} tokens: "
        f"p50 {seconds(half[0])} at the shortest, {seconds(half[-1])} at the longest."
    )
    head = ["prompt tokens (middle)", "p50", "p95"]
    return Chart("by-input", "Time to first token by input length", said, option, Table(head, rows), note)


def _by_part(run: Context, part: Ints, length: Floats, values: Floats) -> list[Points]:
    prompts = run.shown.get("prompts") or []
    parts = np.unique(part).tolist()
    if len(parts) > MOST_PARTS or len(parts) == 1:
        return [Points("request", length, values, "--series-1")]
    names = [
        named(f"{prompts[each]['api']} {prompts[each]['model']}") if each < len(prompts) else f"part {each}"
        for each in parts
    ]
    return [
        Points(name, length[part == each], values[part == each], f"--series-{colour}")
        for colour, (each, name) in enumerate(zip(parts, names, strict=True), 1)
    ]


def _quantiles(run: Context, id_: str, title: str, values: Floats, note: str) -> Chart | None:
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    unit = time_unit(known)
    found = dict(zip(SHARES, series.by_bin(run.bins, run.due, values, list(SHARES.values())), strict=True))
    styles = {"p50": ("--series-1", "solid"), "p95": ("--series-2", "solid"), "p99": ("--series-5", "solid")}
    lines = [
        Line(name, found[name] * unit.factor, *style)
        for name, style in styles.items()
        if not np.isnan(found[name]).all()
    ]
    lines.append(Line("highest", found["highest"] * unit.factor, "--muted", dots=True))
    worst = int(np.nanargmax(found["highest"]))
    said = (
        f"{title}: p50 of a bin {_range(found['p50'], seconds)}; "
        f"highest of all {seconds(float(known.max()))}, due at {clock(run.bins.edges[worst])}."
    )
    return _timed(run, id_, title, said, lines, unit.name, note=note, wide=True)


def _timed(
    run: Context,
    id_: str,
    title: str,
    said: str,
    lines: Sequence[Line],
    unit: str,
    *,
    note: str = "",
    wide: bool = False,
    stack: bool = False,
) -> Chart:
    option = charts.over_time(
        run.bins.middles,
        lines,
        unit,
        end=run.bins.length,
        bands=run.bands,
        stops=run.stops,
        wide=wide,
        stack=stack,
    )
    return Chart(id_, title, said, option, over_bins(run, lines, unit), note)


def over_bins(run: Context, lines: Sequence[Line], unit: str) -> Table:
    """One row for each bin."""
    columns: Iterable[Sequence[float]] = zip(*(line.values.tolist() for line in lines), strict=True)
    rows = [[clock(at), *map(number, row)] for at, row in zip(run.bins.edges.tolist(), columns, strict=False)]
    return Table(["from", *(f"{line.name} [{unit}]" for line in lines)], rows)


def _end(run: Context) -> Floats:
    """When each request ended; what never left ended when it was due."""
    ended = run.log.instants["ended"]
    return np.where(np.isnan(ended), run.due, ended)


def _range(values: Floats, shown: object = number) -> str:
    known = values[~np.isnan(values)]
    assert callable(shown)
    return f"{shown(float(known.min()))} to {shown(float(known.max()))}" if len(known) else "none"


def _value(curve: series.Curve, share: float) -> float:
    """The curve's own value there; NaN beyond its end."""
    place = int(np.searchsorted(curve.shares, share - 1e-12))
    return float(curve.values[place]) if place < len(curve.values) else float("nan")


def _at(curve: series.Curve, share: float) -> str:
    return seconds(_value(curve, share))
