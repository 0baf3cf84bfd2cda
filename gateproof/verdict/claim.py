"""How a test says which requirement it checks, and what it may spend."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from gateproof.targets.model import Target

Test = TypeVar("Test", bound=Callable[..., Any])

# What one small call costs at most: a prompt of a dozen words, the engine script in it, and a few words back.
TOKENS_PER_REQUEST = 120


@dataclass(frozen=True, slots=True)
class Claim:
    """One test's claim on a requirement; ``requests`` and ``tokens`` are upper bounds, and are held to."""

    requirement: str
    requests: int | Callable[[Target], int] = 4
    tokens: int | Callable[[Target], int] | None = None
    needs: tuple[str, ...] = ()
    consumes: str | None = None
    part: str | None = None
    lasts: float | Callable[[Target], float] = 0.0
    """Seconds that the test waits on purpose; long ones are started first, and the plan of the run tells their sum."""
    smoke: bool = False

    def wait(self, target: Target) -> float:
        """Seconds that the test waits on purpose on this target."""
        return self.lasts(target) if callable(self.lasts) else self.lasts

    def bound(self, target: Target) -> tuple[int, int]:
        """(requests, tokens) that one run of the test may spend on this target."""
        requests = self.requests(target) if callable(self.requests) else self.requests
        if self.tokens is None:
            return requests, requests * TOKENS_PER_REQUEST
        return requests, self.tokens(target) if callable(self.tokens) else self.tokens


def requirement(requirement_id: str, **claim: Any) -> Callable[[Test], Test]:
    """Mark a test as the check of a requirement; see :class:`Claim` for the keywords."""
    known = {field.name for field in dataclasses.fields(Claim)} - {"requirement"}
    if unknown := claim.keys() - known:
        raise TypeError(f"requirement({requirement_id!r}): unknown {sorted(unknown)}; known: {sorted(known)}")
    mark = pytest.mark.requirement(Claim(requirement_id, **claim))

    def decorate(test: Test) -> Test:
        return mark(test)  # type: ignore[no-any-return]

    return decorate


def claim_of(item: pytest.Item | pytest.Function | Any) -> Claim | None:
    """The claim of a collected test, or None for a test that checks no requirement."""
    marker = item.get_closest_marker("requirement")
    return marker.args[0] if marker else None
