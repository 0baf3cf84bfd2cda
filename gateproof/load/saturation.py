"""The knee: the highest rate that still meets the objectives, by doubling and bisecting on short runs.

Pure: says which run comes next, how a run is judged, and between which two rates the knee lies. Playing the runs is
the matter of ``gateproof.load.sweep``.

A run begins with an empty queue, so a short one flatters a server that is nearly full: an overload of x shows once
x times the run is longer than the bound of an objective, which is why ``Search.run`` must be ten times that bound.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from gateproof.targets.parts import Fraction
from gateproof.targets.values import Amount, Duration, Model, mistake

Bools = NDArray[np.bool_]

METRICS = ("ttft", "ttft_service", "tpot", "first_byte", "latency", "latency_service")
"""What each request has one value of, as in a report."""

ALPHA = 0.05
"""Chance that the interval of a share misses it, all objectives of a run together (project policy)."""

BATCHES = 20
"""Stretches of a run whose shares are compared: enough to see that bad answers come in clusters, and each long enough
(Schmeiser 1982, "Batch size effects in the analysis of simulation output", recommends 10 to 30)."""

SPARE = 2.0
"""Times as many requests as a run without a single bad one would need to be decided."""

LONGER = 2.0
"""By which a run that was void or undecided is repeated, once."""

RUN_OVER_BOUND = 10.0
"""Least length of a run over the bound of an objective: then an overload by a tenth shows."""

_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")


class Search(Model):
    """Where the knee is looked for. Rates are requests/s."""

    low: Amount
    high: Amount
    resolution: Amount = 0.1
    """The search ends when the higher rate is at most so much above the lower, as a share of it."""
    run: Duration = 20.0
    """Counted length of a run; longer where the rate gives too few requests in it to be decided."""
    settle: Duration = 5.0
    """At the start of each run, not counted."""
    errors: Fraction = 0.05
    """Share of requests that need not be answered well. Runs get longer with 1/errors, or nobody could tell."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not 0 < self.low < self.high:
            raise mistake(f"{self.low:g} to {self.high:g} is no range", accepted="0 < low < high", at=("low",))
        if self.resolution <= 0:
            raise mistake("more than 0 is needed", at=("resolution",))
        return self


@dataclass(frozen=True, slots=True)
class Objective:
    """At least ``share`` of the requests have a ``metric`` of at most ``bound`` seconds.

    A quantile is kept exactly when that share is: `ttft: {p95: 500ms}` is 95 % of the requests within 500 ms. Whatever
    was not answered well is not within. Without a bound, an answer is enough.
    """

    metric: str
    share: float
    bound: float | None = None

    def __str__(self) -> str:
        within = "answered well" if self.bound is None else f"{self.metric} within {self.bound * 1e3:g} ms"
        return f"{within} for {self.share * 100:.4g} %"


def objectives_of(declared: Mapping[str, Mapping[str, float]], search: Search) -> list[Objective]:
    """Those of a profile, and that requests are answered at all. A mistake is a validation error."""
    found = [Objective("answered", 1 - search.errors)] if search.errors > 0 else []
    for metric, bounds in declared.items():
        if metric not in METRICS:
            raise mistake(f"`{metric}` has no value per request", accepted=", ".join(METRICS), at=("objectives",))
        found += [Objective(metric, _share(metric, name), bound) for name, bound in bounds.items()]
    slowest = max((each.bound or 0.0 for each in found), default=0.0)
    if not slowest:
        raise mistake("a search needs an objective", accepted="objectives: {ttft: {p95: 500ms}}", at=("objectives",))
    if search.run < RUN_OVER_BOUND * slowest:
        problem = f"runs of {search.run:g} s are too short to tell whether {slowest:g} s are kept under overload"
        raise mistake(problem, accepted=f"{RUN_OVER_BOUND * slowest:g}s or more", at=("search", "run"))
    return found


def _share(metric: str, name: str) -> float:
    match = _QUANTILE.fullmatch(name)
    if match is None or not 0 < float(match[1]) < 100:
        raise mistake(f"`{name}` is no quantile", accepted="p50, p95, p99, p99.9", at=("objectives", metric))
    return float(match[1]) / 100


# --- judging one run ---


class Judgement(enum.StrEnum):
    MET = "met"
    NOT_MET = "not met"
    UNDECIDED = "undecided"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Bounds:
    """A share with its confidence interval (Wilson's score) and how many independent requests it is worth."""

    share: float
    low: float
    high: float
    worth: float

    def __str__(self) -> str:
        share, low, high = (f"{each * 100:.3g}" for each in (self.share, self.low, self.high))
        return f"{share} % ({low} to {high})"


def bounds_of(good: Bools, z: float) -> Bounds:
    """``good`` in the order in which the requests were due: what is bad together counts less than what is bad apart.

    Wilson 1927; with the worth in place of the number for dependent samples (Kish 1965, design effect).
    """
    worth = worth_of(good)
    share = float(good.mean()) if len(good) else 0.0
    if not worth:
        return Bounds(share, 0.0, 1.0, worth)
    middle = (share + z * z / (2 * worth)) / (1 + z * z / worth)
    half = z / (1 + z * z / worth) * math.sqrt(share * (1 - share) / worth + (z / (2 * worth)) ** 2)
    return Bounds(share, max(0.0, middle - half), min(1.0, middle + half), worth)


