"""Scenes that are played once in a run and judged by several requirements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gateproof.tenants.mint import ADAPTERS

if TYPE_CHECKING:
    from gateproof.targets.model import Target

Seen = TypeVar("Seen")

# What one small call costs at most: a prompt of a dozen words, the engine script in it, and a few words back.
TOKENS_PER_REQUEST = 120


# What a tenant may be limited by; whoever uses up one kind of a declared tenant is in the way of the others.
KINDS = ("requests", "tokens", "parallel", "budget")


@dataclass(frozen=True, slots=True)
class Watch(Generic[Seen]):
    """One history, one wait, one bill for all the requirements that judge it.

    ``play`` gets a ``fixtures.watches.Stage`` and returns what its judges read. Where tenants are made for us, all
    watches that a run needs are played side by side; those of a declared tenant one after another.
    """

    name: str
    play: Callable[[Any], Seen]
    requests: int | Callable[[Target], int]
    tokens: int | Callable[[Target], int] | None = None
    lasts: float | Callable[[Target], float] = 0.0
    consumes: str = "requests"
    """The kind of limit that it uses up."""

    def wait(self, target: Target) -> float:
        """Seconds that playing it waits on purpose on this target."""
        return seconds(self.lasts, target)

    def bound(self, target: Target) -> tuple[int, int]:
        """(requests, tokens) that playing it may spend on this target."""
        return purse(self.requests, self.tokens, target)


def window_of(target: Target, consumes: str) -> str | None:
    """The window that a check uses up; None where each check is surely given a tenant of its own.

    A declared tenant with such a limit is lent when none can be made: on the day that the admin API is down, too.
    """
    lent = any(getattr(tenant, consumes) for tenant in target.tenants.values())
    if not lent and _makes(target, consumes):
        return None
    shared = any(sum(bool(getattr(tenant, kind)) for kind in KINDS) > 1 for tenant in target.tenants.values())
    return f"{target.name}:{'tenants' if shared else consumes}"


def _makes(target: Target, kind: str) -> bool:
    """Whether tenants with such a limit can be made: by an adapter that exists, or in one of its tiers."""
    if target.mint is None or target.mint_adapter not in ADAPTERS:
        return False
    return any(getattr(terms, kind) for terms in (target.mint, *target.mint.tiers.values()))


def seconds(lasts: float | Callable[[Target], float], target: Target) -> float:
    return lasts(target) if callable(lasts) else lasts


def purse(
    requests: int | Callable[[Target], int], tokens: int | Callable[[Target], int] | None, target: Target
) -> tuple[int, int]:
    """(requests, tokens); where the tokens are not given, so many small calls."""
    most = requests(target) if callable(requests) else requests
    if tokens is None:
        return most, most * TOKENS_PER_REQUEST
    return most, tokens(target) if callable(tokens) else tokens
