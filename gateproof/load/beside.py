"""What stands beside the clients' numbers in a report: what servers say, where the two differ, and what creeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateproof.load.drift import PhaseDrift, drifts, outside
from gateproof.load.log import Rows
from gateproof.load.metrics.compare import client_values, pairs
from gateproof.load.metrics.samples import Samples, read_samples
from gateproof.load.metrics.summary import Span, in_short, seen, summary
from gateproof.load.profile import Trust
from gateproof.load.schedule import Phase


@dataclass(frozen=True, slots=True)
class Beside:
    """``told`` goes into the report as it is; ``void`` has the reasons why the run is not steady, if it must be."""

    told: Mapping[str, Any]
    void: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def beside(folder: Path, rows: Rows, phases: Sequence[Phase], trust: Trust, gaps: Sequence[Span] = ()) -> Beside:
    """From the logs of a run alone; ``gaps`` are seconds of it that say nothing of whether it is steady."""
    samples = read_samples(folder)
    found = drifts(*outside(gaps, rows, samples.samples), phases)
    told = {"server": _server(samples, rows, phases), "drift": [each.to_plain() for each in found]}
    void, notes = (_unsteady(found), _undecided(found)) if trust.steady else ([], [])
    notes += [f"server metrics cannot be read: {name}" for name in samples.unreadable]
    return Beside(told, tuple(void), tuple(notes))


def _server(samples: Samples, rows: Rows, phases: Sequence[Phase]) -> dict[str, Any]:
    spans = _counted(phases)
    disagreement = pairs(client_values(rows, phases), seen(samples.samples, spans))
    return {**summary(samples, spans), "compared": [each.to_plain() for each in disagreement]}


def _counted(phases: Sequence[Phase]) -> list[Span]:
    """Seconds from and to which phases are counted; neighbours are one span, or a counter would be cut in between."""
    spans: list[Span] = []
    start = 0.0
    for phase in phases:
        end = start + phase.duration
        if phase.counted:
            joined = bool(spans) and spans[-1][1] == start
            spans[-1:] = [(spans[-1][0], end)] if joined else [*spans[-1:], (start, end)]
        start = end
    return spans


def _unsteady(found: Sequence[PhaseDrift]) -> list[str]:
    if not found:
        return ["not steady: no counted phase has a constant rate"]
    return [f"not steady: {reason}" for each in found for reason in each.unsteady]


def _undecided(found: Sequence[PhaseDrift]) -> list[str]:
    told = {each.phase: ", ".join(each.undecided) for each in found}
    return [f"{phase}: too noisy to tell whether steady: {names}" for phase, names in told.items() if names]


def in_words(told: Mapping[str, Any]) -> list[str]:
    """Lines for people: one for each server, one for each disagreement, one for each phase."""
    server = told.get("server") or {"sources": {}, "compared": []}
    return [*in_short(server), *_views(server["compared"]), *(_phase(each) for each in told.get("drift", ()))]


def _views(compared: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where clients and servers differ, and that they do not where they do not."""
    apart = [f"Client and server: {each['said']}." for each in compared if each["apart_s"]]
    agreed = [f"{each['metric']} {each['quantile']} ({each['source']})" for each in compared if not each["apart_s"]]
    return [*apart, *([f"Client and server agree: {', '.join(dict.fromkeys(agreed))}."] if agreed else [])]


def _phase(phase: Mapping[str, Any]) -> str:
    moved = [each["said"] for each in phase["series"] if each["verdict"] in {"drifts", "shifts"}]
    unsure = [each["series"] for each in phase["series"] if each["verdict"] == "cannot tell"]
    steady = [each["series"] for each in phase["series"] if each["verdict"] == "steady"]
    parts = [
        *moved,
        *([f"steady: {', '.join(steady)}"] if steady else []),
        *([_cannot_tell(phase, unsure)] if unsure else []),
    ]
    return f"Drift in {phase['phase']}, windows of {phase['window_s']:.3g} s: {'; '.join(parts) or 'no data'}."


def _cannot_tell(phase: Mapping[str, Any], unsure: Sequence[str]) -> str:
    """By name only where something else can be told: a short run can tell nothing of anything."""
    return f"cannot tell: {', '.join(unsure)}" if len(unsure) < len(phase["series"]) else "too short to tell"
