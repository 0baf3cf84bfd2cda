"""Records, expectations and reports to test with; the catalogue is the shipped one."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from gateproof.report.model import Record, Report, Suite, TargetInfo
from gateproof.report.rollup import roll_up
from gateproof.verdict.catalogue import load_catalogue
from gateproof.verdict.expectations import Expectation, Expectations
from gateproof.verdict.outcomes import Verdict

ROOT = Path(__file__).parents[2]
CATALOGUE = load_catalogue(ROOT / "conformance" / "catalogue")
START = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
MUST, SHOULD = "AUTH-002", "AUTH-005"
HOSTILE = "\x1b[31m\x00\ud800\u202e|`</pre><script>@all"


def record(requirement: str = MUST, verdict: Verdict = Verdict.PASS, part: str = "", **more: Any) -> Record:
    nodeid = more.pop("nodeid", f"conformance/test_auth.py::test_{requirement}[{part}]")
    return Record(requirement, "local", part, nodeid, verdict, **more)


def known(
    requirement: str = MUST, verdict: Verdict = Verdict.FAIL, seen: str | None = None, expires: str = "2027-03-01"
) -> Expectations:
    day = dt.date.fromisoformat(expires)
    return Expectations({requirement: Expectation(requirement, "why", "https://example.com/1", day, verdict, seen)})


def report(*records: Record, **more: Any) -> Report:
    settings: dict[str, Any] = {
        "target": TargetInfo(name="local", url="http://127.0.0.1:1", dialect="reference"),
        "suite": Suite(version="1.0", catalogue_hash=CATALOGUE.hash, command="pytest"),
        "catalogue": CATALOGUE,
        "expectations": Expectations({}),
        "started": START,
        "ended": START + dt.timedelta(seconds=5),
        "complete": True,
        "today": START.date(),
    }
    return roll_up(records, **{**settings, **more})
