"""What each request asks for, drawn at once for all of them, so that it depends on the seed and the index alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateproof.load.dataset import Entry
from gateproof.load.profile import Length, Part, Workload
from gateproof.load.traces import Traced

Ints = NDArray[np.int64]

DRAWS = 0x6761_7465
"""Key beside the seed: what is asked for must not follow from when it is asked."""


@dataclass(frozen=True, slots=True)
class Asked:
    """By index: the number of the part of the mix, tokens in and out, and the prefix group (-1: none).

    Turn ``t`` of conversation ``s`` has index ``t * conversations + s``, so that what is due of its own accord comes
    first. ``input_tokens`` are those that a turn adds; ``known`` is False where nobody said how long a prompt is, and
    they are an upper bound.
    """

    part: Ints
    input_tokens: Ints
    output_tokens: Ints
    prefix: Ints
    turns: int = 1
    known: bool = True

    def __len__(self) -> int:
        return len(self.part)

    @property
    def conversations(self) -> int:
        return len(self.part) // self.turns

    def before(self, index: int) -> range:
        """The indices of the turns before this one."""
        return range(index % self.conversations, index, self.conversations)

    def after(self, index: int) -> range:
        """The indices of the turns after this one."""
        return range(index + self.conversations, len(self.part), self.conversations)

    def only(self, conversations: Ints) -> Asked:
        """Of some conversations, numbered anew."""
        kept = (np.arange(self.turns)[:, np.newaxis] * self.conversations + conversations).ravel()
        columns = (self.part[kept], self.input_tokens[kept], self.output_tokens[kept], self.prefix[kept])
        return Asked(*columns, self.turns, self.known)

    def prompt_tokens(self, index: int) -> int | None:
        """Of the whole prompt with its history; None where nobody said."""
        if not self.known:
            return None
        history = sum(int(self.input_tokens[each] + self.output_tokens[each]) for each in self.before(index))
        return int(self.input_tokens[index]) + history

    @property
    def tokens(self) -> int:
        """Upper bound of what all of it costs: a turn is paid for again with each one after it."""
        shape = (self.turns, self.conversations)
        inputs = self.input_tokens.reshape(shape).cumsum(axis=0)
        outputs = self.output_tokens.reshape(shape).cumsum(axis=0)
        return int(inputs.sum() + outputs.sum())


def draw(
    workload: Workload, number: int, seed: int, trace: Sequence[Traced] = (), entries: Sequence[Entry] = ()
) -> Asked:
    """What ``number`` conversations ask for, each turn of them.

    A trace's lengths come before those of the mix, and a data set's own before both.
    """
    turns = workload.turns
    generator = np.random.Generator(np.random.Philox(key=[seed, DRAWS]))
    shares = np.array([part.share for part in workload.mix], dtype=np.float64)
    part = np.tile(generator.choice(len(shares), size=number, p=shares / shares.sum()).astype(np.int64), turns)
    inputs = _lengths(workload, "input_tokens", part, generator)
    outputs = _lengths(workload, "output_tokens", part, generator)
    if trace:
        inputs[: len(trace)] = [max(1, row.input_tokens) for row in trace[:number]]
        outputs[: len(trace)] = [max(1, row.output_tokens) for row in trace[:number]]
    for index in range(number if entries else 0):
        entry = entries[index % len(entries)]
        inputs[index] = entry.most_tokens
        outputs[index] = entry.output_tokens or outputs[index]
    groups = workload.prefix.groups if workload.prefix else 0
    prefix = generator.integers(0, groups, number) if groups else np.full(number, -1)
    return Asked(part, inputs, outputs, np.tile(prefix.astype(np.int64), turns), turns, known=not entries)


def _lengths(workload: Workload, name: str, part: Ints, generator: np.random.Generator) -> Ints:
    """Every part draws for all indices, so that a change of the shares changes no length."""
    lengths = np.empty(len(part), dtype=np.int64)
    for number, each in enumerate(workload.mix):
        drawn = _drawn(_length(workload, each, name), len(part), generator)
        lengths[part == number] = drawn[part == number]
    return lengths


def _length(workload: Workload, part: Part, name: str) -> Length:
    own: Length | None = getattr(part, name)
    common: Length = getattr(workload, name)
    return own or common


def _drawn(length: Length, number: int, generator: np.random.Generator) -> Ints:
    mean, deviation = length.mean, length.deviation
    match length.kind:
        case "fixed":
            values = np.full(number, mean)
        case "uniform":
            high = length.high if length.high is not None else 2 * mean - length.low
            values = generator.integers(length.low, int(high) + 1, number).astype(np.float64)
        case "normal":
            values = generator.normal(mean, deviation, number)
        case "lognormal":
            # the mean and deviation of the lengths themselves, not of their logarithms
            variance = np.log1p((deviation / mean) ** 2) if mean else 0.0
            values = generator.lognormal(np.log(max(mean, 1e-9)) - variance / 2, np.sqrt(variance), number)
    lengths: Ints = np.clip(np.rint(values), length.low, length.high or length.most).astype(np.int64)
    return lengths
