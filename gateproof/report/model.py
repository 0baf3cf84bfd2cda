"""What one conformance run found out about one target, as it is published (docs/schema).

`rollup.roll_up` makes it from the records of the tests. Version 1.0 is exact: a new field makes it 1.1.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from gateproof.report.records import EvidenceItem, Record
from gateproof.report.text import clean
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

_USER_INFO = re.compile(r"(?<=//)[^/?#]*@")


def _clean(value: object) -> object:
    return clean(value) if isinstance(value, str) else value


def _without_user_info(value: object) -> object:
    return _USER_INFO.sub("", clean(value)) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_clean)]
"""Anything that may come from outside: whatever cannot be printed or encoded stands there as an escape."""
Address = Annotated[str, BeforeValidator(_without_user_info)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class TargetInfo(_Model):
    """What was tested."""

    name: Text
    url: Address
    dialect: Text
    description: Text | None = None
    versions: dict[Text, Text] = {}


class Suite(_Model):
    """What tested it."""

    version: Text
    catalogue_hash: Text
    seed: int | None = None
    command: Text


class Capability(_Model):
    """What the target says of itself, and what probing saw (null: not probed)."""

    name: Text
    declared: Literal["supported", "unsupported", "unset"]
    detected: bool | None = None


class EvidenceRef(_Model):
    """One exchange: in one line, as the file that holds all of it, as a command that repeats it, in extract."""

    request: Text
    file: Text
    curl: Text
    excerpt: Text


class Known(_Model):
    """The expectation that exists for a requirement; only the state `expected` excuses anything."""

    reason: Text
    link: Text
    expires: dt.date
    state: Literal["none", "expected", "stale", "expired", "mismatch"]


class Part(_Model):
    """One test of a requirement."""

    name: Text
    verdict: Verdict
    message: Text = ""
    duration: Seconds = 0.0


class RequirementResult(_Model):
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
    evidence: list[EvidenceRef] = []
    expectation: Known | None = None
    parts: list[Part] = []
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


class NotTested(_Model):
    """A requirement without a test in this release, and why."""

    id: str
    reason: Text


class Spent(_Model):
    """What the run sent, and what it was allowed to (null: no bound)."""

    requests: Count = 0
    tokens: Count = 0
    of_requests: Count | None = None
    of_tokens: Count | None = None


class Summary(_Model):
    """The verdict on the target, and the requirements that made it."""

    verdict: Literal["CONFORMANT", "NOT CONFORMANT", "INCOMPLETE"]
    counts: dict[Verdict, Count]
    must_broken: list[str] = []
    """MUST requirements that gave FAIL, UNTESTABLE, INCONCLUSIVE or ERROR and that no expectation excuses."""
    errors: list[str] = []
    """Requirements of any level whose check itself broke."""
    expected: list[str] = []
    stale: list[str] = []
    expired: list[str] = []
    mismatched: list[str] = []
    """Requirements that were expected to break and broke in another way."""
    not_run: list[str] = []
    """Requirements of which a collected test gave no result."""
    selected: Text | None = None
    """What the user restricted the run to (null: nothing)."""
    spent: Spent
    wall_s: Seconds = 0.0


class Report(_Model):
    """One conformance run against one target."""

    schema_version: Literal["1.0"] = "1.0"
    kind: Literal["conformance"] = "conformance"
    target: TargetInfo
    suite: Suite
    started: AwareDatetime
    ended: AwareDatetime | None = None
    complete: bool
    interrupted: Text | None = None
    capabilities: list[Capability] = []
    requirements: list[RequirementResult]
    planned: list[NotTested] = []
    excluded: list[NotTested] = []
    areas: dict[str, Text]
    """Titles of the areas, by name."""
    summary: Summary
