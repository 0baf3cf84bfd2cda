"""How a verdict looks: a glyph and a word that tell it without colour, and a tone that adds colour. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateproof.report.model import Report, RequirementResult
from gateproof.report.tally import KNOWN, column_of, overall
from gateproof.verdict.expectations import Judgement
from gateproof.verdict.outcomes import Verdict

Tone = Literal["good", "warn", "bad", "info", "odd", "none"]


@dataclass(frozen=True, slots=True)
class Sign:
    """The glyph is a single character of the fonts that every system has, and no emoji."""

    glyph: str
    word: str
    tone: Tone


SIGNS: dict[str, Sign] = {
    Verdict.PASS: Sign("✓", "PASS", "good"),
    Verdict.FAIL: Sign("✗", "FAIL", "bad"),
    Verdict.ERROR: Sign("E", "ERROR", "odd"),
    Verdict.WARN: Sign("!", "WARN", "warn"),
    Verdict.INFO: Sign("i", "INFO", "info"),
    Verdict.UNTESTABLE: Sign("⊘", "UNTESTABLE", "bad"),
    Verdict.INCONCLUSIVE: Sign("?", "INCONCLUSIVE", "warn"),
    Verdict.NOT_DECLARED: Sign("–", "not declared", "none"),
    Verdict.DISABLED: Sign("○", "disabled", "none"),
    KNOWN: Sign("◇", "known", "info"),
}
"""By column of `tally.COLUMNS`."""
STALE = Sign("↺", "STALE", "bad")
ABSENT = Sign("·", "no result", "none")
"""A requirement that another run judged and this one did not."""

_OVERALL: dict[str, Sign] = {
    "CONFORMANT": Sign("✓", "CONFORMANT", "good"),
    "NOT CONFORMANT": Sign("✗", "NOT CONFORMANT", "bad"),
    "INCOMPLETE": Sign("!", "INCOMPLETE", "warn"),
}


def sign_of(result: RequirementResult) -> Sign:
    """A stale expectation is what is wrong with a result that passed."""
    return STALE if result.state is Judgement.STALE else SIGNS[column_of(result)]


def overall_sign(report: Report) -> Sign:
    """The verdict on the target, in the words of `tally.overall`."""
    base = _OVERALL[report.summary.verdict]
    return Sign(base.glyph, overall(report), base.tone)
