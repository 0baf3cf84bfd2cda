"""From what a test did to one of the nine verdicts, with its evidence, redacted before anything prints it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Generator
from typing import Any

import pytest

from gateproof.limits.finding import Undecided
from gateproof.report.records import Record
from gateproof.verdict.catalogue import Requirement
from gateproof.verdict.claim import claim_of
from gateproof.verdict.expectations import Judgement
from gateproof.verdict.keys import lost_key
from gateproof.verdict.outcomes import (
    BROKEN,
    Inconclusive,
    Level,
    NotDeclared,
    Observed,
    Tolerated,
    Untestable,
    Verdict,
)
from gateproof.verdict.plugin.options import RUN
from gateproof.verdict.plugin.select import part_of, target_of
from gateproof.verdict.run import Recorder, TargetRun

PROPERTY = "gateproof"
COMPARED = pytest.StashKey[tuple[str, str]]()
JUDGED = pytest.StashKey[bool]()

# (category, letter, word) as pytest's terminal wants them
STATUS = {
    Verdict.PASS: ("passed", ".", "PASS"),
    Verdict.FAIL: ("failed", "F", "FAIL"),
    Verdict.WARN: ("warned", "W", "WARN"),
    Verdict.INFO: ("info", "i", "INFO"),
    Verdict.UNTESTABLE: ("untestable", "U", "UNTESTABLE"),
    Verdict.INCONCLUSIVE: ("inconclusive", "?", "INCONCLUSIVE"),
    Verdict.NOT_DECLARED: ("not declared", "-", "NOT_DECLARED"),
    Verdict.DISABLED: ("disabled", "-", "DISABLED"),
    Verdict.ERROR: ("error", "E", "ERROR"),
}
RED_WHEN_MUST = {Verdict.FAIL, Verdict.UNTESTABLE, Verdict.INCONCLUSIVE}
CURL_SHOWN = 700  # characters of a command that a terminal can still show without burying the rest
SEEN_LIMIT = 2000  # characters of a compared value that go into a report
MESSAGE_LIMIT = 8192  # characters of what an exception says: as many as a report keeps of any text
TRACE_LIMIT = 65536  # characters of a traceback; one that quotes a whole body would bury the rest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Give each check a recorder of its own: its evidence, and its bounded purse."""
    claim, run = claim_of(item), item.config.stash.get(RUN, None)
    if claim is None or run is None:
        return (yield)
    ready = target_of(item, run)
    ready.recorder = Recorder(claim.requirement, requests_allowed=claim.bound(ready.target)[0])
    try:
        return (yield)
    finally:
        ready.recorder = None


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> None:
    """Remember the comparison that failed: its right side was expected, its left side was seen."""
    config.stash[COMPARED] = (f"{op} {right!r}"[:SEEN_LIMIT], repr(left)[:SEEN_LIMIT])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report = yield
    claim, run = claim_of(item), item.config.stash.get(RUN, None)
    if claim is None or run is None:
        return report
    if call.excinfo is None and (call.when != "call" or item.stash.get(JUDGED, False)):
        return report
    item.stash[JUDGED] = True
    ready = target_of(item, run)
    requirement = run.catalogue.requirements[claim.requirement]
    record = make_record(item, call, ready, requirement)
    judgement = ready.expectations.judge(requirement.id, record.verdict, f"{record.message}\n{record.seen}", today())
    report.user_properties.append((PROPERTY, record.to_json()))
    dress(report, record, requirement, judgement, item, ready)
    return report


def today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def verdict_of(excinfo: pytest.ExceptionInfo[BaseException] | None, level: Level) -> Verdict:
    if excinfo is None:
        return Verdict.PASS
    for kind, verdict in (
        (AssertionError, BROKEN[level]),
        (Untestable, Verdict.UNTESTABLE),
        (Inconclusive, Verdict.INCONCLUSIVE),
        (Undecided, Verdict.INCONCLUSIVE),
        (NotDeclared, Verdict.NOT_DECLARED),
        (Tolerated, Verdict.WARN),
        (Observed, Verdict.INFO),
    ):
        if isinstance(excinfo.value, kind):
            return verdict
    return Verdict.ERROR


