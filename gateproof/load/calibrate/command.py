"""``gateproof calibrate``: what this machine's own error is, and up to which rate it stays small."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateproof.errors import EXIT_INTERNAL, ConfigError
from gateproof.load.files import room_for

if TYPE_CHECKING:
    from rich.table import Table

    from gateproof.load.calibrate.result import Calibration

STREAMS, RATES = (10, 50, 100, 200, 500), (100, 1000)
"""Of a stream's 100 events/s each, and of arrivals per second: 7 steps within a minute."""
FULL_STREAMS, FULL_RATES = (*STREAMS, 750, 1000), (*RATES, 2000)
SECONDS, LEAST, MOST = 5.0, 1.0, 120.0
FULL_SECONDS = 20.0
PATIENCE = 10.0  # s for the measuring process to go after its last word


def calibrate(
    seconds: Annotated[float | None, typer.Option("--seconds", metavar="N", help="Of each step.")] = None,
    full: Annotated[bool, typer.Option("--full", help="More steps, and longer ones: some minutes.")] = False,
) -> None:
    """Measure the error of our own measuring on this machine; load reports say it from then on."""
    length = seconds if seconds is not None else FULL_SECONDS if full else SECONDS
    if not LEAST <= length <= MOST:
        raise ConfigError(f"steps of {length:g} s", key="--seconds", accepted=f"{LEAST:g} to {MOST:g}")
    if not sys.platform.startswith("linux"):
        raise ConfigError("load is measured with epoll, which only Linux has", key="calibrate")
    streams, rates = (FULL_STREAMS, FULL_RATES) if full else (STREAMS, RATES)
    room_for(max(streams))
    steps = len(streams) + len(rates)
    typer.echo(f"{steps} steps of {length:g} s: keep the machine as idle as it will be during runs")
    found = _found(length, streams, rates)
    from gateproof.load.calibrate import store  # noqa: PLC0415 - numpy takes its time

    file = store.keep(found.to_plain())
    _show(found)
    typer.echo(f"kept in {file}")


def _found(seconds: float, streams: tuple[int, ...], rates: tuple[int, ...]) -> Calibration:
    from gateproof.load.calibrate import store  # noqa: PLC0415 - numpy takes its time
    from gateproof.load.calibrate.result import Calibration, Departure, Spread, Step  # noqa: PLC0415

    steps, departures = [], []
    for told in _told(seconds, streams, rates):
        if "step" in told:
            each = told["step"]
            steps.append(Step(**{**each, "ttft": Spread(**each["ttft"]), "gap": Spread(**each["gap"])}))
            typer.echo(f"  {each['streams']} streams: {each['rate']:,.0f} events/s")
        else:
            departures.append(Departure(told["arrivals"]["rate"], Spread(**told["arrivals"]["slip"])))
            typer.echo(f"  {told['arrivals']['rate']:g} arrivals/s")
    return Calibration(store.machine(), dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), steps, departures)


def _told(seconds: float, streams: tuple[int, ...], rates: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """Line by line, from a process with gevent in it, which must not come into this one."""
    numbers = (",".join(map(str, streams)), ",".join(map(str, rates)))
    words = [sys.executable, "-m", "gateproof.load.calibrate", f"{seconds:g}", *numbers]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                yield json.loads(line)
            code = process.wait(PATIENCE)
        finally:
            process.terminate()  # its peer ends with it
    if code:
        typer.echo(f"the measuring process ended with exit code {code}: nothing is kept", err=True)
        raise typer.Exit(EXIT_INTERNAL)


def _show(found: Calibration) -> None:
    from rich.console import Console  # noqa: PLC0415 - only for tables

    from gateproof.load.calibrate.result import COARSE, FINE  # noqa: PLC0415 - numpy takes its time

    console = Console(highlight=False, emoji=False, markup=False)
    console.print(_table(found))
    for bound in (FINE, COARSE):
        highest = found.highest(bound)
        shown = "no rate" if highest is None else f"up to {highest:,.0f} events/s of one worker"
        console.print(f"p99 of the error within {bound * 1e3:g} ms: {shown}")
    for each in found.departures:
        console.print(
            f"{each.rate:,.0f} arrivals/s leave late by p50 {_ms(each.slip.p50)}, p99 {_ms(each.slip.p99)} ms"
        )


def _table(found: Calibration) -> Table:
    from rich.table import Table  # noqa: PLC0415 - only for tables

    table = Table(box=None, pad_edge=False)
    for name in ("streams", "events/s", "core", "TTFT off p50", "p99 [ms]", "gap off p50", "p99 [ms]"):
        table.add_column(name, justify="right")
    for step in found.steps:
        cells = (_ms(step.ttft.p50), _ms(step.ttft.p99), _ms(step.gap.p50), _ms(step.gap.p99))
        table.add_row(str(step.streams), f"{step.rate:,.0f}", f"{step.cpu:.0%}", *cells)
    return table


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1e3:.3f}"
