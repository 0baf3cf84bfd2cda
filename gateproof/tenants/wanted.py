"""What a minter must read from a need that the leases have filled in."""

from __future__ import annotations

from gateproof.limits.terms import Limit, Quota
from gateproof.tenants.need import Need

PARALLEL = 2
"""requests at once, where a check asks for some limit on them: the smallest that lets two overlap"""


def requests_of(need: Need) -> Limit | None:
    return None if isinstance(need.requests, bool | None) else Limit.of(need.requests)


def quota_of(need: Need) -> Quota | None:
    return None if isinstance(need.tokens, bool | None) else Quota.of(need.tokens)


def parallel_of(need: Need) -> int | None:
    if isinstance(need.parallel, bool | None):
        return PARALLEL if need.parallel else None
    return need.parallel


def always(_: str) -> bool:
    return True
