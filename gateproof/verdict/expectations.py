"""Known failures of one target: strict, dated, each with a link. They excuse one way of breaking, nothing else."""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gateproof.errors import ConfigError, near_miss
from gateproof.verdict.catalogue import Catalogue, Requirement
from gateproof.verdict.documents import Fields, read_document
from gateproof.verdict.outcomes import BROKEN, Verdict

_REQUIRED = ("requirement", "reason", "link", "expires")
_OPTIONAL = ("verdict", "seen")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LINK = re.compile(r"https?://[^\s<>\"]+")
_SILENT = frozenset({Verdict.NOT_DECLARED, Verdict.DISABLED})  # nothing was tried, so nothing can be said
_TOLERABLE = frozenset({Verdict.PASS, Verdict.INFO, Verdict.WARN})


class Judgement(enum.StrEnum):
    """What an expectation makes of a verdict. Only EXPECTED excuses; STALE, EXPIRED and MISMATCH fail the run."""

    NONE = "none"
    EXPECTED = "expected"
    STALE = "stale"
    EXPIRED = "expired"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One known failure. It holds through the whole day of `expires`."""

    requirement: str
    reason: str
    link: str
    expires: dt.date
    verdict: Verdict
    seen: str | None = None
    file: Path | None = None
    line: int | None = None

    def judge(self, verdict: Verdict, message: str, today: dt.date) -> Judgement:
        """STALE is whatever is better than foreseen, MISMATCH whatever breaks otherwise; ERROR is never excused."""
        if verdict in _SILENT:
            return Judgement.NONE
        if verdict in _TOLERABLE and verdict is not self.verdict:
            return Judgement.STALE
        if verdict is not self.verdict or (self.seen is not None and self.seen not in message):
            return Judgement.MISMATCH
        return Judgement.EXPIRED if today > self.expires else Judgement.EXPECTED


@dataclass(frozen=True, slots=True)
class Expectations:
    """All known failures that count for one target, by requirement."""

    entries: dict[str, Expectation]

    def get(self, requirement: str) -> Expectation | None:
        return self.entries.get(requirement)

    def judge(self, requirement: str, verdict: Verdict, message: str, today: dt.date) -> Judgement:
        """Of one verdict of one part of a requirement."""
        entry = self.entries.get(requirement)
        return entry.judge(verdict, message, today) if entry else Judgement.NONE


def load_expectations(folder: Path, names: Iterable[str], catalogue: Catalogue) -> Expectations:
    """Read `NAME.yaml` for each name; a later file replaces an earlier one's entry, and a missing file has none."""
    entries: dict[str, Expectation] = {}
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"`{name}` cannot be the name of an expectations file", file=folder)
        path = folder / f"{name}.yaml"
        if path.is_file():
            entries.update(_read(path, catalogue))
    return Expectations(entries)


def _read(path: Path, catalogue: Catalogue) -> dict[str, Expectation]:
    document = read_document(path)
    top = document.mapping(document.data, required=("expectations",))
    entries: dict[str, Expectation] = {}
    for position, entry in enumerate(top.sequence("expectations")):
        fields = document.mapping(entry, "expectations", position, required=_REQUIRED, optional=_OPTIONAL)
        expectation = _expectation(fields, catalogue)
        if expectation.requirement in entries:
            raise fields.error(f"`{expectation.requirement}` is expected twice", "requirement")
        entries[expectation.requirement] = expectation
    return entries


def _expectation(fields: Fields, catalogue: Catalogue) -> Expectation:
    name = fields.text("requirement")
    if name not in catalogue:
        raise fields.error(f"unknown requirement `{name}`{near_miss(name, catalogue.requirements)}", "requirement")
    link = fields.text("link")
    if not _LINK.fullmatch(link):
        raise fields.error(f"`{link}` is not an http or https address", "link")
    return Expectation(
        requirement=name,
        reason=fields.text("reason"),
        link=link,
        expires=_date(fields),
        verdict=_verdict(fields, catalogue[name]),
        seen=fields.optional_text("seen"),
        file=fields.document.path,
        line=fields.document.line(*fields.keys),
    )


def _date(fields: Fields) -> dt.date:
    value = fields.values["expires"]
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        raise fields.error(f"`{value}` is not a day, as in 2027-03-01", "expires") from None


def _verdict(fields: Fields, requirement: Requirement) -> Verdict:
    """What breaking means at the requirement's level, unless the entry says otherwise.

    An absent `verdict` excuses no UNTESTABLE: a check that cannot run any more must not hide behind a known bug.
    """
    broken = BROKEN[requirement.level]
    if fields.values.get("verdict") is None:
        return broken
    possible = (broken, Verdict.UNTESTABLE, Verdict.INCONCLUSIVE)
    return Verdict(fields.word("verdict", [verdict.value for verdict in possible]))
