"""``gateproof compare`` and ``gateproof history``: what the runs come to is printed, and lies in a page and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateproof.errors import ConfigError, GateproofError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gateproof.report.saved import Saved

FEWEST, MOST = 2, 8
"""Runs of one comparison; a page has eight colours."""
Output = Annotated[
    Path | None,
    typer.Option("--output", metavar="DIR", help="Where page and JSON go (default: beside what is looked at)."),
]


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of runs; the first is the baseline.")],
    force: Annotated[
        bool, typer.Option("--force", help="Compare unlike or void runs too; what is wrong is told first.")
    ] = False,
    output: Output = None,
) -> None:
    """Hold runs against a baseline: load runs number by number, conformance runs side by side."""
    from gateproof.report.saved import read_run  # noqa: PLC0415 - pydantic takes its time

    saved = [read_run(run) for run in runs]
    kinds = {each.report.kind for each in saved}
    if len(kinds) > 1:
        listed = ", ".join(f"{each.folder} is a {each.report.kind} run" for each in saved)
        raise ConfigError(f"runs of one kind are compared: {listed}", key="RUN")
    if len({each.folder.resolve() for each in saved}) < len(saved) or len(saved) < FEWEST:
        problem = "at least two runs are compared, each named once"
        raise ConfigError(problem, key="RUN", accepted="gateproof compare BASELINE CANDIDATE...")
    if len(saved) > MOST:
        raise ConfigError(
            f"{len(saved)} runs: more cannot be told apart by colour", key="RUN", accepted=f"up to {MOST}"
        )
    folder = output or saved[-1].folder
    if kinds == {"load"}:
        _load_runs(saved, folder, force=force)
    else:
        _conformance_runs(saved, folder)


def history(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER", help="Folders of load runs, as reports/TARGET/load.")
    ],
    output: Output = None,
) -> None:
    """Show load runs over time: their numbers, what changed between them, what creeps and what jumps."""
    from gateproof.compare import history_page, history_text  # noqa: PLC0415 - numpy and pyarrow take their time
    from gateproof.compare.history import history as of  # noqa: PLC0415 - likewise

    told = of(folders)
    _print(history_text.rendered(told))
    _write(output or folders[0], "history", told.model_dump_json(indent=1), history_page.render(told))


def _load_runs(saved: Sequence[Saved], folder: Path, *, force: bool) -> None:
    from gateproof.compare import page, pairs, text  # noqa: PLC0415 - numpy and pyarrow take their time

    told = pairs.compare(saved, force=force)
    _print(text.rendered(told, _width()))
    _write(folder, "compare", told.model_dump_json(indent=1), page.render(told))


def _conformance_runs(saved: Sequence[Saved], folder: Path) -> None:
    from gateproof.report import side_by_side  # noqa: PLC0415 - brings in the pages
    from gateproof.report.model import Report  # noqa: PLC0415 - likewise

    reports = [each.report for each in saved if isinstance(each.report, Report)]
    typer.echo(side_by_side.text(reports), nl=False)
    _write(folder, "compare", None, side_by_side.render(reports))


def _width() -> int:
    from rich.console import Console  # noqa: PLC0415 - only for tables

    return Console().width


def _print(what: RenderableType) -> None:
    from rich.console import Console  # noqa: PLC0415 - only for tables

    Console(highlight=False, emoji=False, markup=False).print(what)


def _write(folder: Path, name: str, json: str | None, page: str) -> None:
    from gateproof.report.write import write_whole  # noqa: PLC0415 - brings in the models

    texts = {f"{name}.html": page, **({} if json is None else {f"{name}.json": f"{json}\n"})}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            write_whole(folder / file, text)
    except OSError as error:
        raise GateproofError(f"cannot write into {folder}: {error.strerror or error}") from error
    typer.echo(f"  {folder / f'{name}.html'}")
