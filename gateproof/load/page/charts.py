"""Options of Apache ECharts from plain numbers: https://echarts.apache.org/en/option.html

JSON holds no functions and no colours of a scheme: a ``formatter`` that begins with ``@`` names a function of
``page.js``, a colour that begins with ``--`` a variable of the page's style.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gateproof.load.page.series import Floats, plain

Option = dict[str, Any]

FEW_POINTS = 60
"""Below, each point of a line is marked."""

CLOCK_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)  # s
MOST_TICKS = 8

WIDE = 30.0
"""Ratio of the highest to the lowest value from which a logarithmic axis shows more than a linear one."""


@dataclass(frozen=True, slots=True)
class Table:
    """What a plot shows, as text. The first ``words`` columns are words, the others figures."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 0

    @property
    def figures(self) -> list[int]:
        return list(range(self.words, len(self.head)))


@dataclass(frozen=True, slots=True)
class Chart:
    """One plot: ``said`` tells a reader who cannot see it what it shows, ``note`` how to read it."""

    id: str
    title: str
    said: str
    option: Option
    table: Table
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line over bins; ``dots`` stand apart, without a line between."""

    name: str
    values: Floats
    colour: str = ""
    dash: str = "solid"
    dots: bool = False
    area: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """A phase, in seconds of the run."""

    name: str
    start: float
    end: float
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Unit:
    """What values are multiplied with to be shown, and what they are then."""

    factor: float
    name: str


SECONDS, MILLISECONDS = Unit(1.0, "s"), Unit(1e3, "ms")
LONG = 10.0  # s, from which milliseconds have too many digits


def time_unit(*values: Floats) -> Unit:
    """For seconds, by the highest of them."""
    highest = max((float(np.nanmax(each)) for each in values if not np.isnan(each).all()), default=0.0)
    return SECONDS if highest >= LONG else MILLISECONDS


def over_time(
    middles: Floats,
    lines: Sequence[Line],
    unit: str,
    *,
    end: float,
    bands: Sequence[Band] = (),
    stops: Sequence[float] = (),
    wide: bool = False,
    stack: bool = False,
) -> Option:
    """Lines over the time of a run, with its phases behind them, and where it was interrupted (``stops``).

    ``wide`` allows a logarithmic axis.
    """
    values = [value for line in lines for value in line.values.tolist() if value > 0]
    logarithmic = wide and bool(values) and max(values) / min(values) > WIDE
    series = [_series(middles, line, stack=stack, logarithmic=logarithmic) for line in lines]
    if series and bands:
        series[0]["markArea"] = _bands(bands)
    if series and stops:
        series[0]["markLine"] = _stops(stops)
    return {
        **frame(unit),
        "tooltip": {"trigger": "axis", "confine": True, "valueFormatter": f"@value {unit}"},
        "xAxis": {
            "type": "value",
            "min": 0,
            "max": float(f"{end:.7g}"),
            "interval": next((step for step in CLOCK_STEPS if end <= step * MOST_TICKS), end / MOST_TICKS),
            "splitLine": {"show": False},
            "axisLabel": {"formatter": "@clock", "hideOverlap": True, "showMaxLabel": False},
            "axisPointer": {"label": {"formatter": "@pointer-clock"}},
        },
        "yAxis": value_axis(unit, values, logarithmic=logarithmic),
        "series": series,
    }


def frame(unit: str) -> Option:
    """What every plot has; ``unit`` is read by page.js alone."""
    return {
        "animation": False,
        "grid": {"left": 8, "right": 20, "top": 50, "bottom": 8, "containLabel": True},
        "legend": {"type": "scroll", "top": 0, "left": 0, "itemWidth": 20, "itemHeight": 9},
        "textStyle": {"fontSize": 12},
        "unit": unit,
    }


def value_axis(unit: str, values: Sequence[float], *, logarithmic: bool) -> Option:
    """The upright axis, its unit above it."""
    axis: Option = {"type": "value", "name": unit, "nameGap": 10, "axisLabel": {"formatter": "@number"}, "min": 0}
    axis["nameTextStyle"] = {"align": "left"}
    if logarithmic:
        low, high = _down(min(values)), _up(max(values))
        axis |= {"type": "log", "min": low, "max": high, "minorSplitLine": {"show": False}}
        axis["axisLabel"] = {"formatter": "@number", "hideOverlap": True}
    return axis


def _down(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... that is not above."""
    decade = 10.0 ** math.floor(math.log10(value))
    return float(f"{max(step for step in (1, 2, 5) if step * decade <= value * (1 + 1e-9)) * decade:.6g}")