def make_record(item: pytest.Item, call: pytest.CallInfo[None], ready: TargetRun, requirement: Requirement) -> Record:
    verdict = verdict_of(call.excinfo, requirement.level)
    message = "" if call.excinfo is None else explain(call.excinfo, verdict)
    failed = call.excinfo is not None and isinstance(call.excinfo.value, AssertionError)
    if failed and (lost := lost_key(ready, requirement.area)):
        verdict, message, failed = Verdict.UNTESTABLE, f"{lost}\n{message}", False
    if call.excinfo is not None and (broken := broken_off(ready)) and broken not in message:
        message += f"\n{BROKEN_OFF} {broken}"
    expected, seen = compared(item.config, message) if failed else (None, None)
    recorder = ready.recorder
    clean = ready.redactor.closely  # pytest shortens what it shows, and may have cut a key in two
    return Record(
        requirement=requirement.id,
        target=ready.target.name,
        part=part_of(item),
        nodeid=item.nodeid,
        verdict=verdict,
        message=clean(message),
        expected=None if expected is None else clean(expected),
        seen=None if seen is None else clean(seen),
        evidence=() if verdict is Verdict.PASS else ready.evidence(),
        duration=call.duration,
        requests=recorder.requests if recorder else 0,
        tokens=recorder.tokens if recorder else 0,
    )


BROKEN_OFF = "the last answer broke off:"


def broken_off(ready: TargetRun) -> str | None:
    """What kept the last answer from coming whole, unless we hung up ourselves: it explains most failures."""
    exchanges = ready.recorder.exchanges if ready.recorder else []
    failure = exchanges[-1].failure if exchanges else None
    return str(failure) if failure is not None and failure.kind != "hung_up" else None


def explain(excinfo: pytest.ExceptionInfo[BaseException], verdict: Verdict) -> str:
    """What the exception says, without pytest's frame around it."""
    text = str(excinfo.value) or type(excinfo.value).__name__
    if verdict is Verdict.ERROR:
        text = f"{type(excinfo.value).__name__}: {text}"
    return text[:MESSAGE_LIMIT].removeprefix("assert ").strip()


def compared(config: pytest.Config, message: str) -> tuple[str | None, str | None]:
    """(expected, seen) of the failed assertion: from a finding's own words, else from the comparison."""
    last = config.stash.get(COMPARED, None)
    config.stash[COMPARED] = ("", "")
    if finding := re.match(r"expected (.*?); seen (.*)", message, re.DOTALL):
        return finding[1], finding[2].splitlines()[0] if finding[2] else ""
    return last if last and last != ("", "") else (None, None)


def dress(
    report: Any, record: Record, requirement: Requirement, judgement: Judgement, item: pytest.Item, ready: TargetRun
) -> None:
    """Make pytest's own report say what the verdict says, and keep secrets out of it."""
    clean = ready.redactor.text
    report.sections = [(title, clean(text)) for title, text in report.sections]
    if judgement is Judgement.EXPECTED:
        report.outcome, report.longrepr = "skipped", record.message
        report.wasxfail = "expected: see the expectations of this target"
        return
    clean = ready.redactor.closely
    red = record.verdict is Verdict.ERROR or (record.verdict in RED_WHEN_MUST and requirement.level is Level.MUST)
    if red:
        report.outcome = "failed"
        trace = f"\n{report.longrepr}"[:TRACE_LIMIT] if record.verdict is Verdict.ERROR else ""
        report.longrepr = clean(failure_text(record, requirement, item) + trace)
    elif report.when != "setup" and record.verdict in (Verdict.PASS, Verdict.WARN, Verdict.INFO):
        report.outcome, report.longrepr = "passed", None
    else:
        # A set-up that called itself passed would have the test run without the fixture that failed.
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"{record.verdict}: {record.message}")


def failure_text(record: Record, requirement: Requirement, item: pytest.Item) -> str:
    """A failure that a person can act on: claim, expected, seen, the last exchange, how to repeat it."""
    lines = [f"{record.verdict}  {requirement.id}  {requirement.level}  {requirement.claim}"]
    if record.expected is not None:
        lines += [f"      expected  {record.expected}", f"      seen      {record.seen}"]
    else:
        lines += [f"      seen      {record.message.splitlines()[0] if record.message else ''}"]
    lines += [f"      broken    {line.removeprefix(BROKEN_OFF).strip()}" for line in broken_lines(record)]
    lines += [
        f"      source    {requirement.source}",
        f"      test      {item.location[0]}:{(item.location[1] or 0) + 1}",
    ]
    if record.evidence:
        last = record.evidence[-1]
        elsewhere = f"the curl line is in {requirement.id}.http of the report"
        repeat = last.curl if len(last.curl) <= CURL_SHOWN else elsewhere
        lines += [f"      evidence  {last.line}", f"      repeat    {repeat}"]
    return "\n".join(lines)


def broken_lines(record: Record) -> list[str]:
    return [line for line in record.message.splitlines()[1:] if line.startswith(BROKEN_OFF)]


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    properties = dict(getattr(report, "user_properties", ()))
    if PROPERTY not in properties or (report.when == "teardown" and report.passed):
        return None
    if hasattr(report, "wasxfail"):
        return "expected", "x", "EXPECTED"
    verdict = Verdict(properties[PROPERTY]["verdict"])
    category, letter, word = STATUS[verdict]
    return ("failed" if report.failed and verdict is not Verdict.ERROR else category), letter, word
