"""What two load runs do not have in common. Only like runs have numbers that may be held against each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gateproof.report.load_model import LoadReport

Kind = Literal["target", "version", "load", "ruler", "machine"]
"""Of what: the target, its own versions, what was sent, gateproof itself, where the load came from."""
ABSENT = "none"
NO_LOAD = frozenset({"name", "description", "trust", "objectives"})
"""Keys of a profile that change nothing of what is sent: how it is called, when it is believed, what it should keep."""


@dataclass(frozen=True, slots=True)
class Unlike:
    """One thing that is not the same; the values as text, ``none`` where a run has none."""

    kind: Kind
    what: str
    baseline: str
    candidate: str

    @property
    def grave(self) -> bool:
        """Whether their numbers answer other questions. The same load from elsewhere asks the same one."""
        return self.kind != "machine"


def differences(baseline: LoadReport, candidate: LoadReport) -> list[Unlike]:
    """In a fixed order, the grave ones first."""
    one, other = baseline, candidate
    return [
        *_pair("target", "target", one.target.name, other.target.name),
        *_pair("target", "dialect", one.target.dialect, other.target.dialect),
        *_mappings("version", "version", one.target.versions, other.target.versions),
        *_load(one, other),
        *_pair("ruler", "gateproof", one.suite.version, other.suite.version),
        *_pair("machine", "workers", one.workers, other.workers),
        *_mappings("machine", "machine", one.machine.model_dump(), other.machine.model_dump()),
    ]


def _load(one: LoadReport, other: LoadReport) -> Iterator[Unlike]:
    profiles = [_flat({key: each.profile[key] for key in each.profile.keys() - NO_LOAD}) for each in (one, other)]
    found = list(_mappings("load", "profile", *profiles))
    # the same profile, and yet other arrivals: another trace or data set, or a version that draws others
    yield from found or _pair("load", "schedule", one.schedule, other.schedule)


def _flat(tree: object, path: str = "") -> dict[str, object]:
    """Leaves by their path: ``arrivals.rate``, ``phases.1.duration``."""
    if isinstance(tree, Mapping):
        items: list[tuple[str, object]] = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, list):
        items = [(str(number), value) for number, value in enumerate(tree)]
    else:
        return {path: tree}
    return {
        key: leaf for name, value in items for key, leaf in _flat(value, f"{path}.{name}" if path else name).items()
    }


def _mappings(kind: Kind, what: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Unlike]:
    for key in sorted(one.keys() | other.keys()):
        yield from _pair(kind, f"{what} {key}", one.get(key), other.get(key))


def _pair(kind: Kind, what: str, one: object, other: object) -> Iterator[Unlike]:
    if one != other:
        yield Unlike(kind, what, _shown(one), _shown(other))


def _shown(value: object) -> str:
    return ABSENT if value is None else str(value)
