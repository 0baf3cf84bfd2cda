"""RATE-035: what shows only when requests, streams, aborts and waits meet in one window."""

from __future__ import annotations

from gateproof.stack.faults import Fault

FAULTS = (
    Fault(
        "aborts_are_given_back",
        where="gateway",
        breaks=("RATE-035",),
        stands_for="a stream that is aborted is taken off its window, since it had no end to be counted at: "
        "whoever hangs up early is not limited",
        link="https://github.com/BerriAI/litellm/issues/27955",
        shows="{abort: ",
    ),
)
