"""A gate on runs that a test made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gateproof.gate.model import read_gates
from gateproof.gate.result import GateResult, Row
from gateproof.gate.run import Given, gate_runs


def gated(
    folder: Path, text: str, runs: Sequence[Path], baselines: Sequence[Path] = (), *, other_versions: bool = False
) -> GateResult:
    """``text`` is the whole file, or the gates alone, one on each line."""
    file = folder / "gates.yaml"
    whole = text if "gates:" in text else "gates:\n" + "".join(f"  - {line}\n" for line in text.splitlines() if line)
    file.write_text(whole, encoding="utf-8")
    return gate_runs(read_gates(file), Given(runs, baselines, other_versions=other_versions))


def row(
    folder: Path, gate: str, run: Path | None, baseline: Path | None = None, *, other_versions: bool = False
) -> Row:
    """Of one gate on one run."""
    runs, before = ([] if each is None else [each] for each in (run, baseline))
    (found,) = gated(folder, gate, runs, before, other_versions=other_versions).rows
    return found
