"""Checks that draw lots: planned samples, exact tests, and no second try.

A stochastic check fixes its sample before it looks, spends a part of ``FAMILY_ALPHA``, and says four numbers: n,
alpha, the effect that it must see, and the power with which it sees it.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from gateproof.limits.finding import Finding

FAMILY_ALPHA = 1e-3
"""Chance of any false alarm in a whole run, all stochastic checks together (project policy)."""

ALPHA = 1e-4
"""Of one check: ten of them in a run keep the family's (Bonferroni)."""

POWER = 0.99
"""Chance of seeing an effect of the size that was planned for."""

ROUNDING = 1e-7
"""Relative; two outcomes whose likelihoods differ by less are equally likely (as in R's binom.test)."""

SMALLEST_EXPECTED = 5.0
"""Count; below it in any category Pearson's χ² is no longer near its distribution (Cochran 1954)."""

MOST_TRIALS = 1_000_000
"""Requests; an effect that takes more is too small to plan for."""

Statistic = Callable[[Sequence[float], Sequence[float]], float]


# --- one share -----------------------------------------------------------------------------------------------------


def binomial_test(successes: int, trials: int, share: float) -> float:
    """Two-sided exact p: the chance, if ``share`` is true, of any outcome no likelier than the one seen."""
    _check_share(share)
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no outcome")
    if share in (0.0, 1.0):
        return 1.0 if successes == share * trials else 0.0
    seen = _log_chance(successes, trials, share)
    bound = seen + math.log1p(ROUNDING)
    chances = (_log_chance(count, trials, share) for count in range(trials + 1))
    return min(1.0, math.fsum(math.exp(chance) for chance in chances if chance <= bound))


def binomial_interval(successes: int, trials: int, *, alpha: float = ALPHA) -> tuple[float, float]:
    """Clopper and Pearson: shares that leave the outcome a chance of at least alpha/2 on either side."""
    low = _solve(lambda share: _at_least(successes, trials, share) - alpha / 2) if successes else 0.0
    high = _solve(lambda share: alpha / 2 - _at_most(successes, trials, share)) if successes < trials else 1.0
    return low, high


def planned_trials(share: float, delta: float, *, alpha: float = ALPHA, power: float = POWER) -> int:
    """The fewest trials with which the exact test sees a true share that is ``delta`` off, to either side.

    The normal approximation says where to begin; from there on the exact power decides.
    """
    _check_share(share)
    others = [other for other in (share - delta, share + delta) if 0.0 <= other <= 1.0]
    if not 0.0 < delta < 1.0 or not others:
        raise ValueError(f"no share lies {delta} from {share}")
    trials = max(1, math.floor(START * max(_approximate(share, other, alpha, power) for other in others)))
    while any(_power(trials, share, other, alpha) < power for other in others):
        trials += 1
        if trials > MOST_TRIALS:
            raise ValueError(f"more than {MOST_TRIALS} trials for an effect of {delta}")
    return trials


START = 0.9
"""Of what the normal approximation asks for: the exact answer was never found below it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A sample planned before it is drawn: of ``trials`` a share of ``share`` is promised."""

    share: float
    delta: float
    alpha: float = ALPHA
    power: float = POWER

    @property
    def trials(self) -> int:
        return _planned(self)

    def judge(self, successes: int, trials: int, what: str = "successes") -> Finding:
        """The exact test, once; undecided with fewer trials than planned."""
        expected = f"{self.share:.3f} of {what} ({self})"
        seen = f"{successes} of {trials} {what} ({successes / trials:.3f})" if trials else f"no {what}"
        if trials < self.trials:
            return Finding.undecided(expected, f"{seen}: fewer than were planned")
        p = binomial_test(successes, trials, self.share)
        low, high = binomial_interval(successes, trials, alpha=self.alpha)
        return Finding(p >= self.alpha, expected, f"{seen}, between {low:.3f} and {high:.3f}, p = {p:.2g}")

    def __str__(self) -> str:
        return f"n = {self.trials}, α = {self.alpha:g}, effect ±{self.delta:g}, power {self.power:g}"


