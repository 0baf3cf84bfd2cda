"""Does a tenant fit a need, and how much more than that does it bring along?"""

from __future__ import annotations

import dataclasses
from typing import TypeVar

from gateproof.limits.terms import Limit, Quota
from gateproof.targets.dialects import Dialect
from gateproof.targets.model import Target
from gateproof.targets.model import Tenant as Declared
from gateproof.targets.secrets import Secret
from gateproof.tenants.need import Need, Tenant

Terms = TypeVar("Terms", Limit, Quota)


def known_of(target: Target, name: str, declared: Declared) -> Tenant:
    """A declared tenant without its key, what it leaves open filled in by what its dialect is known to do."""
    requests = [completed(Limit.of(each), target.dialect) for each in declared.requests]
    tokens = [completed(Quota.of(each), target.dialect) for each in declared.tokens]
    return Tenant(
        name=name,
        key=Secret(""),
        requests=requests[0] if requests else None,
        further=tuple(requests[1:]),
        tokens=tokens[0] if tokens else None,
        further_tokens=tuple(tokens[1:]),
        parallel=declared.parallel,
        budget=declared.budget,
        models=None if declared.models is None else tuple(declared.models),
    )


def completed(terms: Terms, dialect: Dialect) -> Terms:
    algorithm = dialect.window_algorithm if terms.algorithm == "unknown" else terms.algorithm
    same_kind = algorithm == dialect.window_algorithm
    aligned = dialect.window_aligned if terms.aligned is None and same_kind else terms.aligned
    return dataclasses.replace(terms, algorithm=algorithm, aligned=aligned)


def fits(need: Need, tenant: Tenant) -> bool:
    limited = tenant.requests or tenant.tokens or tenant.parallel or tenant.budget
    return (
        (not need.requests or tenant.requests is not None)
        and (not need.several or bool(tenant.further))
        and (not need.budget or tenant.budget is not None)
        and (not need.tokens or tenant.tokens is not None)
        and (not need.parallel or tenant.parallel is not None)
        and (need.models is None or (tenant.models is not None and set(tenant.models) == set(need.models)))
        and not (need.unlimited and limited)
        and (need.within is None or _longest_wanted(need, tenant) <= need.within)
    )


def surplus(need: Need, tenant: Tenant) -> tuple[int, float, int, int]:
    """Smaller is better: limits that nobody asked for, then the window to wait out, then requests or tokens to burn.

    Last, the room under those limits that are only in the way.
    """
    unasked = sum(
        (
            not need.requests and tenant.requests is not None,
            not need.tokens and tenant.tokens is not None,
            not need.parallel and tenant.parallel is not None,
            not need.budget and tenant.budget is not None,
            not need.several and bool(tenant.further),
            need.models is None and tenant.models is not None,
        )
    )
    sizes = [(bool(wish), held.limit) for wish, held in _pairs(need, tenant) if held]
    burnt, room = (sum(size for asked, size in sizes if asked is which) for which in (True, False))
    return unasked, _longest_wanted(need, tenant), burnt, -room


def described(tenant: Tenant) -> str:
    limits = [
        *(f"requests {limit}" for limit in tenant.all_requests),
        *map(str, tenant.all_tokens),
        f"{tenant.parallel} in parallel" if tenant.parallel else "",
        f"a budget of {tenant.budget.limit:g}" if tenant.budget else "",
    ]
    return ", ".join(filter(None, limits)) or "no limits"


def declaration(need: Need) -> str:
    """What would have to stand in the target file."""
    within = f" of {need.within:g} s or less" if need.within else ""
    lines = [
        "`key`",
        f"{_requests(several=need.several)}{within}" if need.requests else "",
        f"`tokens: {{limit, window, mode}}`{within if need.tokens else ''}" if need.tokens else "",
        "`parallel`" if need.parallel else "",
        "`budget: {limit}`" if need.budget else "",
        f"`models: [{', '.join(need.models)}]`" if need.models else "",
        "no limits" if need.unlimited else "",
    ]
    return ", ".join(filter(None, lines))


def _requests(*, several: bool) -> str:
    return "`requests: [{limit, window}, {limit, window}]`" if several else "`requests: {limit, window}`"


def _longest_wanted(need: Need, tenant: Tenant) -> float:
    return max((held.window for wish, held in _pairs(need, tenant) if wish and held), default=0.0)


def _pairs(need: Need, tenant: Tenant) -> tuple[tuple[object, Limit | Quota | None], ...]:
    """What is wished for beside what is held."""
    return (need.requests, tenant.requests), (need.tokens, tenant.tokens)
