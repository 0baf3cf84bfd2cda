"""What a calibration found, and what follows from it for a run. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]

SCHEMA_VERSION = "1"
FINE, COARSE = 0.001, 0.005
"""s by which a time to first token or a gap may be off: a tenth of a fast stream's gap of 10 ms, and half of it."""
CERTAIN = 100_000
"""ns that the peer's own write may take for its instant to be taken as known."""
SHARE = 0.99
"""Of the values that must lie within: the bounds are about p99, as those of a run are."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds, never negative: how far values are off. None where there were none."""

    p50: float | None
    p99: float | None
    high: float | None
    count: int

    @classmethod
    def of(cls, nanoseconds: Times) -> Spread:
        if not len(nanoseconds):
            return cls(None, None, None, 0)
        off = np.abs(nanoseconds) / 1e9
        p50, p99 = (float(value) for value in np.quantile(off, [0.5, SHARE], method="higher"))
        return cls(p50, p99, float(off.max()), len(off))

    def within(self, bound: float) -> bool:
        return self.p99 is not None and self.p99 <= bound


@dataclass(frozen=True, slots=True)
class Step:
    """One rate: ``streams`` under way, ``rate`` events per second that came, ``cpu`` of one core that it took.

    ``ttft`` is how far the told arrival of first tokens lies from their sending, ``gap`` how far gaps do.
    """

    streams: int
    rate: float
    cpu: float
    ttft: Spread
    gap: Spread

    def within(self, bound: float) -> bool:
        return self.ttft.within(bound) and self.gap.within(bound)


@dataclass(frozen=True, slots=True)
class Departure:
    """Open-loop arrivals at ``rate`` per second: how late requests left."""

    rate: float
    slip: Spread


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of one machine, and of one worker on it."""

    machine: Mapping[str, Any]
    when: str
    steps: Sequence[Step]
    departures: Sequence[Departure]

    def highest(self, bound: float) -> float | None:
        """Events per second of the highest rate up to which every rate keeps the bound; None: not even the lowest."""
        best = None
        for step in sorted(self.steps, key=lambda step: step.rate):
            if not step.within(bound):
                break
            best = step.rate
        return best

    def to_plain(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "machine": dict(self.machine),
            "when": self.when,
            "events_per_s_within_1ms": self.highest(FINE),
            "events_per_s_within_5ms": self.highest(COARSE),
            "steps": [asdict(step) for step in self.steps],
            "arrivals": [asdict(departure) for departure in self.departures],
        }


def errors(told: Times, before: Sequence[int], after: Sequence[int]) -> tuple[Times, Times]:
    """Of one stream, in ns: of its first token, and of its gaps; without those whose truth is not known well enough.

    ``told`` are the arrivals that we report, ``before`` and ``after`` the instants around the peer's writes.
    """
    true, took = np.array(before, dtype=np.int64), np.array(after, dtype=np.int64) - np.array(before, dtype=np.int64)
    if len(told) != len(true):
        raise ValueError(f"{len(true)} events were sent, {len(told)} arrivals told")
    known = took <= CERTAIN
    first = (told - true)[:1][known[:1]]
    gaps = (np.diff(told) - np.diff(true))[known[1:] & known[:-1]]
    return first, gaps


def changes(kept: Mapping[str, Any], machine: Mapping[str, Any]) -> list[str]:
    """In what a machine is another than when it was calibrated."""
    then = kept.get("machine") or {}
    return sorted(name for name in machine if machine[name] != then.get(name))


def notes(calibration: Mapping[str, Any] | None, rate: float) -> list[str]:
    """What a run should say: ``rate`` is the events per second of one of its workers."""
    if calibration is None:
        return ["this machine is not calibrated: run `gateproof calibrate`"]
    said = []
    if changed := calibration.get("changed"):
        said.append(f"this machine was calibrated with another {', '.join(changed)}: run `gateproof calibrate` again")
    highest = calibration["events_per_s_within_5ms"]
    if highest is None:
        said.append("numbers beyond what this machine was measured to do: no rate kept its error within 5 ms")
    elif rate > highest:
        said.append(
            f"numbers beyond what this machine was measured to do: {rate:,.0f} events/s of one worker, "
            f"and its error is known to stay within 5 ms up to {highest:,.0f}"
        )
    return said
