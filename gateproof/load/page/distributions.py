"""Plots of distributions: percentile curves, and how often which value came."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from gateproof.load.page.charts import WIDE, Option, Unit, frame, value_axis
from gateproof.load.page.series import Curve, Floats, plain

QUANTILE_MARKS = {"p0": 0.0, "p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "p99.99": 0.9999, "p99.999": 0.99999}


def quantile_curves(curves: Mapping[str, Curve], unit: Unit, colours: Sequence[str]) -> Option:
    """Each metric's quantiles; from p90 to p99 is as far as from p99 to p99.9."""
    known = {name: each for name, each in curves.items() if each.count}
    places = {name: [math.log10(1 / (1 - share)) for share in each.shares.tolist()] for name, each in known.items()}
    furthest = max((place for each in places.values() for place in each), default=1.0)
    marks = [math.log10(1 / (1 - share)) for share in QUANTILE_MARKS.values()]
    shown = [mark for mark in marks if mark <= furthest + 0.02]
    series: list[Option] = []
    for colour, (name, each) in zip(colours, known.items(), strict=False):
        pairs = zip(places[name], plain(each.values * unit.factor), strict=True)
        data = [[float(f"{place:.5g}"), value] for place, value in pairs if value]
        style = {"color": colour}
        series.append(
            {"type": "line", "name": name, "data": data, "showSymbol": False, "itemStyle": style}
            | {"lineStyle": {"width": 1.8, **style}}
        )
    values = [value for each in known.values() for value in (each.values * unit.factor).tolist() if value > 0]
    logarithmic = bool(values) and max(values) / min(values) > WIDE / 3
    return {
        **frame(unit.name),
        "tooltip": {"trigger": "axis", "confine": True, "valueFormatter": f"@value {unit.name}"},
        "xAxis": {
            "type": "value",
            "min": 0,
            "max": float(f"{furthest * 1.01:.4g}"),
            "axisTick": {"customValues": shown},
            "splitLine": {"show": False},
            "axisLabel": {"customValues": shown, "formatter": "@quantile"},
            "axisPointer": {"label": {"formatter": "@pointer-quantile"}},
        },
        "yAxis": value_axis(unit.name, values, logarithmic=logarithmic),
        "series": series,
    }


def steps(edges: Floats, shares: Floats, unit: Unit, marks: Mapping[str, float]) -> Option:
    """A distribution over a logarithmic axis: the share of all in each stretch, in percent; ``marks`` are quantiles."""
    data = [
        [float(f"{edge:.5g}"), value]
        for edge, value in zip(edges * unit.factor, [*plain(shares * 100), 0.0], strict=True)
    ]
    style = {"color": "--series-1"}
    lines = [
        {"xAxis": float(f"{value * unit.factor:.4g}"), "label": {"formatter": name, "color": "--text"}}
        for name, value in marks.items()
    ]
    line: Option = {"type": "line", "name": "share", "data": data, "step": "end", "showSymbol": False}
    line |= {"lineStyle": {"width": 1.2, **style}, "areaStyle": {"opacity": 0.35, **style}, "itemStyle": style}
    line["markLine"] = {
        "silent": True,
        "symbol": "none",
        "data": lines,
        "lineStyle": {"color": "--text", "type": "dashed"},
    }
    ends = [float(f"{edge * unit.factor:.5g}") for edge in (edges[0], edges[-1])]
    axis = value_axis(unit.name, ends, logarithmic=True)
    axis |= {"min": ends[0], "max": ends[-1], "nameLocation": "middle", "nameGap": 26}
    axis["axisLabel"] |= {"showMinLabel": False, "showMaxLabel": False}
    return {
        **frame("%"),
        "legend": {"show": False},
        "grid": {"left": 8, "right": 28, "top": 34, "bottom": 26, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True, "valueFormatter": "@value %"},
        "xAxis": axis | {"nameTextStyle": {"align": "center"}, "splitLine": {"show": False}},
        "yAxis": value_axis("%", [], logarithmic=False),
        "series": [line],
    }
