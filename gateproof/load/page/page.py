"""``report.html`` of a load run, and the two sheets beside it: pure functions of the run's folder and report."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from gateproof.load.page import beside, plots, sheets, tables
from gateproof.load.page.context import Context, context
from gateproof.report.html import frame
from gateproof.report.text import clean
from gateproof.report.vendor import echarts

log = logging.getLogger(__name__)

OURS = "gateproof.load.page"
PAGE, SERIES, QUANTILES = "report.html", "series.csv", "quantiles.csv"

VERDICTS = {"VALID": ("✓", "good", "the numbers may be believed"), "VOID": ("∅", "odd", "the numbers prove nothing")}
CLIENTS = (
    plots.throughput,
    plots.tokens,
    plots.ttft,
    plots.latency,
    plots.curves,
    plots.by_input,
    plots.gaps,
    plots.errors,
    plots.in_flight,
    plots.slip,
)


def render(folder: Path, told: Mapping[str, Any]) -> str:
    """The page. ``told`` is the run's ``report.json``."""
    return _page(context(folder, told))


def write(folder: Path, told: Mapping[str, Any]) -> list[Path]:
    """Page and sheets into the run's folder, each whole or not at all."""
    run = context(folder, told)
    texts = {PAGE: _page(run), SERIES: sheets.over_time(run), QUANTILES: sheets.quantiles(run)}
    return [_written(folder / name, text) for name, text in texts.items()]


def draw(folder: Path, told: Mapping[str, Any]) -> None:
    """As ``write``, for a run whose report stands already: what goes wrong is said, and costs the page alone."""
    try:
        write(folder, told)
    except OSError as error:
        log.warning("%s cannot be written: %s", folder / PAGE, error.strerror or error)
    except Exception:  # a defect of ours, and the run with its report is no worse for it
        log.exception("%s cannot be made", folder / PAGE)


def _written(file: Path, text: str) -> Path:
    part = file.with_suffix(f"{file.suffix}.part")
    part.write_text(text, encoding="utf-8", newline="")
    part.replace(file)
    return file


def _page(run: Context) -> str:
    told = run.told
    first = [plot for plot in (beside.search(run), beside.overhead(told)) if plot is not None]
    clients = [plot for make in CLIENTS if (plot := make(run)) is not None] if len(run.log) else []
    server = [plot for plot in (*beside.of_servers(run), beside.compared(run.shown)) if plot is not None]
    glyph, tone, meaning = VERDICTS[told["verdict"]["verdict"]]
    body = frame.fragment(
        "load.html.j2",
        OURS,
        told=told,
        glyph=glyph,
        tone=tone,
        meaning=meaning,
        tables=tables,
        log=run.log,
        shown=run.shown,
        first=first,
        clients=clients,
        server=server,
    )
    options = {plot.id: plot.option for plot in (*first, *clients, *server)}
    head = frame.json_block("plots", _printable(options)) + frame.fragment("style.html.j2", OURS)
    title = f"{told['target']['name']}: {told['profile']['name']}, {told['verdict']['verdict']}"
    return frame.page(title, body, scripts=[echarts(), _script()], head=head)


def _printable(value: Any) -> Any:
    """Names from outside, which a plot shows as they are: nothing in them deceives."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {key: _printable(each) for key, each in value.items()}
    return [_printable(each) for each in value] if isinstance(value, list) else value


@functools.cache
def _script() -> str:
    return resources.files(OURS).joinpath("assets", "page.js").read_text(encoding="utf-8")
