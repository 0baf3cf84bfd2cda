"""A page of plots in the shared frame: drawn by the script of the load page, from templates of this package."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib import resources
from typing import Any

from gateproof.load.page.charts import Chart
from gateproof.report.html import frame
from gateproof.report.vendor import echarts

OURS, LOAD_PAGE = "gateproof.compare", "gateproof.load.page"


def document(template: str, title: str, plots: Sequence[Chart], /, **values: Any) -> str:
    """The whole document; every one of ``plots`` must stand in the body that the template makes.

    Plots hold no text from outside: runs are named by their role or their time.
    """
    head = frame.json_block("plots", {plot.id: plot.option for plot in plots})
    head += frame.fragment("style.html.j2", LOAD_PAGE)
    return frame.page(title, frame.fragment(template, OURS, **values), scripts=[echarts(), _script()], head=head)


@functools.cache
def _script() -> str:
    return resources.files(LOAD_PAGE).joinpath("assets", "page.js").read_text(encoding="utf-8")