@cache
def _planned(plan: Plan) -> int:
    return planned_trials(plan.share, plan.delta, alpha=plan.alpha, power=plan.power)


# --- several shares ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """Pearson's goodness of fit; ``smallest`` is the smallest count expected in a category."""

    statistic: float
    freedom: int
    p: float
    smallest: float

    @property
    def sound(self) -> bool:
        return self.smallest >= SMALLEST_EXPECTED


def chi_square(counts: Sequence[int], shares: Sequence[float]) -> ChiSquare:
    """Whether ``counts`` fit ``shares``, which add up to 1 and are all above 0."""
    if len(counts) != len(shares) or len(counts) < 2:
        raise ValueError(f"{len(counts)} counts for {len(shares)} shares")
    if min(shares) <= 0 or not math.isclose(math.fsum(shares), 1.0):
        raise ValueError(f"{list(shares)} are no shares of one whole")
    due = [share * sum(counts) for share in shares]
    statistic = math.fsum((count - expected) ** 2 / expected for count, expected in zip(counts, due, strict=True))
    return ChiSquare(statistic, len(counts) - 1, _chi_square_tail(statistic, len(counts) - 1), min(due))


def shares_hold(
    counts: Sequence[int], shares: Sequence[float], *, alpha: float = ALPHA, names: Sequence[str] | None = None
) -> Finding:
    """Counts by category fit what was promised: exactly tested for two categories, by Pearson's χ² for more."""
    names = names or [str(number) for number in range(1, len(shares) + 1)]
    expected = ", ".join(f"{name} {share:.1%}" for name, share in zip(names, shares, strict=True))
    seen = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
    if not sum(counts):
        return Finding.undecided(expected, "nothing was counted")
    if len(counts) == 2:
        p = binomial_test(counts[0], sum(counts), shares[0])
        return Finding(p >= alpha, expected, f"{seen} (p = {p:.2g}, α = {alpha:g})")
    fit = chi_square(counts, shares)
    if not fit.sound:
        return Finding.undecided(expected, f"{seen}: {fit.smallest:.1f} expected in a category, too few for χ²")
    return Finding(fit.p >= alpha, expected, f"{seen} (χ² = {fit.statistic:.1f}, p = {fit.p:.2g}, α = {alpha:g})")


# --- two samples ---------------------------------------------------------------------------------------------------


def difference_of_medians(first: Sequence[float], second: Sequence[float]) -> float:
    return statistics.median(first) - statistics.median(second)


def permutation_test(
    first: Sequence[float],
    second: Sequence[float],
    *,
    statistic: Statistic = difference_of_medians,
    rounds: int = 20_000,
    seed: int = 0,
) -> float:
    """Two-sided p: how often a random relabelling is as far apart as what was seen.

    All splits, where there are no more than ``rounds``; else ``rounds`` drawn ones, and (b+1)/(m+1), which is never
    too small (Phipson and Smyth 2010).
    """
    values = [*first, *second]
    if not first or not second:
        raise ValueError("two samples are needed")
    seen = abs(statistic(first, second)) * (1 - ROUNDING)
    if math.comb(len(values), len(first)) <= rounds:
        splits = [_split(values, chosen) for chosen in itertools.combinations(range(len(values)), len(first))]
        return sum(abs(statistic(*split)) >= seen for split in splits) / len(splits)
    lots, extreme = random.Random(seed), 0
    for _ in range(rounds):
        lots.shuffle(values)
        extreme += abs(statistic(values[: len(first)], values[len(first) :])) >= seen
    return (extreme + 1) / (rounds + 1)


def _split(values: Sequence[float], chosen: Sequence[int]) -> tuple[list[float], list[float]]:
    inside = frozenset(chosen)
    return [values[at] for at in chosen], [value for at, value in enumerate(values) if at not in inside]


