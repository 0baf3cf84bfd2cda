"""``gateproof load``: a load run for people. Locust runs as a process of its own, for importing it patches Python."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from gateproof.errors import (
    EXIT_INTERNAL,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
    EXIT_VOID,
    ConfigError,
    GateproofError,
)

LOCUSTFILE = Path("load/locustfile.py")
PASSED_ON = (signal.SIGINT, signal.SIGTERM)
PR_SET_PDEATHSIG = 1  # linux/prctl.h
GRACE = 5.0  # s for workers to write what they have
LOOK = 0.05  # s between two looks whether they are gone
TOLD = frozenset({0, EXIT_USAGE, EXIT_UNREACHABLE, EXIT_VOID})
"""Exit codes of the child that are ours; what else it may end with is a defect."""
OF_THE_START = {name: f"--{name.replace('_', '-')}" for name in ("target", "profile", "report_dir", "web")} | {
    "settings": "--set"
}
"""Options of a new run, by parameter."""

load_app = typer.Typer(help="Put load on a target and measure what it does.", invoke_without_command=True)


@load_app.callback()
def load(
    context: typer.Context,
    target: Annotated[str | None, typer.Option("--target", metavar="NAME", help="Target of the file.")] = None,
    profile: Annotated[str, typer.Option("--profile", metavar="P", help="See `gateproof load profiles`.")] = "smoke",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the profile (repeatable)."),
    ] = None,
    processes: Annotated[int, typer.Option("--processes", metavar="N", min=1, help="Workers on this machine.")] = 1,
    targets: Annotated[Path, typer.Option("--targets", metavar="FILE", help="The file of targets.")] = Path(
        "targets.yaml"
    ),
    report_dir: Annotated[Path, typer.Option("--report-dir", metavar="DIR", help="Where reports go.")] = Path(
        "reports"
    ),
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="RUN_FOLDER", help="Go on with a run that was interrupted.")
    ] = None,
    web: Annotated[bool, typer.Option("--web", help="Locust's web UI on this machine, instead of starting.")] = False,
) -> None:
    """Run a profile: 0 valid, 5 void, 2 a mistake of yours, 4 nobody there, 3 a defect of ours."""
    if context.invoked_subcommand is not None:
        return
    if resume is not None:
        refuse_beside_resume(context)
        check_resumed(resume, targets)
        raise typer.Exit(run(arguments(targets, processes, ["--resume", str(resume)])))
    if target is None:
        raise ConfigError("which target?", key="--target", accepted="a name of `gateproof targets`")
    check(target, targets, profile, settings or ())
    chosen = ["--target", target, "--profile", profile, "--report-dir", str(report_dir)]
    chosen += [word for setting in settings or () for word in ("--set", setting)]
    raise typer.Exit(run(arguments(targets, processes, chosen, web=web)))


@load_app.command("profiles")
def profiles() -> None:
    """List the profiles."""
    from rich.console import Console  # noqa: PLC0415 - only for tables
    from rich.table import Table  # noqa: PLC0415 - only for tables

    from gateproof.load.profile import PROFILES, load_profile  # noqa: PLC0415 - pydantic takes its time

    table = Table("profile", "takes", "arrivals", "what it is for", box=None, pad_edge=False)
    for file in sorted(PROFILES.glob("*.yaml")):
        try:
            each = load_profile(file.stem)
        except GateproofError as error:
            table.add_row(file.stem, "–", "–", str(error).splitlines()[0])
        else:
            table.add_row(each.name, _shown(each.duration), each.arrivals.kind, each.description)
    Console(highlight=False, emoji=False, markup=False).print(table)


def check(target: str, targets: Path, profile: str, settings: Sequence[str]) -> None:
    """The mistakes that show without Locust, whose start takes seconds."""
    from gateproof.load.ask import refuse_unless_allowed  # noqa: PLC0415 - pydantic takes its time
    from gateproof.load.profile import load_profile  # noqa: PLC0415 - pydantic takes its time
    from gateproof.targets.loader import load_targets  # noqa: PLC0415 - pydantic takes its time

    load_profile(profile, settings=settings)
    refuse_unless_allowed(load_targets(targets).get(target))


def refuse_beside_resume(context: typer.Context) -> None:
    """A run that goes on has its target and its profile already."""
    for name, option in OF_THE_START.items():
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            raise ConfigError("the run has its own", key=option, accepted="--resume with --targets and --processes")


def check_resumed(folder: Path, targets: Path) -> None:
    """As ``check``, of a run that is to go on."""
    from gateproof.load.ask import refuse_unless_allowed  # noqa: PLC0415 - pydantic takes its time
    from gateproof.load.resume import fits, look  # noqa: PLC0415 - numpy and pyarrow take their time
    from gateproof.targets.loader import load_targets  # noqa: PLC0415 - pydantic takes its time

    left = look(folder)
    target = load_targets(targets).get(left.run.facts["target"]["name"])
    refuse_unless_allowed(target)
    fits(left, target)


def arguments(targets: Path, processes: int, chosen: Sequence[str], *, web: bool = False) -> list[str]:
    """Of Locust. Names and paths only: every process of the machine may read them, and keys are no part of them."""
    if not LOCUSTFILE.is_file():
        raise ConfigError(f"{LOCUSTFILE} is not here: run this from the root of the repository")
    return [
        *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--targets", str(targets), *chosen),
        *(("--processes", str(processes), *_own_port()) if processes > 1 else ()),
        *(("--web-host", "127.0.0.1") if web else ("--headless", "--skip-log-setup")),
    ]


def _own_port() -> list[str]:
    """Where the master hears its workers: on Locust's usual port, those of another run would come to ours."""
    from gateproof.launch.ports import free_port  # noqa: PLC0415 - brings in all launchers

    port = str(free_port())
    return ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]


def run(words: Sequence[str]) -> int:
    """The exit code of the run, in our words. Its processes end with it, whatever it ends with."""
    child = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_end_with_us if sys.platform == "linux" else None,  # noqa: PLW1509 - we have one thread
    )
    with _passing_on(child):
        code = child.wait()
    _end(child.pid)
    if code in TOLD:
        return code
    what = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    typer.echo(f"the load process ended {what}: `gateproof report` makes what it left into a report", err=True)
    return EXIT_INTERNAL


def _end_with_us() -> None:
    """A load must not go on when whoever started it is gone, however it went: prctl(2)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _end(group: int) -> None:
    """Workers whose master is gone write what they have and go; those that do not are ended."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
        until = time.monotonic() + GRACE
        while time.monotonic() < until:
            time.sleep(LOOK)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)


@contextlib.contextmanager
def _passing_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Once each: the child has a session of its own, so a Ctrl-C at the terminal does not reach it otherwise.

    Always as SIGINT, by which Locust comes to its end in good order and a report is written.
    """

    def pass_on(_: int, __: FrameType | None) -> None:
        child.send_signal(signal.SIGINT)

    before = {number: signal.signal(number, pass_on) for number in PASSED_ON}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _shown(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
