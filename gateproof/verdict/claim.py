"""How a test says which requirement it checks, and what it may spend."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from gateproof.verdict.watch import TOKENS_PER_REQUEST, Watch, purse, seconds

if TYPE_CHECKING:
    from gateproof.targets.model import Target

__all__ = ["TOKENS_PER_REQUEST", "Claim", "Watch", "claim_of", "requirement"]

Test = TypeVar("Test", bound=Callable[..., Any])


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
    disrupts: bool = False
    """It takes backends away or fills them to the brim: it runs after all others, with nothing beside it."""
    watch: Watch[Any] | None = None
    """What the test judges; then ``requests`` is what it sends beside, and nothing unless it says so."""

    def wait(self, target: Target) -> float:
        """Seconds that the test waits on purpose on this target."""
        own = seconds(self.lasts, target)
        return own if self.watch is None else own + self.watch.wait(target)

    def bound(self, target: Target) -> tuple[int, int]:
        """(requests, tokens) that one run of the test may spend on this target, its watch left out."""
        return purse(self.requests, self.tokens, target)

    @property
    def uses_up(self) -> str | None:
        """The kind of limit of a declared tenant that the test uses up, if any."""
        return self.watch.consumes if self.watch is not None else self.consumes


def requirement(requirement_id: str, **claim: Any) -> Callable[[Test], Test]:
    """Mark a test as the check of a requirement; see :class:`Claim` for the keywords."""
    known = {field.name for field in dataclasses.fields(Claim)} - {"requirement"}
    if unknown := claim.keys() - known:
        raise TypeError(f"requirement({requirement_id!r}): unknown {sorted(unknown)}; known: {sorted(known)}")
    if "watch" in claim:
        claim.setdefault("requests", 0)
    mark = pytest.mark.requirement(Claim(requirement_id, **claim))

    def decorate(test: Test) -> Test:
        return mark(test)  # type: ignore[no-any-return]

    return decorate


def claim_of(item: pytest.Item | pytest.Function | Any) -> Claim | None:
    """The claim of a collected test, or None for a test that checks no requirement."""
    marker = item.get_closest_marker("requirement")
    return marker.args[0] if marker else None
