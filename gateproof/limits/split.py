"""A split of requests over backends by weight: one planned sample, enlarged at most once, and judged exactly.

A sample that neither fits well nor badly enough is drawn once more at the same size. Each look spends half of alpha,
so the chance of a false alarm stays below it (Bonferroni), and the first look alone has the power that was planned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gateproof.limits.finding import Finding
from gateproof.limits.statistics import ALPHA, POWER, Plan, binomial_test

LOOKS = 2
"""At the planned sample, and at the enlarged one."""

BAND = 1e-2
"""p below which a sample that is not refuted is enlarged: one run in a hundred of a right split (project policy)."""

DELTA = 0.10
"""Difference of a share that must be seen (ROUTE-015: ten points)."""


@dataclass(frozen=True, slots=True)
class Split:
    """The declared ``weights`` by backend; those of weight 0 must get nothing, the others their share."""

    weights: Mapping[str, float]
    delta: float = DELTA
    alpha: float = ALPHA
    power: float = POWER

    @property
    def shares(self) -> dict[str, float]:
        """Of the backends that get something; they add up to 1."""
        whole = math.fsum(self.weights.values())
        return {name: weight / whole for name, weight in self.weights.items() if weight}

    @property
    def plans(self) -> dict[str, Plan]:
        """One exact test per backend; of two backends the second has nothing new to say."""
        shares = self.shares
        tested = dict(list(shares.items())[:1]) if len(shares) == 2 else shares
        alpha = self.alpha / (LOOKS * len(tested))
        return {name: Plan(share, self.delta, alpha, self.power) for name, share in tested.items() if share < 1}

    @property
    def trials(self) -> int:
        """Requests of the planned sample."""
        return max([plan.trials for plan in self.plans.values()] + [self._for_nothing])

    @property
    def most(self) -> int:
        """Requests, the enlargement included."""
        return LOOKS * self.trials if self.plans else self.trials

    @property
    def _for_nothing(self) -> int:
        """Requests among which a share of delta for a backend of weight 0 shows with the power."""
        drained = len(self.shares) < len(self.weights)
        return math.ceil(math.log(1 - self.power) / math.log(1 - self.delta)) if drained else 0

    def in_doubt(self, counts: Mapping[str, int]) -> bool:
        """Whether the planned sample is to be enlarged: not refuted, yet hard to believe."""
        ps = self._ps(counts)
        return all(p >= plan.alpha for plan, p in ps) and any(p < BAND / len(ps) for _, p in ps)

    def judge(self, counts: Mapping[str, int]) -> Finding:
        """The exact tests on what each backend answered; strangers and backends of weight 0 may have no answer."""
        sent = sum(counts.values())
        expected = f"{self._worded} ({self})"
        seen = ", ".join(f"{name} {counts.get(name, 0)}" for name in {**self.weights, **counts}) + f" of {sent}"
        if strays := [name for name, count in counts.items() if count and name not in self.shares]:
            return Finding.no(expected, f"{seen}: {', '.join(strays)} may have none")
        if sent < self.trials:
            return Finding.undecided(expected, f"{seen}: {self.trials} were planned")
        ps = self._ps(counts)
        told = "".join(f", p = {p:.2g}" for _, p in ps)
        return Finding(all(p >= plan.alpha for plan, p in ps), expected, seen + told)

    def _ps(self, counts: Mapping[str, int]) -> list[tuple[Plan, float]]:
        sent = sum(counts.values())
        return [(plan, binomial_test(counts.get(name, 0), sent, plan.share)) for name, plan in self.plans.items()]

    @property
    def _worded(self) -> str:
        shares = self.shares
        return ", ".join(f"{name} {shares.get(name, 0.0):.1%}" for name in self.weights)

    def __str__(self) -> str:
        return f"n = {self.trials}, α = {self.alpha:g}, effect ±{self.delta:g}, power {self.power:g}"
