"""When a run was not running: what its folder keeps of each interruption that it was resumed after.

Seconds are those of the schedule, whose clock stands still meanwhile: what was due next is due next.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

from gateproof.load.schedule import Phase

Span = tuple[float, float]
KEY = "interruptions"
"""Of the facts and of the report."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """``at_s`` is the second of the schedule where it stopped; ``interrupted`` when the last answer before it came.

    ``lost`` requests were due before and are in no log; ``lost_s`` the seconds from the first to the last of them.
    ``workers`` went on afterwards. Instants are ISO 8601.
    """

    at_s: float
    interrupted: str
    resumed: str
    workers: int
    lost: int = 0
    lost_s: Span | None = None

    @property
    def lasted(self) -> float:
        """Seconds."""
        return (dt.datetime.fromisoformat(self.resumed) - dt.datetime.fromisoformat(self.interrupted)).total_seconds()

    @property
    def zero(self) -> dt.datetime:
        """When the run would have started to be where it was resumed."""
        return dt.datetime.fromisoformat(self.resumed) - dt.timedelta(seconds=self.at_s)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Interruption:
        """Of the facts. TypeError or ValueError for anything else."""
        lost = plain["lost_s"]
        return cls(**{**plain, "lost_s": None if lost is None else (float(lost[0]), float(lost[1]))})

    def to_plain(self) -> dict[str, Any]:
        return asdict(self)

    def told(self) -> dict[str, Any]:
        """For the report."""
        return {**asdict(self), "lasted_s": self.lasted}

    def in_words(self) -> str:
        lost = f", and {self.lost} requests due before it are in no log" if self.lost else ""
        where = f" (due from {self.lost_s[0]:.1f} to {self.lost_s[1]:.1f} s)" if self.lost_s else ""
        when = dt.datetime.fromisoformat(self.interrupted).strftime("%Y-%m-%d %H:%M:%S %Z")
        return f"interrupted at {self.at_s:.1f} s, on {when}, for {self.lasted:.0f} s{lost}{where}"


def interruptions_of(facts: Mapping[str, Any]) -> list[Interruption]:
    """In their order; none of a run that went through."""
    return [Interruption.from_plain(each) for each in facts.get(KEY, ())]


def gaps(interruptions: Sequence[Interruption], phases: Sequence[Phase]) -> list[Span]:
    """What says nothing of a steady target: from the first lost request until it is as warm again as at the start."""
    warming = sum(phase.duration for phase in takewhile(lambda phase: not phase.counted, phases))
    return [((each.lost_s or (each.at_s,))[0], each.at_s + warming) for each in interruptions]
