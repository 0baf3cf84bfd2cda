"""The declared model of a tenant: step by step, how many of the requests asked together may be admitted.

What no state of the model permits is a refutation: nothing that keeps the declared limits can have acted so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from gateproof.limits.algorithms import Bucket, Fixed, Model, Sliding, model_of
from gateproof.limits.batch import Batch, Permitted, batches, clamp, in_words
from gateproof.limits.finding import Finding
from gateproof.limits.history import History, outcomes
from gateproof.limits.interval import Interval
from gateproof.limits.terms import Limit

PHASES = 20
"""Places in a window at which an aligned one is tried to begin when nobody knows: each stands for a twentieth."""


@dataclass(frozen=True, slots=True)
class Stay:
    """When an admitted request may have held a parallel slot, and when it surely did (None: never surely)."""

    at_most: Interval
    surely: Interval | None


@dataclass(frozen=True, slots=True)
class TenantModel:
    """All limits of a tenant: admitted is what every one of them admits, the most restrictive decides."""

    windows: tuple[Model, ...]
    parallel: int | None = None
    stays: tuple[Stay, ...] = field(default=())

    @classmethod
    def of(cls, limits: Iterable[Limit], *, parallel: int | None = None, boundary: Interval | None = None) -> Self:
        return cls(tuple(model_of(limit, boundary=boundary) for limit in limits), parallel)

    def permits(self, batch: Batch) -> Permitted:
        permitted = frozenset({batch.asked})
        for each in self._each(batch):
            permitted = frozenset(min(one, other) for one in permitted for other in each)
        return permitted

    def after(self, batch: Batch, stays: Iterable[Stay] = ()) -> TenantModel:
        """A refusal that another limit may have given costs a limit nothing, and says nothing about it."""
        each = self._each(batch)
        windows = []
        for index, window in enumerate(self.windows):
            others = each[:index] + each[index + 1 :]
            by_others = any(min(other) <= batch.admitted for other in others)
            windows.append(window.after(replace(batch, asked=batch.admitted) if by_others else batch))
        return replace(self, windows=tuple(windows), stays=(*self.stays, *stays))

    def _each(self, batch: Batch) -> list[Permitted]:
        slots = [] if self.parallel is None else [self._slots(batch, self.parallel)]
        return [*(window.permits(batch) for window in self.windows), *slots]

    def settles(self, now: float, lasting: float) -> float:
        return max((window.settles(now, lasting) for window in self.windows), default=0.0)

    def _slots(self, batch: Batch, parallel: int) -> Permitted:
        """Those asked together may come one after the other, or hold the slots beside each other."""
        here = Interval(batch.start, batch.end)
        holders = sum(stay.at_most.within(here) is not None for stay in self.stays)
        surely = sum(
            stay.surely is not None and stay.surely.low <= here.low and stay.surely.high >= here.high
            for stay in self.stays
        )
        return frozenset(clamp(parallel - holders, batch.asked if surely < parallel else 0, batch.asked))


# --- whole histories -----------------------------------------------------------------------------------------------


def admits_exactly_all(history: History, *limits: Limit, boundary: Interval | None = None) -> Finding:
    """With several limits the most restrictive decides, request by request (RATE-029); any concurrency, any spacing.

    Undecided when nothing was refused, or when the timing never decided that something had to be.
    """
    expected = "exactly as many admitted as " + " and ".join(map(str, limits)) + " allow together"
    if not history.shots:
        return Finding.undecided(expected, "nothing was sent")
    if not history.fresh:
        return Finding.undecided(expected, "part of a window may have been used before")
    contradiction, decided = _walk(TenantModel.of(limits, boundary=boundary), history)
    if contradiction:
        return Finding.no(expected, contradiction)
    if not decided:
        return Finding.undecided(expected, f"{outcomes(history)}: no refusal was certain to be due")
    return Finding.yes(expected, outcomes(history))


@dataclass(frozen=True, slots=True)
class Observed:
    """Which algorithms a history fits, and for each other one the stretch that refutes it."""

    fits: tuple[str, ...]
    refuted: Mapping[str, str]

    def __str__(self) -> str:
        told = [f"not {name}: {why}" for name, why in self.refuted.items()]
        return "; ".join([" or ".join(self.fits) or "none of the known", *told])


def observed_algorithm(limit: Limit, history: History, *, boundary: Interval | None = None) -> Observed:
    """Fixed windows (aligned, or from the first hit), a sliding one, a bucket: those that this history can come from.

    The number and the length of the window are taken as declared; a fresh history is needed.
    """
    begins = [boundary] if boundary else list(_phases(limit, history))
    kinds: dict[str, list[Model]] = {
        "fixed-first-hit": [Fixed(limit)],
        "fixed-aligned": [Fixed(limit, boundary=begin) for begin in begins],
        "sliding": [Sliding(limit)],
        "bucket": [Bucket(limit)],
    }
    refuted: dict[str, str] = {}
    for name, models in kinds.items():
        found = [_walk(TenantModel((model,)), history)[0] for model in models]
        if found and None not in found:
            refuted[name] = str(found[-1])
    return Observed(tuple(name for name in kinds if name not in refuted), refuted)


def _walk(model: TenantModel, history: History) -> tuple[str | None, bool]:
    """The first contradiction, and whether a refusal was certain to be due before it."""
    certain = False
    for batch in batches(history):
        permitted = model.permits(batch)
        if batch.admitted not in permitted:
            return contradicted(history, batch, permitted), certain
        certain = certain or max(permitted) < batch.asked
        model = model.after(batch)
    return None, certain


def contradicted(history: History, batch: Batch, permitted: Permitted) -> str:
    """What was seen and what was due, with the interval."""
    return (
        f"{batch.admitted} of {batch.asked} admitted {history.between(batch.start, batch.end)}, "
        f"{in_words(permitted)} due"
    )


def _phases(limit: Limit, history: History) -> Iterable[Interval]:
    if limit.lifelong or not history.shots:
        return
    half = limit.window / PHASES / 2
    for number in range(PHASES):
        at = history.first_sent + (2 * number + 1) * half
        yield Interval(at - half, at + half)
