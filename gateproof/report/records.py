"""What one test reports, in a form that travels between processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from gateproof.report.text import clean
from gateproof.verdict.outcomes import Verdict


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One exchange: all of it as bounded, redacted HTTP text, the line that repeats it, and its one-line summary."""

    text: str
    curl: str
    line: str


@dataclass(frozen=True, slots=True)
class Record:
    """The verdict of one test on one target; `part` tells it from the other tests of its requirement."""

    requirement: str
    target: str
    part: str
    nodeid: str
    verdict: Verdict
    message: str = ""
    expected: str | None = None
    seen: str | None = None
    evidence: tuple[EvidenceItem, ...] = ()
    duration: float = 0.0
    requests: int = 0
    tokens: int = 0

    @classmethod
    def settled(cls, requirement: str, target: str, part: str, nodeid: str, verdict: Verdict, message: str) -> Record:
        """Of a test that need not run."""
        return cls(requirement, target, part, nodeid, verdict, message)

    @property
    def name(self) -> str:
        """The part's name, or that of its test when it has none."""
        return self.part or self.nodeid.rpartition("::")[2]

    def to_json(self) -> dict[str, Any]:
        """Plain types only, all text encodable: execnet sends no subclasses and no lone surrogates."""
        plain = asdict(self)
        plain["verdict"] = self.verdict.value
        plain["evidence"] = [{key: _encodable(text) for key, text in asdict(item).items()} for item in self.evidence]
        return {key: clean(value) if isinstance(value, str) else value for key, value in plain.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        """Raises TypeError or ValueError on what `to_json` did not make."""
        known = {field.name for field in fields(cls)}
        if unknown := data.keys() - known:
            raise ValueError(f"not a record: unknown {sorted(unknown)}")
        evidence = tuple(EvidenceItem(**item) for item in data.get("evidence", ()))
        return cls(**{**data, "verdict": Verdict(data["verdict"]), "evidence": evidence})


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
