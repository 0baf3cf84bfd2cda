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
    dialect = target.dialect
    return Tenant(
        name=name,
        key=Secret(""),
        requests=completed(Limit.of(declared.requests), dialect) if declared.requests else None,
        tokens=completed(Quota.of(declared.tokens), dialect) if declared.tokens else None,
        parallel=declared.parallel,
        models=None if declared.models is None else tuple(declared.models),
    )


def completed(terms: Terms, dialect: Dialect) -> Terms:
    algorithm = dialect.window_algorithm if terms.algorithm == "unknown" else terms.algorithm
    same_kind = algorithm == dialect.window_algorithm
    aligned = dialect.window_aligned if terms.aligned is None and same_kind else terms.aligned
    return dataclasses.replace(terms, algorithm=algorithm, aligned=aligned)


def fits(need: Need, tenant: Tenant) -> bool:
    limited = tenant.requests or tenant.tokens or tenant.parallel
    return (
        (not need.requests or tenant.requests is not None)
        and (not need.tokens or tenant.tokens is not None)
        and (not need.parallel or tenant.parallel is not None)
        and (need.models is None or (tenant.models is not None and set(tenant.models) == set(need.models)))
        and not (need.unlimited and limited)
        and (need.within is None or _longest_wanted(need, tenant) <= need.within)
    )


def surplus(need: Need, tenant: Tenant) -> tuple[int, float, int]:
    """Smaller is better: limits that nobody asked for, then the window to wait out, then requests or tokens to burn."""
    unasked = sum(
        (
            not need.requests and tenant.requests is not None,
            not need.tokens and tenant.tokens is not None,
            not need.parallel and tenant.parallel is not None,
            need.models is None and tenant.models is not None,
        )
    )
    size = sum(each.limit for each in (tenant.requests, tenant.tokens) if each)
    return unasked, _longest_wanted(need, tenant), size


def described(tenant: Tenant) -> str:
    limits = [f"requests {tenant.requests}" if tenant.requests else "", str(tenant.tokens or "")]
    return (
        ", ".join(filter(None, [*limits, f"{tenant.parallel} in parallel" if tenant.parallel else ""])) or "no limits"
    )


def declaration(need: Need) -> str:
    """What would have to stand in the target file."""
    within = f" of {need.within:g} s or less" if need.within else ""
    lines = [
        "`key`",
        f"`requests: {{limit, window}}`{within if need.requests else ''}" if need.requests else "",
        f"`tokens: {{limit, window, mode}}`{within if need.tokens else ''}" if need.tokens else "",
        "`parallel`" if need.parallel else "",
        f"`models: [{', '.join(need.models)}]`" if need.models else "",
        "no `requests`, `tokens` or `parallel`" if need.unlimited else "",
    ]
    return ", ".join(filter(None, lines))


def _longest_wanted(need: Need, tenant: Tenant) -> float:
    pairs = ((need.requests, tenant.requests), (need.tokens, tenant.tokens))
    return max((held.window for wish, held in pairs if wish and held), default=0.0)
