"""``gateproof gate``: 0 pass, 1 fail, 5 void, 2 a mistake of yours. Heavy imports wait until the words are checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateproof.errors import ConfigError, GateproofError, near_miss

if TYPE_CHECKING:
    from gateproof.gate.result import GateResult

CODE_QUALITY = Path("gl-code-quality-report.json")
"""Where GitLab's annotations go: the name in its own documentation."""
ANNOTATIONS = ("auto", "github", "gitlab", "none")


def gate(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, or their report.json.")],
    gates: Annotated[Path, typer.Option("--gates", metavar="FILE", help="What must be kept; see load/gates.")],
    baseline: Annotated[
        list[Path] | None,
        typer.Option("--baseline", metavar="RUN", help="A run to compare with; one for each profile (repeatable)."),
    ] = None,
    other_versions: Annotated[
        bool, typer.Option("--other-versions", help="Compare although the target's versions differ.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="The result as JSON.")] = None,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="The result as JUnit XML.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="The result as a page.")] = None,
    annotations: Annotated[
        str, typer.Option("--annotations", metavar="auto|github|gitlab|none", help="Marks beside the gates file.")
    ] = "auto",
    explain: Annotated[bool, typer.Option("--explain", help="Tell of every gate how it was judged.")] = False,
) -> None:
    """Judge runs by a file of gates: 0 every hard gate is kept, 1 one is broken or unmeasured, 5 nothing is proved."""
    marks = _annotations(annotations, os.environ)
    from gateproof.gate.model import read_gates  # noqa: PLC0415 - pydantic takes its time

    wanted = read_gates(gates)
    from gateproof.gate.run import Given, gate_runs  # noqa: PLC0415 - numpy and pyarrow take their time

    result = gate_runs(wanted, Given(runs, baseline or (), other_versions=other_versions))
    _print(result, explain=explain)
    _write(result, json_file, junit, markdown)
    _annotate(result, marks)
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def _annotations(word: str, environ: Mapping[str, str]) -> str:
    if word not in ANNOTATIONS:
        raise ConfigError(
            f"unknown word `{word}`{near_miss(word, ANNOTATIONS)}", key="--annotations", accepted=ANNOTATIONS
        )
    if word != "auto":
        return word
    if environ.get("GITHUB_ACTIONS") == "true":
        return "github"
    return "gitlab" if environ.get("GITLAB_CI") == "true" else "none"


def _print(result: GateResult, *, explain: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - only for tables

    from gateproof.gate.terminal import rendered  # noqa: PLC0415 - only for tables

    Console(highlight=False, emoji=False, markup=False).print(rendered(result, explain=explain))


def _write(result: GateResult, json_file: Path | None, junit: Path | None, markdown: Path | None) -> None:
    from gateproof.gate import outputs  # noqa: PLC0415 - after the result

    jobs: list[tuple[Path | None, Callable[[GateResult], str]]] = [
        (json_file, outputs.to_json),
        (junit, outputs.to_junit),
        (markdown, outputs.to_markdown),
    ]
    for file, made in jobs:
        if file is not None:
            _save(file, made(result))


def _annotate(result: GateResult, marks: str) -> None:
    from gateproof.gate import outputs  # noqa: PLC0415 - after the result

    if marks == "github":
        typer.echo(outputs.to_github(result), nl=False)
    elif marks == "gitlab":
        _save(CODE_QUALITY, outputs.to_gitlab(result))
        typer.echo(f"annotations: {CODE_QUALITY}, for artifacts:reports:codequality")


def _save(file: Path, text: str) -> None:
    from gateproof.report.write import write_whole  # noqa: PLC0415 - with the report

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, text)
    except OSError as error:
        raise GateproofError(f"cannot write {file}: {error.strerror or error}") from error
