"""A plot of estimates with their intervals, one row below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateproof.load.page.charts import Option, Unit, frame


@dataclass(frozen=True, slots=True)
class Interval:
    """A row of an interval plot; a value without ends is a point."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    colour: str = "--series-1"


def intervals(rows: Sequence[Interval], unit: Unit, *, zero: bool = False) -> Option:
    """One row below the other, each a point with its interval."""
    series: list[Option] = []
    for number, row in enumerate(rows):
        style = {"color": row.colour}
        if row.low is not None and row.high is not None:
            ends = [[float(f"{end * unit.factor:.4g}"), number] for end in (row.low, row.high)]
            series.append(
                {"type": "line", "name": row.name, "data": ends, "symbol": "rect", "symbolSize": [2, 9]}
                | {"lineStyle": {"width": 2.5, **style}, "itemStyle": style}
            )
        if row.value is not None:
            point = [[float(f"{row.value * unit.factor:.4g}"), number]]
            series.append(
                {"type": "scatter", "name": row.name, "data": point, "symbolSize": 9, "itemStyle": style, "z": 4}
            )
    if zero and series:
        mark: Option = {"silent": True, "symbol": "none", "data": [{"xAxis": 0}], "label": {"show": False}}
        series[0]["markLine"] = mark | {"lineStyle": {"color": "--muted", "type": "dashed"}}
    return {
        **frame(unit.name),
        "legend": {"show": False},
        "grid": {"left": 8, "right": 24, "top": 10, "bottom": 26, "containLabel": True},
        "tooltip": {"trigger": "item", "confine": True, "formatter": f"@interval {unit.name}"},
        "height": 60 + 28 * len(rows),
        "xAxis": {
            "type": "value",
            "name": unit.name,
            "nameLocation": "middle",
            "nameGap": 24,
            "axisLabel": {"formatter": "@number", "hideOverlap": True},
        },
        "yAxis": {
            "type": "category",
            "inverse": True,
            "data": [row.name for row in rows],
            "axisTick": {"show": False},
            "axisLabel": {"width": 190, "overflow": "truncate"},
        },
        "series": series,
    }
