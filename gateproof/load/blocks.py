"""What a profile says of blocks that go past the gateway; see ``gateproof.load.interleave``."""

from __future__ import annotations

from gateproof.targets.parts import Tls, Url
from gateproof.targets.values import Duration, KeyRef, Model, Text

WHOLE = 1e-6  # of a pair, by which the length of a phase may miss a whole number of them: durations are floats


class Against(Model):
    """The way past the gateway, which every other block of a run goes."""

    url: Url | None = None
    """None: `upstream.direct` of the target."""
    model: Text | None = None
    """What the models are called there; None: as at the gateway."""
    key: KeyRef | None = None
    tls: Tls = Tls()
    block: Duration = 5.0
    """Long against a request, short against what else changes on the machines."""


def whole_pairs(phase: float, block: float) -> bool:
    """Whether a phase is a whole number of pairs of blocks, all in seconds."""
    pairs = phase / (2 * block)
    return round(pairs) >= 1 and abs(pairs - round(pairs)) < WHOLE