def same_distribution(
    first: Sequence[float], second: Sequence[float], *, alpha: float = ALPHA, rounds: int = 20_000, what: str = "values"
) -> Finding:
    """The medians of two samples differ no more than relabelling explains."""
    expected = f"no difference in {what} beyond chance (permutation test of the medians, α = {alpha:g})"
    finest = 1 / min(math.comb(len(first) + len(second), len(first)), rounds + 1)
    if not first or not second or finest > alpha:
        return Finding.undecided(expected, f"{len(first)} and {len(second)} {what}: too few to say")
    p = permutation_test(first, second, rounds=rounds)
    seen = f"medians {statistics.median(first):.4g} and {statistics.median(second):.4g}, p = {p:.2g}"
    return Finding(p >= alpha, expected, seen)


# --- distributions -------------------------------------------------------------------------------------------------


def _check_share(share: float) -> None:
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"{share} is no share")


def _log_chance(count: int, trials: int, share: float) -> float:
    """Natural logarithm of the binomial probability; ``share`` strictly between 0 and 1."""
    ways = math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
    return ways + count * math.log(share) + (trials - count) * math.log1p(-share)


def _chance(count: int, trials: int, share: float) -> float:
    if share in (0.0, 1.0):
        return float(count == share * trials)
    return math.exp(_log_chance(count, trials, share))


def _at_least(successes: int, trials: int, share: float) -> float:
    return math.fsum(_chance(count, trials, share) for count in range(successes, trials + 1))


def _at_most(successes: int, trials: int, share: float) -> float:
    return math.fsum(_chance(count, trials, share) for count in range(successes + 1))


def _solve(rising: Callable[[float], float]) -> float:
    """Where a function that rises from below 0 to above it on [0, 1] crosses 0."""
    low, high = 0.0, 1.0
    for _ in range(60):  # halvings: below the precision of a float
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2


def _approximate(share: float, other: float, alpha: float, power: float) -> float:
    normal = statistics.NormalDist()
    spread = normal.inv_cdf(1 - alpha / 2) * math.sqrt(share * (1 - share))
    spread += normal.inv_cdf(power) * math.sqrt(other * (1 - other))
    return (spread / (share - other)) ** 2


def _power(trials: int, share: float, other: float, alpha: float) -> float:
    """The chance that the exact test at ``alpha`` refutes ``share`` when ``other`` is true."""
    low, high = _accepted(trials, share, alpha)
    return 1.0 - math.fsum(_chance(count, trials, other) for count in range(low, high + 1))


@cache
def _accepted(trials: int, share: float, alpha: float) -> tuple[int, int]:
    """The outcomes that the exact test does not refute: an unbroken range around the likeliest one."""
    chances = sorted((_chance(count, trials, share), count) for count in range(trials + 1))
    spent, refuted = 0.0, set[int]()
    for chance, tied in itertools.groupby(chances, key=lambda each: each[0]):
        counts = [count for _, count in tied]
        spent += chance * len(counts)
        if spent >= alpha:
            break
        refuted.update(counts)
    kept = [count for count in range(trials + 1) if count not in refuted]
    return kept[0], kept[-1]


def _chi_square_tail(statistic: float, freedom: int) -> float:
    """Chance of at least this much: Q(k/2, x/2), built up from k = 1 or 2 by its recurrence (DLMF 8.8.6)."""
    half = statistic / 2
    order, tail = (0.5, math.erfc(math.sqrt(half))) if freedom % 2 else (1.0, math.exp(-half))
    while order < freedom / 2:
        tail += math.exp(order * math.log(half) - half - math.lgamma(order + 1)) if half > 0 else 0.0
        order += 1
    return min(1.0, tail)


def per_check(plan: Plan, checks: int) -> Plan:
    """The same plan when so many checks of one kind share its alpha (Bonferroni)."""
    return dataclasses.replace(plan, alpha=plan.alpha / checks)
