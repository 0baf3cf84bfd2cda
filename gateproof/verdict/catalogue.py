"""The requirements as data: what is claimed, how binding it is, and who says so.

One file per area. Whatever is wrong in them stops the run with file and line, before any test.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

from gateproof.errors import ConfigError, near_miss
from gateproof.verdict.documents import Document, Fields, read_document
from gateproof.verdict.outcomes import Level

Basis = Literal["N", "S", "P"]
BASES: dict[Basis, str] = {"N": "standard", "S": "schema or SDK", "P": "policy"}

_TOP = ("area", "title", "requirements")
_REQUIRED = ("id", "level", "basis", "claim", "source", "check", "gate")
_OPTIONAL = ("planned", "excluded")
_AREA = re.compile(r"[A-Z][A-Z0-9]*")
_GATE = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
_HASH_DIGITS = 12  # enough to tell two catalogues apart in a report, short enough to read aloud


@dataclass(frozen=True, slots=True)
class Area:
    """A group of requirements that share a file and a row of the summary."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Requirement:
    """One refutable claim. `planned` and `excluded` say why no test claims it, when none does."""

    id: str
    area: str
    level: Level
    basis: Basis
    claim: str
    source: str
    check: str
    gate: tuple[str, ...]
    planned: str | None = None
    excluded: str | None = None

    @property
    def needs_test(self) -> bool:
        return self.planned is None and self.excluded is None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All requirements, in the order of their files and of the entries within."""

    requirements: dict[str, Requirement]
    areas: dict[str, Area]
    hash: str

    def __getitem__(self, requirement: str) -> Requirement:
        """The requirement of that id, or a ConfigError that offers the nearest one."""
        found = self.requirements.get(requirement)
        if found is None:
            raise ConfigError(f"unknown requirement `{requirement}`{near_miss(requirement, self.requirements)}")
        return found

    def __contains__(self, requirement: object) -> bool:
        return requirement in self.requirements


def load_catalogue(folder: Path) -> Catalogue:
    """Read every `*.yaml` of the folder."""
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise ConfigError("no catalogue files (*.yaml) here", file=folder)
    areas: dict[str, Area] = {}
    requirements: dict[str, Requirement] = {}
    for path in paths:
        document = read_document(path)
        top = document.mapping(document.data, required=_TOP)
        area = _area(top)
        if area.name in areas:
            raise top.error(f"area `{area.name}` has a file already", "area")
        areas[area.name] = area
        for position, entry in enumerate(top.sequence("requirements")):
            _add(requirements, _requirement(document, area, position, entry), document, position)
    return Catalogue(requirements, areas, _hash(areas, requirements))


def _area(top: Fields) -> Area:
    name = top.text("area")
    if not _AREA.fullmatch(name):
        raise top.error(f"`{name}` is not a name of capitals and digits", "area")
    return Area(name, top.text("title"))


def _add(known: dict[str, Requirement], new: Requirement, document: Document, position: int) -> None:
    if new.id in known:
        raise document.error(f"`{new.id}` is defined twice", "requirements", position, "id")
    known[new.id] = new


def _requirement(document: Document, area: Area, position: int, entry: object) -> Requirement:
    fields = document.mapping(entry, "requirements", position, required=_REQUIRED, optional=_OPTIONAL)
    requirement = Requirement(
        id=fields.text("id"),
        area=area.name,
        level=Level(fields.word("level", [level.value for level in Level])),
        basis=cast("Basis", fields.word("basis", BASES)),
        claim=fields.text("claim"),
        source=fields.text("source"),
        check=fields.text("check"),
        gate=_gate(fields),
        planned=fields.optional_text("planned"),
        excluded=fields.optional_text("excluded"),
    )
    if not re.fullmatch(rf"{area.name}-[0-9]{{3}}", requirement.id):
        raise fields.error(f"`{requirement.id}` is not {area.name}- and three digits", "id")
    if requirement.planned and requirement.excluded:
        raise fields.error("a requirement is planned or excluded, not both", "excluded")
    return requirement


def _gate(fields: Fields) -> tuple[str, ...]:
    gate: list[str] = []
    for name in fields.sequence("gate"):
        if not isinstance(name, str) or not _GATE.fullmatch(name):
            raise fields.error(f"`{name}` is not the name of a capability (words, dots)", "gate")
        if name in gate:
            raise fields.error(f"`{name}` is named twice", "gate")
        gate.append(name)
    return tuple(gate)


def _hash(areas: dict[str, Area], requirements: dict[str, Requirement]) -> str:
    """Over the data, so that neither layout, comments nor the order of entries changes it."""
    parts: list[Area | Requirement] = [*areas.values(), *requirements.values()]
    lines = sorted(json.dumps(asdict(part), sort_keys=True, ensure_ascii=False) for part in parts)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_HASH_DIGITS]
