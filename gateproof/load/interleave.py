"""Two ways to the same models, in turns: through the gateway and directly, in blocks A B B A of one run.

Blocks come in pairs. Both blocks of a pair have the same arrivals, and request i of one asks for as much as request i
of the other, so what differs between them is the way, and the moment. The order changes with every pair, so that a
drift of the backend falls on both ways alike. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gateproof.load.arrivals import Process
from gateproof.load.blocks import whole_pairs
from gateproof.load.schedule import Phase, Schedule, open_loop
from gateproof.load.workload import Asked

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Interleaved:
    """``schedule`` is the whole run; the arrays go by its index.

    ``direct`` is the way, ``pair`` the number of the pair of requests (each is there twice, once each way), ``block``
    that of the pair of blocks in which it lies.
    """

    schedule: Schedule
    direct: Bools
    pair: Ints
    block: Ints

    @property
    def pairs(self) -> int:
        return len(self.pair) // 2

    @property
    def mates(self) -> tuple[Ints, Ints]:
        """By the number of the pair: the index of its request through the gateway, and of the direct one."""
        order = np.lexsort((self.direct, self.pair))
        return order[0::2], order[1::2]

    def spread(self, asked: Asked, parts: int) -> Asked:
        """From what each pair asks for to what each request does; a direct one has its part behind all ``parts``."""
        return replace(
            asked,
            part=asked.part[self.pair] + np.where(self.direct, parts, 0),
            input_tokens=asked.input_tokens[self.pair],
            output_tokens=asked.output_tokens[self.pair],
            prefix=asked.prefix[self.pair],
        )


def interleaved(process: Process, phases: Sequence[Phase], block: float, seed: int) -> Interleaved:
    """Blocks of ``block`` seconds; every phase must be a whole number of pairs of them.

    The arrivals of one way are those of a run with half of each phase, cut into blocks; the other way repeats each.
    """
    if wrong := [phase.name for phase in phases if not whole_pairs(phase.duration, block)]:
        raise ValueError(f"{', '.join(wrong)}: not a whole number of pairs of blocks of {block:g} s")
    once = open_loop(process, [replace(phase, duration=phase.duration / 2) for phase in phases], seed)
    number = np.floor(once.times / block).astype(np.int64)
    first = once.times + number * block
    times = np.concatenate([first, first + block])
    order = np.argsort(times, kind="stable")
    second = np.repeat([False, True], len(first))
    # A B, then B A, then A B again
    direct = second ^ (np.tile(number, 2) % 2 == 1)
    schedule = Schedule(times[order], np.tile(once.phase, 2)[order], tuple(phases), seed)
    return Interleaved(schedule, direct[order], np.tile(np.arange(len(first)), 2)[order], np.tile(number, 2)[order])
