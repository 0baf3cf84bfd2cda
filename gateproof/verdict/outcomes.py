"""The nine verdicts, and how a test gives one.

A plain ``assert`` gives FAIL, WARN or INFO by the level of the requirement. The exceptions below give the rest.
"""

from __future__ import annotations

import enum


class Level(enum.StrEnum):
    """RFC 2119 keyword of a requirement."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


class Verdict(enum.StrEnum):
    """Worst first: the verdict of a requirement is the first of this list that any of its parts has."""

    ERROR = "ERROR"
    FAIL = "FAIL"
    UNTESTABLE = "UNTESTABLE"
    INCONCLUSIVE = "INCONCLUSIVE"
    WARN = "WARN"
    INFO = "INFO"
    PASS = "PASS"  # noqa: S105 - a verdict, no password
    NOT_DECLARED = "NOT_DECLARED"
    DISABLED = "DISABLED"

    @property
    def rank(self) -> int:
        return _ORDER.index(self)


_ORDER = list(Verdict)

BROKEN = {Level.MUST: Verdict.FAIL, Level.SHOULD: Verdict.WARN, Level.MAY: Verdict.INFO}


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict of a whole from those of its parts."""
    return min(verdicts, key=lambda verdict: verdict.rank)


class Untestable(Exception):
    """Declared, but a prerequisite of the check is missing: red at the level of the requirement."""


class Inconclusive(Exception):
    """The measurement was not good enough to say."""


class NotDeclared(Exception):
    """Found out during the test that the target does not offer this (an honest 404 or 501, say)."""


class Observed(Exception):
    """Worth telling and no more, since the catalogue says so: INFO, whatever the level."""


class Tolerated(Exception):
    """Less than the claim asks, yet the catalogue says that it passes with a warning, whatever the level."""
