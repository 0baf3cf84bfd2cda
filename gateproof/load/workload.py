"""What each request asks for, drawn at once for all of them, so that it depends on the seed and the index alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateproof.load.profile import Length, Part, Workload
from gateproof.load.traces import Traced

Ints = NDArray[np.int64]

DRAWS = 0x6761_7465
"""Key beside the seed: what is asked for must not follow from when it is asked."""


@dataclass(frozen=True, slots=True)
class Asked:
    """By index: the number of the part of the mix, tokens in and out, and the prefix group (-1: none)."""

    part: Ints
    input_tokens: Ints
    output_tokens: Ints
    prefix: Ints

    def __len__(self) -> int:
        return len(self.part)

    @property
    def tokens(self) -> int:
        """Upper bound of what all of it costs."""
        return int(self.input_tokens.sum() + self.output_tokens.sum())


def draw(workload: Workload, number: int, seed: int, trace: Sequence[Traced] = ()) -> Asked:
    """What ``number`` requests ask for. A trace's lengths come before those of the mix."""
    generator = np.random.Generator(np.random.Philox(key=[seed, DRAWS]))
    shares = np.array([part.share for part in workload.mix], dtype=np.float64)
    part = generator.choice(len(shares), size=number, p=shares / shares.sum()).astype(np.int64)
    inputs = _lengths(workload, "input_tokens", part, generator)
    outputs = _lengths(workload, "output_tokens", part, generator)
    if trace:
        inputs[: len(trace)] = [max(1, row.input_tokens) for row in trace[:number]]
        outputs[: len(trace)] = [max(1, row.output_tokens) for row in trace[:number]]
    groups = workload.prefix.groups if workload.prefix else 0
    prefix = generator.integers(0, groups, number) if groups else np.full(number, -1)
    return Asked(part, inputs, outputs, prefix.astype(np.int64))


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