def worth_of(good: Bools) -> float:
    """The number of independent requests whose share would vary as the shares of ``BATCHES`` stretches do."""
    number, share = len(good), float(good.mean()) if len(good) else 0.0
    if number < 2 * BATCHES or share in (0.0, 1.0):
        return float(number)
    batches = np.array([batch.mean() for batch in np.array_split(good, BATCHES)])
    independent = share * (1 - share) / (number / BATCHES)
    return number / max(1.0, float(batches.var(ddof=1)) / independent)


def judge(good: Mapping[Objective, Bools]) -> tuple[Judgement, tuple[str, ...]]:
    """Met when all objectives surely are, not met when one of them surely is not; and what was seen of each."""
    z = deviations(len(good))
    bounds = {objective: bounds_of(flags, z) for objective, flags in good.items()}
    told = tuple(f"{objective}: {each} of {len(good[objective])}" for objective, each in bounds.items())
    if any(each.high < objective.share for objective, each in bounds.items()):
        return Judgement.NOT_MET, told
    sure = all(each.low >= objective.share for objective, each in bounds.items())
    return (Judgement.MET if sure else Judgement.UNDECIDED), told


def deviations(objectives: int) -> float:
    """Standard deviations on either side of a share (Bonferroni over the objectives)."""
    return NormalDist().inv_cdf(1 - ALPHA / (2 * max(1, objectives)))


def needed(objectives: Sequence[Objective]) -> int:
    """Requests with which a run that meets all objectives well can be seen to."""
    z, strictest = deviations(len(objectives)), max(objective.share for objective in objectives)
    return math.ceil(SPARE * z * z * strictest / (1 - strictest))


# --- searching ---


@dataclass(frozen=True, slots=True)
class Play:
    """A run to be played: requests/s, and the counted seconds."""

    rate: float
    length: float

    @property
    def requests(self) -> float:
        return self.rate * self.length


@dataclass(frozen=True, slots=True)
class Trial:
    """A run that was played."""

    play: Play
    judgement: Judgement
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Knee:
    """The highest rate that met the objectives, and the lowest that did not; None: no such rate in the range."""

    met: Trial | None
    not_met: Trial | None

    @property
    def ours(self) -> bool:
        """Whether we, not the target, are what ends at the upper rate."""
        return self.not_met is not None and self.not_met.judgement is Judgement.VOID


def knee(trials: Sequence[Trial]) -> Knee:
    """The interval so far. What stayed void or undecided when repeated counts as not met."""
    decided = [trial for trial in trials if _decided(trial, trials)]
    met = [trial for trial in decided if trial.judgement is Judgement.MET]
    others = [trial for trial in decided if trial.judgement is not Judgement.MET]
    return Knee(max(met, key=_rate, default=None), min(others, key=_rate, default=None))


def following(search: Search, objectives: Sequence[Objective], trials: Sequence[Trial]) -> Play | None:
    """The run that comes next; None when the knee is known well enough, or is not within the range."""
    if trials and not _decided(trials[-1], trials):
        return Play(trials[-1].play.rate, trials[-1].play.length * LONGER)
    rate = _next_rate(search, knee(trials))
    return None if rate is None else Play(rate, max(search.run, needed(objectives) / rate))


def _next_rate(search: Search, so_far: Knee) -> float | None:
    if so_far.met is None:
        return search.low if so_far.not_met is None else None
    met = so_far.met.play.rate
    if so_far.not_met is None:
        return min(2 * met, search.high) if met < search.high else None
    not_met = so_far.not_met.play.rate
    return math.sqrt(met * not_met) if not_met > met * (1 + search.resolution) else None


def _decided(trial: Trial, trials: Sequence[Trial]) -> bool:
    if trial.judgement in {Judgement.MET, Judgement.NOT_MET}:
        return True
    same = [each for each in trials if each.play.rate == trial.play.rate]
    return len(same) > 1 and trial is same[-1]


def _rate(trial: Trial) -> float:
    return trial.play.rate


@dataclass(frozen=True, slots=True)
class Most:
    """What a search may come to, in the worst case."""

    runs: int = 0
    seconds: float = 0.0
    requests: float = 0.0


def most(search: Search, objectives: Sequence[Objective]) -> Most:
    """The worst of all courses: every run repeated, and the knee between any two rates of the doubling."""

    def seconds(rate: float) -> float:
        return max(search.run, needed(objectives) / rate) * (1 + LONGER) + 2 * search.settle

    rates = _doubled(search)
    runs, took, sent, worst = 0, 0.0, 0.0, Most()
    for met, rate in zip(rates[:1] + rates, rates, strict=False):
        runs, took, sent = runs + 2, took + seconds(rate), sent + rate * seconds(rate)
        steps = math.ceil(math.log2(max(1.0, math.log(rate / met) / math.log1p(search.resolution))))
        # a bisected rate lies between both: it takes no longer than the lower, and sends no more than the higher
        worst = Most(
            max(worst.runs, runs + 2 * steps),
            max(worst.seconds, took + steps * seconds(met)),
            max(worst.requests, sent + steps * rate * seconds(rate)),
        )
    return worst


def _doubled(search: Search) -> list[float]:
    rates = [search.low]
    while rates[-1] < search.high:
        rates.append(min(2 * rates[-1], search.high))
    return rates
