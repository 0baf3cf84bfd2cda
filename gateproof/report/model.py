"""What one conformance run found out about one target, as it is published (docs/schema).

`rollup.roll_up` makes it from the records of the tests. Version 1.0 is exact: a new field makes it 1.1.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import AwareDatetime, Field

from gateproof.report.parts import Count, Plain, Seconds, Spent, TargetInfo, Text
from gateproof.report.records import EvidenceItem, Record
from gateproof.verdict.catalogue import Basis
from gateproof.verdict.expectations import Judgement
from gateproof.verdict.outcomes import Level, Verdict

__all__ = [
    "Capability",
    "EvidenceItem",
    "EvidenceRef",
    "Known",
    "NotTested",
    "Part",
    "Record",
    "Report",
    "RequirementResult",
    "Spent",
    "Suite",
    "Summary",
    "TargetInfo",
]

NOT_EXCUSING = frozenset({Judgement.STALE, Judgement.EXPIRED, Judgement.MISMATCH})
BLOCKING = frozenset({Verdict.ERROR, Verdict.FAIL, Verdict.UNTESTABLE, Verdict.INCONCLUSIVE})
"""At level MUST, with no expectation that excuses it, each of these makes the target not conformant."""


class Suite(Plain):
    """What tested it."""

    version: Text
    catalogue_hash: Text
    seed: int | None = None
    command: Text


class Capability(Plain):
    """What the target says of itself, and what probing saw (null: not probed)."""

    name: Text
    declared: Literal["supported", "unsupported", "unset"]
    detected: bool | None = None


class EvidenceRef(Plain):
    """One exchange: in one line, as the file that holds all of it, as a command that repeats it, in extract."""

    request: Text
    file: Text
    curl: Text
    excerpt: Text


class Known(Plain):
    """The expectation that exists for a requirement; only the state `expected` excuses anything."""

    reason: Text
    link: Text
    expires: dt.date
    state: Literal["none", "expected", "stale", "expired", "mismatch"]


class Part(Plain):
    """One test of a requirement."""

    name: Text
    verdict: Verdict
    message: Text = ""
    duration: Seconds = 0.0


class RequirementResult(Plain):
    """The verdict of one requirement: that of its worst part."""

    id: str
    area: str
    level: Level
    basis: Basis
    claim: Text
    source: Text
    verdict: Verdict
    message: Text = ""
    expected: Text | None = None
    seen: Text | None = None
    evidence: list[EvidenceRef] = Field(default_factory=list)
    expectation: Known | None = None
    parts: list[Part] = Field(default_factory=list)
    duration: Seconds = 0.0
    requests: Count = 0
    tokens: Count = 0

    @property
    def state(self) -> Judgement:
        return Judgement(self.expectation.state) if self.expectation else Judgement.NONE

    @property
    def excused(self) -> bool:
        return self.state is Judgement.EXPECTED and self.verdict is not Verdict.ERROR

    @property
    def red(self) -> bool:
        """Whether this alone makes the target not conformant."""
        if self.verdict is Verdict.ERROR or self.state in NOT_EXCUSING:
            return True
        return self.level is Level.MUST and self.verdict in BLOCKING and not self.excused


class NotTested(Plain):
    """A requirement without a test in this release, and why."""

    id: str
    reason: Text


class Summary(Plain):
    """The verdict on the target, and the requirements that made it."""

    verdict: Literal["CONFORMANT", "NOT CONFORMANT", "INCOMPLETE"]
    counts: dict[Verdict, Count]
    must_broken: list[str] = Field(default_factory=list)
    """MUST requirements that gave FAIL, UNTESTABLE, INCONCLUSIVE or ERROR and that no expectation excuses."""
    errors: list[str] = Field(default_factory=list)
    """Requirements of any level whose check itself broke."""
    expected: list[str] = Field(default_factory=list)
    stale: list[str] = Field(default_factory=list)
    expired: list[str] = Field(default_factory=list)
    mismatched: list[str] = Field(default_factory=list)
    """Requirements that were expected to break and broke in another way."""
    not_run: list[str] = Field(default_factory=list)
    """Requirements of which a collected test gave no result."""
    selected: Text | None = None
    """What the user restricted the run to (null: nothing)."""
    spent: Spent
    wall_s: Seconds = 0.0


class Report(Plain):
    """One conformance run against one target."""

    schema_version: Literal["1.0"] = "1.0"
    kind: Literal["conformance"] = "conformance"
    target: TargetInfo
    suite: Suite
    started: AwareDatetime
    ended: AwareDatetime | None = None
    complete: bool
    interrupted: Text | None = None
    capabilities: list[Capability] = Field(default_factory=list)
    requirements: list[RequirementResult]
    planned: list[NotTested] = Field(default_factory=list)
    excluded: list[NotTested] = Field(default_factory=list)
    areas: dict[str, Text]
    """Titles of the areas, by name."""
    summary: Summary
