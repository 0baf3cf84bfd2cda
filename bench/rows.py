"""What was measured beside its goal: rows, their table, their JSON. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

WIDTH = 80
WIDTHS = (42, 11, 12)  # of the first columns; the rest is the last's
INDENT = "    "
HEADINGS = ("what", "goal", "measured", "verdict")


@dataclass(frozen=True, slots=True)
class Row:
    """``measured`` is held against ``goal``: at most or at least that. ``unit`` of both; ``x`` is a ratio."""

    what: str
    measured: float
    goal: float
    sense: Literal["<=", ">="]
    unit: str = "x"
    detail: str = ""
    """What a reader needs to judge the figure: the two sides of a ratio, say."""

    @property
    def met(self) -> bool:
        return self.measured <= self.goal if self.sense == "<=" else self.measured >= self.goal

    @property
    def cells(self) -> tuple[str, str, str, str]:
        goal = f"{self.sense} {self.goal:g} {self.unit}"
        return self.what, goal, f"{self.measured:.3g} {self.unit}", "ok" if self.met else "MISSED"


def table(rows: Sequence[Row]) -> str:
    """At most 80 columns; each detail in lines of its own."""
    lines = [_line(HEADINGS), "-" * WIDTH]
    for row in rows:
        lines.append(_line(row.cells))
        lines += textwrap.wrap(row.detail, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    first, *middle, last = cells
    padded = [f"{first:<{WIDTHS[0]}}", *(f"{cell:>{width}}" for cell, width in zip(middle, WIDTHS[1:], strict=True))]
    return f"{' '.join(padded)}  {last}"


def plain(rows: Sequence[Row]) -> list[dict[str, object]]:
    """For JSON."""
    return [{**asdict(row), "met": row.met} for row in rows]
