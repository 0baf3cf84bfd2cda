"""Plots of comparisons and histories, in the way of the load page: options of ECharts from plain numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gateproof.compare.courses import TIME
from gateproof.compare.history import another_load
from gateproof.compare.model import Change, Comparison, Curve, Track
from gateproof.compare.sides import amount, span, unit_of
from gateproof.gate.metrics import metric_of, shown
from gateproof.load.page import series
from gateproof.load.page.charts import Chart, Option, Table, frame, time_unit, value_axis
from gateproof.load.page.charts import Unit as Axis
from gateproof.load.page.distributions import QUANTILE_MARKS, quantile_curves
from gateproof.load.page.intervals import Interval, intervals

COLOURS = tuple(f"--series-{number}" for number in range(1, 9))
NOTHING = (None, None, None)
"""Value and ends of a run without such a number."""
PERCENT = Axis(100.0, "%")
_TONES = {"worse": "--bad", "perhaps worse": "--warn", "better": "--good", "perhaps better": "--good"}
_UNITS = {"share": PERCENT, "1/s": Axis(1.0, "/s")}
_TITLES = {"ttft": "time to first token", "tpot": "time per output token", "gap": "gap between tokens"}


def name_of(run: int, runs: int) -> str:
    """`baseline`, `candidate`, or `candidate 2` where there are several."""
    if not run:
        return "baseline"
    return "candidate" if runs == 2 else f"candidate {run}"


# --- comparison ---


def changes(told: Comparison) -> list[Chart]:
    """One plot per candidate: every ratio with its interval, the line at no change."""
    runs = len(told.candidates) + 1
    return [_changes(name_of(number, runs), each.changes) for number, each in enumerate(told.candidates, start=1)]


def _changes(name: str, found: Sequence[Change]) -> Chart:
    ratios = [each for each in found if each.scale == "ratio" and each.change is not None]
    rows = [
        Interval(
            each.metric, (each.change or 0) - 1, _off(each.low), _off(each.high), _TONES.get(each.verdict, "--none")
        )
        for each in ratios
    ]
    table = Table(
        ["number", "verdict", "change", "interval"],
        [[e.metric, e.verdict, amount(e.scale, e.change or 0), span(e.scale, e.low, e.high)] for e in ratios],
        2,
    )
    moved = [e for e in ratios if e.verdict not in ("no change seen", "cannot tell")]
    told = "; ".join(f"{each.metric} {each.verdict}, {amount(each.scale, each.change or 0)}" for each in moved)
    said = f"{told or 'no change seen'}, of {len(ratios)} numbers"
    option = intervals(rows, PERCENT, zero=True)
    note = "The dashed line is no change. What has no ratio stands in the table above."
    return Chart(f"changes-{name.replace(' ', '-')}", f"{name} against the baseline", f"{said}.", option, table, note)


def _off(end: float | None) -> float | None:
    return None if end is None else end - 1


def curves(told: Comparison) -> list[Chart]:
    """One plot per metric, the curves of all runs in it."""
    runs = len(told.candidates) + 1
    metrics = dict.fromkeys(each.metric for each in told.curves)
    return [_curves(metric, [each for each in told.curves if each.metric == metric], runs) for metric in metrics]


def _curves(metric: str, found: Sequence[Curve], runs: int) -> Chart:
    known = {
        name_of(each.run, runs): series.Curve(np.array(each.shares), np.array(each.values), len(each.shares))
        for each in found
    }
    unit = time_unit(*(each.values for each in known.values()))
    option = quantile_curves(known, unit, [COLOURS[each.run] for each in found])
    marks = [name for name in QUANTILE_MARKS if name != "p0"]
    rows = [[name, *(_at(each, QUANTILE_MARKS[mark]) for mark in marks)] for name, each in known.items()]
    said = "; ".join(f"{name}: p50 {_at(each, 0.5)}, p99 {_at(each, 0.99)}" for name, each in known.items())
    note = "From p90 to p99 is as far as from p99 to p99.9. A curve ends where fewer than ten values lie beyond."
    title = _TITLES.get(metric, metric).capitalize()
    return Chart(f"curve-{metric}", title, f"{said}.", option, Table(["run", *marks], rows, 1), note)


def _at(curve: series.Curve, share: float) -> str:
    """Between two points of the curve, the upper one; a dash beyond its end."""
    place = int(np.searchsorted(curve.shares, share - 1e-9))
    return shown("s", float(curve.values[place]) if place < len(curve.values) else None)


# --- history ---


def courses(track: Track, id_: str) -> list[Chart]:
    """One plot per number: its value in each run with the interval, and marks where something changed."""
    metrics = dict.fromkeys(metric for point in track.points for metric in point.numbers)
    return [_course(track, metric, f"{id_}-{metric.replace('.', '-')}") for metric in metrics]


def _course(track: Track, metric: str, id_: str) -> Chart:
    course = next((each for each in track.courses if each.metric == metric), None)
    kind = unit_of(metric_of(metric))
    sides = [point.numbers.get(metric) for point in track.points]
    unit = _UNITS.get(kind) or time_unit(np.array([side.value for side in sides if side is not None]))
    names = [f"{point.run.started:{TIME}}" for point in track.points]
    rows = [
        [
            name,
            point.run.verdict,
            *(shown(kind, each) for each in ((side.value, side.low, side.high) if side else NOTHING)),
        ]
        for name, point, side in zip(names, track.points, sides, strict=True)
    ]
    table = Table(["run", "verdict", "value", "lower end", "upper end"], rows, 2)
    said = course.said if course is not None else "no run since the profile last changed has it"
    option = _over_runs(track, metric, names, unit)
    return Chart(id_, metric, f"{metric} over {len(names)} runs: {said}.", option, table)


def _over_runs(track: Track, metric: str, names: Sequence[str], unit: Axis) -> Option:
    values: list[list[float | None]] = []
    ends: list[list[float | None]] = []
    breaks = {mark.at for mark in track.marks if another_load(mark.differences)}
    for at, point in enumerate(track.points):
        side = point.numbers.get(metric)
        if at in breaks:
            values.append([at, None])
        values.append([at, None if side is None else _figure(side.value * unit.factor)])
        if side is not None and side.low is not None and side.high is not None:
            ends += [[at, _figure(side.low * unit.factor)], [at, _figure(side.high * unit.factor)], [at, None]]
    style = {"color": "--series-1"}
    line: Option = {"type": "line", "name": metric, "data": values, "symbol": "circle", "symbolSize": 6}
    line |= {"lineStyle": {"width": 1.6, **style}, "itemStyle": style, "z": 4, "markLine": _marks(track)}
    bars: Option = {"type": "line", "name": "interval", "data": ends, "silent": True, "symbol": "rect"}
    bars |= {"symbolSize": [7, 1.5], "lineStyle": {"width": 1.2, "opacity": 0.7, **style}, "itemStyle": style}
    # the name above the labels of the marks
    axis = value_axis(unit.name, [], logarithmic=False) | {"scale": True, "nameGap": 24}
    del axis["min"]  # what creeps would be flat against 0
    return {
        **frame(unit.name),
        "legend": {"show": False},
        "grid": {"left": 8, "right": 20, "top": 46, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "item", "confine": True, "valueFormatter": f"@value {unit.name}"},
        "xAxis": {"type": "category", "data": list(names), "axisLabel": {"hideOverlap": True}},
        "yAxis": axis,
        "series": [line, bars],
    }


def _marks(track: Track) -> Option:
    """Where something changed, by its number, and void runs; both in one label where they meet."""
    numbers = {mark.at: str(number) for number, mark in enumerate(track.marks, start=1)}
    lines: list[Option] = []
    for at, point in enumerate(track.points):
        words = [*([numbers[at]] if at in numbers else []), *(["VOID"] if point.run.verdict == "VOID" else [])]
        if words:
            style = {"type": "dashed" if at in numbers else "dotted", "color": "--muted"}
            lines.append({"xAxis": at, "label": {"formatter": " ".join(words)}, "lineStyle": style})
    label = {"show": True, "position": "end", "fontSize": 11, "color": "--text"}
    return {"silent": True, "symbol": "none", "label": label, "data": lines}


def _figure(value: float) -> float:
    return float(f"{value:.5g}")
