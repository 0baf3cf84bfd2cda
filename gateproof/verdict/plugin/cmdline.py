"""The options themselves, known to pytest from its start on (entry point ``pytest11``).

Registered from a conftest.py they would be unknown while pytest looks for one, and the value of ``--targets FILE``
would be taken for a folder of tests.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

# While a test runs pytest captures what is written to descriptor 1; this one leads to where it led before.
try:
    TERMINAL = os.dup(1)
except OSError:
    TERMINAL = -1


def repeatable(metavar: str, text: str) -> dict[str, Any]:
    return {"action": "append", "default": [], "metavar": metavar, "help": f"{text} (repeatable)"}


OPTIONS: dict[str, dict[str, Any]] = {
    "--target": repeatable("NAME", "target of targets.yaml to test, `local` when none is given"),
    "--targets": {"metavar": "FILE", "help": "the file that describes the targets (default: targets.yaml)"},
    "--area": repeatable("AREA", "test only this area of the catalogue, such as STREAM"),
    "--requirement": repeatable("ID", "test only this requirement, such as RATE-002"),
    "--level": {"metavar": "LEVEL", "help": "test only requirements of this level and above: MUST, SHOULD or MAY"},
    "--smoke": {"action": "store_true", "help": "few, read-only, under 15 s: is the target misconfigured?"},
    "--disable": repeatable("ID", "do not test this requirement; the report says DISABLED"),
    "--spend": {"metavar": "BOUND", "help": "the most that may be spent: REQUESTS or REQUESTS,TOKENS"},
    "--max-wait": {
        "metavar": "DURATION",
        "default": "300s",
        "help": "the longest that one check may wait for a window to end, such as 90s or 10m (default: 300s)",
    },
    "--replay": {"metavar": "FILE", "help": "play this script of the model test (RATE-035) again, and nothing else"},
    "--report-dir": {"metavar": "DIR", "help": "where reports go (default: reports)"},
}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gateproof", "conformance of LLM gateways")
    for name, settings in OPTIONS.items():
        group.addoption(name, **settings)
