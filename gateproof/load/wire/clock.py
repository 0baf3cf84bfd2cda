"""One monotonic clock for everything, and the kernel's receive stamps brought onto it."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass, field

SO_TIMESTAMPNS = 35
"""Linux, asm-generic/socket.h: the kernel stamps what it receives, on the real-time clock."""

STAMP = struct.Struct("qq")  # seconds and nanoseconds, native longs
STEP = 1_000_000  # ns by which the real-time clock may drift between two looks; more is a step

SAMPLES = 5  # readings of both clocks, of which the tightest pair counts


@dataclass
class Clock:
    """Nanoseconds of the monotonic clock.

    Kernel stamps are on the real-time clock; ``offset`` is what that is ahead. NTP slews it, an operator may set it:
    ``look`` notices, and ``steps`` counts, so that a run whose clock was set can say so.
    """

    offset: int = 0
    steps: int = 0
    _looked: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        self.offset = _offset()

    @staticmethod
    def now() -> int:
        return time.monotonic_ns()

    def look(self) -> None:
        """Compare the clocks again; call it now and then, off the hot path."""
        offset = _offset()
        self.steps += abs(offset - self.offset) > STEP
        self.offset = offset

    def of_stamp(self, stamp: bytes) -> int:
        """A kernel stamp on the monotonic clock."""
        seconds, nanoseconds = STAMP.unpack(stamp)
        return int(seconds) * 1_000_000_000 + int(nanoseconds) - self.offset


def _offset() -> int:
    """Real time minus monotonic time, from the pair of readings that lay closest together."""
    best = None
    for _ in range(SAMPLES):
        before, real, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        if best is None or after - before < best[0]:
            best = (after - before, real - (before + after) // 2)
    assert best is not None
    return best[1]
