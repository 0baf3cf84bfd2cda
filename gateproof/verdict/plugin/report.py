"""From verdicts to the report, the terminal summary and the exit status. The controller does all of it."""

from __future__ import annotations

import datetime as dt
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from gateproof import __version__
from gateproof.errors import GateproofError
from gateproof.report.model import Capability, Report, Spent, Suite, TargetInfo
from gateproof.report.records import Record
from gateproof.report.rollup import evidence_files, roll_up
from gateproof.report.terminal import summary_lines
from gateproof.report.write import allocate, write_report
from gateproof.targets.capabilities import CAPABILITIES
from gateproof.targets.model import Target
from gateproof.verdict.expectations import Expectations
from gateproof.verdict.plugin.options import RUN, is_worker
from gateproof.verdict.plugin.outcome import PROPERTY, today
from gateproof.verdict.plugin.select import narrowed
from gateproof.verdict.run import Run, TargetRun

REPORTS = pytest.StashKey[list[tuple[Report, Path | None]]]()
STARTED = pytest.StashKey[dt.datetime]()
PROBLEMS = pytest.StashKey[list[str]]()

NOT_CONFORMANT = pytest.ExitCode.TESTS_FAILED
COMPLETE_ENDINGS = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STARTED] = now()
    config.stash[REPORTS], config.stash[PROBLEMS] = [], []


def reporting(config: pytest.Config) -> Run | None:
    """The run, when this process is the one that reports it."""
    if is_worker(config) or config.getoption("collectonly"):
        return None
    return config.stash.get(RUN, None)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, value in report.user_properties:
        if name == PROPERTY and isinstance(value, dict):
            RECEIVED.append(Record.from_json(value))


# The hook above is given no config; one pytest process runs one session, so a module-level list serves.
RECEIVED: list[Record] = []


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    run = reporting(config)
    if run is None or not run.ready or exitstatus == pytest.ExitCode.USAGE_ERROR:
        return
    if run.plan.problem:
        print(f"ERROR: {run.plan.problem}\n", file=sys.stderr)
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
        return
    complete = exitstatus in COMPLETE_ENDINGS and not session.shouldstop
    if not complete:
        run.interrupted = run.interrupted or f"pytest ended with exit status {int(exitstatus)}"
    write_all(config, run, complete=complete)
    conformant = all(report.summary.verdict == "CONFORMANT" for report, _ in config.stash[REPORTS])
    if exitstatus in COMPLETE_ENDINGS and exitstatus != pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK if conformant and not config.stash[PROBLEMS] else NOT_CONFORMANT


def pytest_gateproof_unreachable(config: pytest.Config, run: Run) -> None:
    """Nothing was tested: still leave a report that says so."""
    for target in run.targets.values():
        report = build(config, run, target, None, [], complete=False)
        write_report(report, allocate(run.report_root, target.name))


def write_all(config: pytest.Config, run: Run, *, complete: bool) -> None:
    records = [*RECEIVED, *map(Record.from_json, run.plan.settled)]
    for name, ready in run.ready.items():
        report = build(config, run, ready.target, ready, records, complete=complete)
        folder = None
        try:
            folder = allocate(run.report_root, name)
            write_report(report, folder, evidence_files(records, name))
        except GateproofError as error:
            config.stash[PROBLEMS].append(str(error))
        config.stash[REPORTS].append((report, folder))
    RECEIVED.clear()


def build(
    config: pytest.Config, run: Run, target: Target, ready: TargetRun | None, records: list[Record], *, complete: bool
) -> Report:
    allowed = run.bound(target)
    mine = [record for record in records if record.target == target.name]
    return roll_up(
        mine,
        target=TargetInfo(
            name=target.name,
            url=target.base_url or "",
            dialect=target.stack,
            description=target.description or None,
            versions=ready.versions if ready else {},
        ),
        suite=Suite(version=__version__, catalogue_hash=run.catalogue.hash, command=shlex.join(run.command)),
        catalogue=run.catalogue,
        expectations=ready.expectations if ready else Expectations({}),
        started=config.stash[STARTED],
        ended=now(),
        complete=complete,
        today=today(),
        interrupted=run.interrupted,
        selected="; ".join(words for words in (str(run.selection), narrowed(config)) if words),
        awaited=run.plan.awaited.get(target.name),
        capabilities=capabilities(target, ready),
        spent=Spent(
            requests=sum(record.requests for record in mine),
            tokens=sum(record.tokens for record in mine),
            of_requests=allowed.requests,
            of_tokens=allowed.tokens,
        ),
    )


def capabilities(target: Target, ready: TargetRun | None) -> list[Capability]:
    detected = ready.detected if ready else {}
    return [
        Capability(name=name, declared=target.capability(name), detected=detected.get(name)) for name in CAPABILITIES
    ]


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if reporting(config) is None:
        return
    width = terminalreporter._tw.fullwidth  # noqa: SLF001 - pytest offers no public width
    for report, folder in config.stash[REPORTS]:
        terminalreporter.write_line("")
        for line in summary_lines(report, width, str(folder) if folder else None):
            terminalreporter.write_line(line, **colour(line))
    for problem in config.stash[PROBLEMS]:
        terminalreporter.write_line(problem, red=True)


def colour(line: str) -> dict[str, bool]:
    if line.startswith("CONFORMANT"):
        return {"green": True, "bold": True}
    return {"red": True, "bold": True} if line.startswith(("NOT CONFORMANT", "INCOMPLETE")) else {}