def _up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... that is not below."""
    decade = 10.0 ** math.floor(math.log10(value))
    return float(f"{min(step for step in (1, 2, 5, 10) if step * decade >= value * (1 - 1e-9)) * decade:.6g}")


def _series(middles: Floats, line: Line, *, stack: bool, logarithmic: bool) -> Option:
    shown = plain(line.values)
    if logarithmic:
        shown = [None if value is None or value <= 0 else value for value in shown]
    data = [[at, value] for at, value in zip(plain(middles), shown, strict=True)]
    colour = {"color": line.colour} if line.colour else {}
    if line.dots:
        points = [point for point in data if point[1] is not None]
        return {"type": "scatter", "name": line.name, "data": points, "symbolSize": 4, "itemStyle": colour}
    option: Option = {
        "type": "line",
        "name": line.name,
        "data": data,
        "showSymbol": len(data) <= FEW_POINTS or _alone(shown),
        "symbol": "circle",
        "symbolSize": 4,
        "lineStyle": {"width": 1.6, "type": line.dash, **colour},
        "itemStyle": colour,
    }
    if stack:
        option |= {"stack": "all", "step": "middle", "showSymbol": False, "areaStyle": {"opacity": 0.75, **colour}}
    elif line.area:
        option["areaStyle"] = {"opacity": 0.12, **colour}
    return option


def _alone(values: Sequence[float | None]) -> bool:
    """Whether any value has no neighbour: a line alone would not show it."""
    unknown = [True, *(value is None for value in values), True]
    return any(unknown[at - 1] and not unknown[at] and unknown[at + 1] for at in range(1, len(values) + 1))


def _stops(stops: Sequence[float]) -> Option:
    line = {"color": "--bad", "type": "dashed", "width": 1}
    label = {"formatter": "interrupted", "color": "--bad", "fontSize": 11}
    return {
        "silent": True,
        "symbol": "none",
        "data": [{"xAxis": at} for at in stops],
        "lineStyle": line,
        "label": label,
    }


def _bands(bands: Sequence[Band]) -> Option:
    """Every other phase shaded; what is not counted says so."""
    data = [
        [
            {
                "name": band.name,
                "aside": "" if band.counted else " (not counted)",
                "xAxis": band.start,
                "itemStyle": {"color": "--band" if number % 2 else "--band-other"},
            },
            {"xAxis": band.end},
        ]
        for number, band in enumerate(bands)
    ]
    label = {"position": "insideTop", "distance": 3, "fontSize": 11, "color": "--muted"}
    return {"silent": True, "data": data, "label": label}


@dataclass(frozen=True, slots=True)
class Points:
    """Dots of a scatter plot, or a line through them."""

    name: str
    at: Floats
    values: Floats
    colour: str
    joined: bool = False
    dash: str = "solid"
    symbols: Sequence[str] = field(default_factory=tuple)


def scatter(groups: Sequence[Points], x: tuple[str, bool], y: tuple[str, bool], *, size: float = 4) -> Option:
    """``x`` and ``y``: what the axis shows, and whether it is logarithmic where that shows more."""
    axes = []
    for (name, wide), picked in zip((x, y), ("at", "values"), strict=True):
        values = [v for group in groups for v in getattr(group, picked).tolist() if v > 0]
        logarithmic = wide and bool(values) and max(values) / min(values) > WIDE / 3
        axes.append(value_axis(name, values, logarithmic=logarithmic))
    below = axes[0] | {"nameLocation": "middle", "nameGap": 26, "splitLine": {"show": False}}
    below["nameTextStyle"] = {"align": "center"}
    return {
        **frame(y[0]),
        "grid": {"left": 8, "right": 24, "top": 50, "bottom": 26, "containLabel": True},
        "tooltip": {"trigger": "item", "confine": True, "formatter": f"@point {x[0]} | {y[0]}"},
        "xAxis": below,
        "yAxis": axes[1],
        "series": [_points(group, size) for group in groups],
    }


def _points(group: Points, size: float) -> Option:
    style = {"color": group.colour}
    pairs = zip(plain(group.at), plain(group.values), strict=True)
    data: list[Any] = [[x, y] for x, y in pairs if y is not None]
    if group.symbols:
        data = [{"value": each, "symbol": symbol} for each, symbol in zip(data, group.symbols, strict=True)]
    if not group.joined:
        itemstyle = {**style, "opacity": 0.45}
        return {"type": "scatter", "name": group.name, "data": data, "symbolSize": size, "itemStyle": itemstyle}
    return {
        "type": "line",
        "name": group.name,
        "data": data,
        "symbol": "circle",
        "symbolSize": 8 if group.symbols else 4,
        "lineStyle": {"width": 2, "type": group.dash, **style},
        "itemStyle": style,
        "z": 4,
    }
