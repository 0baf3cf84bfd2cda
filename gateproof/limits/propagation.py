"""Did a change take effect in time: looks at it one after another, from the change on.

A look says that the change is felt (True), that it is not (False), or nothing at all (None: a 429, a 503, no answer).
Whatever a gateway decided, it decided between ``sent`` and ``decided`` of the look, so each verdict takes the end of
that interval that speaks for the gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateproof.limits.finding import Finding


@dataclass(frozen=True, slots=True)
class Look:
    """One request that can tell; instants in seconds of one monotonic clock."""

    sent: float
    decided: float
    felt: bool | None
    outcome: str = ""


def takes_effect(looks: Sequence[Look], *, since: float, within: float, streak: int) -> Finding:
    """From some look on ``streak`` in a row feel the change, and none sent later than ``within`` after it misses it.

    ``since`` is when the change was confirmed. Looks that say nothing neither refute nor confirm.
    """
    expected = f"felt within {within:g} s, then {streak} times in a row"
    late = next((look for look in looks if look.felt is False and look.sent > since + within), None)
    if late is not None:
        return Finding.no(expected, f"{late.outcome} {late.sent - since:.3f} s after the change")
    telling = [look for look in looks if look.felt is not None]
    last_miss = max((index for index, look in enumerate(telling) if look.felt is False), default=-1)
    run = telling[last_miss + 1 :]
    if len(run) < streak:
        outcomes = ", ".join(dict.fromkeys(look.outcome for look in looks))
        return Finding.undecided(expected, f"{len(run)} in a row at the end of {len(looks)} looks ({outcomes})")
    return Finding.yes(
        expected, f"{run[0].outcome} after {max(0.0, run[0].decided - since):.3f} s, {len(run)} in a row"
    )


def no_gap(old: Sequence[Look], new: Sequence[Look], *, known: float, within: float) -> Finding:
    """While one key takes the place of another, both are refused for no longer than ``within``.

    ``old`` feels its end, ``new`` its beginning; ``known`` is when the new key was handed out, before which nobody
    could use it.
    """
    expected = f"one of the two keys works, but for {within:g} s at most"
    ended = _end_of(old)
    if ended is None:
        return Finding.yes(expected, "the old key worked until the end")
    missed = max((look.sent for look in new if look.felt is False), default=known)
    gap = max(known, missed) - ended
    seen = f"both refused for {max(0.0, gap):.3f} s"
    return Finding.no(expected, seen) if gap > within else Finding.yes(expected, seen)


def _end_of(old: Sequence[Look]) -> float | None:
    """The instant from which on the old key was surely refused; None when it never was."""
    last_use = max((index for index, look in enumerate(old) if look.felt is False), default=-1)
    return next((look.decided for look in old[last_use + 1 :] if look.felt), None)
