"""When requests arrive: point processes of unit rate, bent to any rate over time.

Every process here is one sequence of gaps with mean 1 in a time that runs with the offered load: unit n of it is the
n-th expected arrival. ``Rate.instants`` maps it to seconds. So a Poisson process stays Poisson through a ramp, and a
constant one stays even. Pure: imports nothing of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Kind = Literal["constant", "poisson", "gamma"]

SPARE = 6.0
"""Standard deviations by which more gaps are drawn than are expected to be needed; the rest is drawn on demand."""


@dataclass(frozen=True, slots=True)
class Process:
    """Gaps between arrivals.

    ``constant`` is an even grid, ``poisson`` has independent exponential gaps, ``gamma`` has gaps with a coefficient of
    variation of 1/sqrt(smoothness): below 1 burstier than Poisson, at 1 the same, above it more even.
    """

    kind: Kind = "poisson"
    smoothness: float = 1.0

    def __post_init__(self) -> None:
        if self.smoothness <= 0:
            raise ValueError(f"smoothness is {self.smoothness}: more than 0 is needed")

    @property
    def variation(self) -> float:
        """Coefficient of variation of the gaps."""
        if self.kind == "constant":
            return 0.0
        return 1.0 if self.kind == "poisson" else self.smoothness**-0.5

    def positions(self, units: float, generator: np.random.Generator) -> Floats:
        """Where in ``units`` of offered load the arrivals lie, ascending, all below ``units``.

        A constant process begins half a gap in, so that two of them behind each other stay even.
        """
        if self.kind == "constant":
            return np.arange(int(np.floor(units + 0.5)), dtype=np.float64) + 0.5
        pieces: list[Floats] = []
        reached = 0.0
        while reached < units:
            missing = units - reached
            piece = reached + np.cumsum(self._gaps(int(missing + SPARE * np.sqrt(missing)) + 1, generator))
            pieces.append(piece)
            reached = float(piece[-1])
        positions = np.concatenate(pieces) if pieces else np.empty(0)
        return positions[positions < units]

    def _gaps(self, count: int, generator: np.random.Generator) -> Floats:
        if self.kind == "poisson":
            return generator.exponential(1.0, count)
        return generator.gamma(self.smoothness, 1.0 / self.smoothness, count)


@dataclass(frozen=True, slots=True)
class Rate:
    """Offered load over time: arrivals per second, linear between the knots ``times`` (s); steps are double knots."""

    times: Floats
    rates: Floats

    def __post_init__(self) -> None:
        if len(self.times) != len(self.rates) or len(self.times) < 2 or np.any(np.diff(self.times) < 0):
            raise ValueError("a rate needs two knots or more, in the order of time")
        if np.any(self.rates < 0) or not np.all(np.isfinite(self.rates)):
            raise ValueError("a rate is 0 or more")

    @classmethod
    def steady(cls, rate: float, duration: float) -> Rate:
        return cls(np.array([0.0, duration]), np.array([rate, rate]))

    @classmethod
    def joined(cls, *parts: Rate) -> Rate:
        """One after another, each beginning at its own first knot's rate."""
        offsets = np.cumsum([0.0, *(float(part.times[-1] - part.times[0]) for part in parts)])
        times = [part.times - part.times[0] + offset for part, offset in zip(parts, offsets, strict=False)]
        return cls(np.concatenate(times), np.concatenate([part.rates for part in parts]))

    @property
    def duration(self) -> float:
        return float(self.times[-1] - self.times[0])

    @property
    def units(self) -> float:
        """The number of arrivals to expect."""
        return float(self._offered()[-1])

    def instants(self, positions: Floats) -> Floats:
        """Seconds at which the offered load reaches ``positions``.

        Between two knots the load is a parabola, whose inverse is written so that a flat piece needs no special case
        and a nearly flat one loses no digits.
        """
        offered = self._offered()
        piece = np.clip(np.searchsorted(offered, positions, side="right") - 1, 0, len(self.times) - 2)
        start, length = self.times[piece], np.diff(self.times)[piece]
        low = self.rates[piece]
        slope = np.divide(np.diff(self.rates)[piece], length, out=np.zeros_like(length), where=length > 0)
        ahead = positions - offered[piece]
        root = np.sqrt(np.maximum(low**2 + 2 * slope * ahead, 0.0))
        return start + np.divide(2 * ahead, low + root, out=np.zeros_like(ahead), where=(low + root) > 0)

    def _offered(self) -> Floats:
        """Expected arrivals up to each knot."""
        areas = np.diff(self.times) * (self.rates[1:] + self.rates[:-1]) / 2
        return np.concatenate([[0.0], np.cumsum(areas)])


def arrivals(process: Process, rate: Rate, seed: int) -> Floats:
    """Every arrival of a run, in seconds from its start, ascending. The same for the same arguments, everywhere."""
    generator = np.random.Generator(np.random.Philox(key=seed))
    return rate.instants(process.positions(rate.units, generator))
