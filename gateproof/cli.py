"""The command ``gateproof``. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateproof import __version__
from gateproof.compare.command import compare, history
from gateproof.errors import EXIT_INTERNAL, EXIT_USAGE, ConfigError, GateproofError, TargetUnreachable
from gateproof.gate.command import gate
from gateproof.load.calibrate.command import calibrate
from gateproof.load.command import load_app
from gateproof.report.export_command import export

if TYPE_CHECKING:
    from gateproof.launch import Launched
    from gateproof.targets.loader import Targets
    from gateproof.targets.model import Target

_EXTRAS = {
    **dict.fromkeys(("gevent", "locust", "msgspec", "numpy", "pyarrow"), "load"),
    "kubernetes": "cluster",
}
"""Packages that come with an extra only."""
_EXIT_BROKEN_PIPE = 141  # what a shell says of a program that SIGPIPE ended

app = typer.Typer(
    name="gateproof",
    help="Proves that a deployed LLM gateway keeps its promises, and measures what it costs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
targets_app = typer.Typer(help="The stacks that may be tested: list, check, show.", invoke_without_command=True)
stack_app = typer.Typer(
    help="Stacks on this machine: the reference stack, and real ones from packages.", no_args_is_help=True
)
app.add_typer(targets_app, name="targets")
app.add_typer(stack_app, name="stack")
app.add_typer(load_app, name="load")
for command in (gate, compare, history, export, calibrate):
    app.command()(command)

TargetsFile = Annotated[Path, typer.Option("--targets", metavar="FILE", help="The file of targets.")]
OtherFile = Annotated[Path | None, typer.Option("--targets", metavar="FILE", help="The file of targets.")]
Name = Annotated[str, typer.Argument(metavar="NAME")]
DEFAULT_FILE = Path("targets.yaml")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gateproof {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")]


@app.callback()
def _top(version: Version = False) -> None:
    pass


# --- targets -------------------------------------------------------------------------------------------------


@targets_app.callback()
def targets_list(
    context: typer.Context,
    file: TargetsFile = DEFAULT_FILE,
    probe: Annotated[str | None, typer.Option("--probe", metavar="NAME", help="Short for `show NAME --probe`.")] = None,
) -> None:
    """List the targets."""
    context.obj = file
    if probe is not None:
        targets_show(context, probe, probe=True)
    elif context.invoked_subcommand is None:
        from gateproof.targets import display  # noqa: PLC0415 - only for tables

        _print(display.overview(_load(file), os.environ))


@targets_app.command("check")
def targets_check(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]")] = None,
    file: OtherFile = None,
) -> None:
    """Find every mistake in the file; with NAME, see too that its keys and variables are there."""
    targets = _load(file or context.obj)
    if name is not None:
        _resolve_all(targets.get(name))
        typer.echo(f"{name}: ok")
        return
    mistakes = 0
    for each in targets:
        try:
            targets.unresolved(each)
        except ConfigError as error:
            mistakes += 1
            typer.echo(str(error), err=True)
        else:
            unset = targets.unset_variables(each, os.environ)
            typer.echo(f"{each}: ok" + (f", but not set: {', '.join(unset)}" if unset else ""))
    if mistakes:
        raise typer.Exit(ConfigError.exit_code)


@targets_app.command("show")
def targets_show(
    context: typer.Context,
    name: Name,
    probe: Annotated[bool, typer.Option("--probe", help="Ask the target itself what it can do.")] = False,
    file: OtherFile = None,
) -> None:
    """Show what an entry comes to; with --probe, what the target shows of it."""
    from gateproof.targets import display  # noqa: PLC0415 - only for tables

    targets = _load(file or context.obj)
    if not probe:
        _print(display.details(targets.unresolved(name)))
        return
    with _running(targets.get(name)) as target:
        _print(display.details(target, _ask(target)))


@targets_app.command("schema")
def targets_schema() -> None:
    """Print the JSON Schema of the file, for editors."""
    from gateproof.targets import schema  # noqa: PLC0415 - builds all models

    typer.echo(schema.as_text(), nl=False)


def _load(file: Path) -> Targets:
    from gateproof.targets.loader import load_targets  # noqa: PLC0415 - pydantic takes its time

    return load_targets(file)


def _resolve_all(target: Target) -> None:
    from gateproof.targets import declared, secrets  # noqa: PLC0415 - pydantic takes its time

    for path, ref in declared.keys(target):
        secrets.resolve_key(ref, path[-2], target.name, cluster=target.kubernetes)
    for tenant in target.tenants:
        secrets.resolve_headers(target, tenant)


# --- stack ---------------------------------------------------------------------------------------------------


@stack_app.command("serve")
def stack_serve(
    fault: Annotated[list[str] | None, typer.Option("--fault", metavar="NAME", help="Wear it (repeatable).")] = None,
) -> None:
    """Run the reference stack in the foreground until Ctrl-C."""
    from gateproof.stack.serve import serve  # noqa: PLC0415 - brings in the servers

    serve({"faults": fault or []})


@stack_app.command("faults")
def stack_faults() -> None:
    """List the faults that the reference stack can wear."""
    from rich.table import Table  # noqa: PLC0415 - only for tables

    from gateproof.stack.faults import FAULTS  # noqa: PLC0415 - with the stack

    table = Table("fault", "where", "breaks", "stands for", box=None, pad_edge=False)
    for name, fault in sorted(FAULTS.items()):
        table.add_row(name, fault.where, " ".join(fault.breaks), fault.stands_for)
    _print(table)


@stack_app.command("up")
def stack_up(name: Name, file: TargetsFile = DEFAULT_FILE) -> None:
    """Start a stack that stays: a kind (reference, vllm, litellm, portkey, envoy) or a target with `launch`."""
    from gateproof import launch  # noqa: PLC0415 - only here

    if name in launch.KINDS:
        launched = launch.up(name)
    else:
        target = _load(file).get(name)
        launched = launch.up(_kind(name, target), target=target)
    _print_launched(launched)


@stack_app.command("down")
def stack_down(name: Name, file: TargetsFile = DEFAULT_FILE) -> None:
    """End what `up` started."""
    from gateproof import launch  # noqa: PLC0415 - only here

    kind = name if name in launch.KINDS else _kind(name, _load(file).get(name))
    typer.echo(f"{kind}: {'down' if launch.down(kind) else 'was not up'}")


@stack_app.command("status")
def stack_status() -> None:
    """Show what is up."""
    from gateproof import launch  # noqa: PLC0415 - only here

    up = launch.status()
    for launched in up.values():
        _print_launched(launched)
    if not up:
        typer.echo("nothing is up")


def _kind(name: str, target: Target) -> str:
    if target.launch is None:
        raise ConfigError("this target is not started by us: it has no `launch`", key=name)
    return target.launch.kind


def _print_launched(launched: Launched) -> None:
    typer.echo(f"{launched.kind}: {launched.base_url}")
    facts = {
        "control": " ".join(launched.upstream_control),
        "gateway control": launched.gateway_control,
        "tenants with keys": " ".join(launched.keys),
        "models": " ".join(dict.fromkeys(launched.models.values())),
        "folder": launched.env.get("folder"),
    }
    for what, text in facts.items():
        if text:
            typer.echo(f"  {what}: {text}")


# --- helpers -------------------------------------------------------------------------------------------------


def _print(table: object) -> None:
    from rich.console import Console  # noqa: PLC0415 - only for tables

    Console(highlight=False, emoji=False, markup=False).print(table)


@contextlib.contextmanager
def _running(target: Target) -> Iterator[Target]:
    """The target, started first if it is ours to start."""
    if target.launch is None or target.base_url is not None:
        yield target
        return
    from gateproof import launch  # noqa: PLC0415 - only for stacks of ours
    from gateproof.launch.from_target import running  # noqa: PLC0415 - only for stacks of ours

    launched = launch.launch(target)
    try:
        yield running(target, launched)
    finally:
        launched.stop()


# --- reports --------------------------------------------------------------------------------------------------


@app.command("report")
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
) -> None:
    """Make the report and the pages of runs again: from its log, if it is a load run, else from report.json."""
    for run in runs:
        typer.echo(_made_again(run))


def _made_again(run: Path) -> str:
    from gateproof.report.saved import FACTS  # noqa: PLC0415 - pydantic takes its time

    if (run / FACTS).is_file():
        from gateproof.load.run import LoadRun  # noqa: PLC0415 - numpy and pyarrow take their time

        told = LoadRun.reopen(run).finish()
        return "\n  ".join([f"{told['verdict']['verdict']}  {run}", *told["verdict"]["reasons"]])
    from gateproof.report.model import Report  # noqa: PLC0415 - pydantic takes its time
    from gateproof.report.saved import read_run  # noqa: PLC0415 - pydantic takes its time
    from gateproof.report.write import write_report  # noqa: PLC0415 - with the pages

    saved = read_run(run)
    if not isinstance(saved.report, Report):
        from gateproof.load.page import page  # noqa: PLC0415 - numpy and pyarrow take their time

        page.write(saved.folder, saved.report.model_dump(mode="json"))  # of a search, which has no log of its own
        return f"{saved.report.verdict.verdict}  {saved.folder}"
    write_report(saved.report, saved.folder.resolve(), newest=False)
    return f"{saved.report.summary.verdict}  {saved.folder}"


def _ask(target: Target) -> dict[str, bool]:
    from gateproof.targets.probe import probe  # noqa: PLC0415 - with the client
    from gateproof.wire.client import Client, Limits, Tls  # noqa: PLC0415 - slow to import

    tls = Tls(verify=target.tls.verify, ca=target.tls.ca, server_name=target.tls.server_name)
    limits = Limits(**target.timeouts.model_dump())
    client = Client(target.root_url, limits=limits, tls=tls, host=target.host, connect_to=target.connect_to)
    first = client.send("GET", target.path("models"))
    if first.failure is not None:
        raise TargetUnreachable(f"{target.name}: {target.base_url} could not be reached: {first.failure.message}")
    return probe(target, client)


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit code of one command; an error that people can mend is told in a line, ours with its traceback."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="gateproof")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except GateproofError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more on its way out
        return _EXIT_BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the last resort: our own defect is never taken for a failed check
        if isinstance(error, ModuleNotFoundError) and (extra := _EXTRAS.get((error.name or "").partition(".")[0])):
            print(f"{error.name} is not installed: pip install 'gateproof[{extra}]'", file=sys.stderr)
            return EXIT_USAGE
        traceback.print_exc()
        return EXIT_INTERNAL
    return 0


def main() -> None:
    sys.exit(run())
