"""What a gate found, as it is published (docs/schema/gate-result.schema.json).

Version 1.0 is exact: a new field makes it 1.1. Seconds, shares of 1, rates per second; nothing here depends on the
clock, so equal runs and gates give equal bytes.
"""

from __future__ import annotations

import enum
from typing import Annotated, Literal

from pydantic import Field

from gateproof.errors import EXIT_FAIL, EXIT_VOID
from gateproof.report.parts import Count, Plain, Text

Number = Annotated[float, Field(allow_inf_nan=False)]


class Verdict(enum.StrEnum):
    """Of one gate. Only PASS is a pass; what was not compared is no part of the verdict on the release."""

    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    UNMEASURED = "UNMEASURED"
    UNDECIDED = "UNDECIDED"
    VOID = "VOID"
    NOT_COMPARED = "NOT COMPARED"


BLOCKING = frozenset({Verdict.FAIL, Verdict.UNMEASURED})
PROVES_NOTHING = frozenset({Verdict.UNDECIDED, Verdict.VOID})


class Sample(Plain):
    """A number with its ends; null: the values are too few to tell that end, or there are none."""

    estimate: Number | None
    low: Number | None
    high: Number | None
    samples: Count
    effective: Number
    """What the samples are worth as independent ones: neighbours resemble each other."""
    method: Text


class Row(Plain):
    """One bound of one gate on one run."""

    line: Count
    """Of the gate in its file."""
    gate: Text
    """In words."""
    level: Literal["hard", "advisory"]
    verdict: Verdict
    subject: Text
    """The metric, or the level of the requirements."""
    side: Literal["max", "min", "max_ratio", "min_ratio", "conformance"]
    bound: Number | None
    unit: Literal["s", "tokens", "share", "1/s", "count", "ratio"]
    confidence: Number | None
    """Of each end of the interval; null where a number is counted, not estimated."""
    run: Text | None
    """Folder of the run; null where none was given that the gate is about."""
    profile: Text | None
    measured: Sample | None
    baseline: Sample | None = None
    ratio: Sample | None = None
    """Of the run over the baseline."""
    asks_for: Count | None = None
    """Samples that would decide, or, of a ratio, would catch what must not go unnoticed; null: not known."""
    said: Text
    """What was found and why that is the verdict."""
    why: Text | None = None
    """Where the bound comes from, as the file says."""


class RunRef(Plain):
    """One run that was judged, or compared with."""

    run: Text
    kind: Literal["load", "conformance"]
    role: Literal["judged", "baseline"]
    target: Text
    versions: dict[Text, Text]
    profile: Text | None
    verdict: Text
    """The run's own."""


class GateResult(Plain):
    """The verdict on a release. FAIL: a hard gate is broken or was not measured. VOID: nothing is broken, and a hard
    gate could not be decided. Else PASS."""

    schema_version: Literal["1.0"] = "1.0"
    kind: Literal["gate"] = "gate"
    verdict: Literal["PASS", "FAIL", "VOID"]
    exit_code: Count
    """0 pass, 1 fail, 5 void."""
    gates: Text
    """The file."""
    suite: Text
    """Version of gateproof."""
    runs: list[RunRef]
    rows: list[Row]
    notes: list[Text]


def overall(rows: list[Row]) -> tuple[Literal["PASS", "FAIL", "VOID"], int]:
    """A broken hard gate outweighs one that could not be decided: more samples would not mend it."""
    hard = {row.verdict for row in rows if row.level == "hard"}
    if hard & BLOCKING:
        return "FAIL", EXIT_FAIL
    if hard & PROVES_NOTHING:
        return "VOID", EXIT_VOID
    return "PASS", 0
