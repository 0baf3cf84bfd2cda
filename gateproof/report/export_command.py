"""``gateproof export``: the results of a run for a monitoring system, on demand only."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateproof.errors import ConfigError, GateproofError, near_miss


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, or its report.json.")],
    wanted: Annotated[str, typer.Option("--format", metavar="FORMAT", help="prometheus or otlp-json.")],
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", metavar="URL", help="Send it: to an OTLP/HTTP collector, or to a Pushgateway."),
    ] = None,
    header_env: Annotated[
        list[str] | None,
        typer.Option(
            "--header-env", metavar="NAME=VARIABLE", help="A header, its value from the environment (repeatable)."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write it there, whole or not at all.")
    ] = None,
) -> None:
    """Give a run's results as metrics: printed, or written to a file, or sent."""
    # pydantic and httpx take their time
    from gateproof.report import export_otlp, export_prometheus, export_push  # noqa: PLC0415
    from gateproof.report.export_metrics import exported  # noqa: PLC0415
    from gateproof.report.saved import read_run  # noqa: PLC0415

    chosen = next((each for each in export_push.FORMATS if each == wanted), None)
    if chosen is None:
        known = export_push.FORMATS
        raise ConfigError(f"unknown format `{wanted}`{near_miss(wanted, known)}", key="--format", accepted=known)
    if header_env and endpoint is None:
        raise ConfigError("headers are sent to an endpoint, and none is named", key="--header-env")
    told = exported(read_run(run))
    if endpoint is not None:
        sent = export_push.delivery(told, chosen, endpoint)
        export_push.push(sent, export_push.headers_of(header_env or (), os.environ))
        typer.echo(f"sent {len(told.families)} metrics to {export_push.shown(sent.url)}", err=True)
    text = export_prometheus.text(told) if chosen == "prometheus" else export_otlp.text(told)
    if output is not None:
        _write(output, text)
    elif endpoint is None:
        sys.stdout.write(text)


def _write(file: Path, text: str) -> None:
    from gateproof.report.write import write_whole  # noqa: PLC0415 - brings in the models

    try:
        write_whole(file, text)
    except OSError as error:
        raise GateproofError(f"cannot write {file}: {error.strerror or error}") from error
