"""What a minter must read from a need that the leases have filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from gateproof.limits.terms import Limit, Quota
from gateproof.targets.values import Budget
from gateproof.tenants.admin import MintFailed
from gateproof.tenants.need import Need

Wish = TypeVar("Wish")
Term = TypeVar("Term", Limit, Quota)

PARALLEL = 2
"""requests at once, where a check asks for some limit on them: the smallest that lets two overlap"""


def limits_of(need: Need) -> tuple[Limit, ...]:
    """The shortest window first."""
    wish = need.requests
    if isinstance(wish, bool | None):
        return ()
    return tuple(sorted((Limit.of(each) for each in many(wish)), key=lambda limit: limit.window))


def quotas_of(need: Need) -> tuple[Quota, ...]:
    wish = need.tokens
    if isinstance(wish, bool | None):
        return ()
    return tuple(sorted((Quota.of(each) for each in many(wish)), key=lambda quota: quota.window))


def many(wish: Wish | Sequence[Wish]) -> Sequence[Wish]:
    return wish if isinstance(wish, Sequence) else [wish]


def requests_of(need: Need) -> Limit | None:
    """The only limit; an adapter whose stack knows no second one refuses the rest."""
    return _only(limits_of(need), "request limit")


def quota_of(need: Need) -> Quota | None:
    return _only(quotas_of(need), "token quota")


def budget_of(need: Need) -> Budget | None:
    return None if isinstance(need.budget, bool | None) else need.budget


def _only(terms: Sequence[Term], what: str) -> Term | None:
    if len(terms) > 1:
        raise MintFailed(f"this stack knows one {what} per key, not {len(terms)}")
    return terms[0] if terms else None


def parallel_of(need: Need) -> int | None:
    if isinstance(need.parallel, bool | None):
        return PARALLEL if need.parallel else None
    return need.parallel


def always(_: str) -> bool:
    return True
