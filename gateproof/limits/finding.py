"""What a checker answers: yes, no, or "this history cannot tell"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


class Undecided(Exception):
    """The history was not good enough to say; a verdict plugin calls it INCONCLUSIVE."""


@dataclass(frozen=True, slots=True)
class Finding:
    """True, false or undecided, with what was expected and what was seen in words.

    ``assert finding`` is the whole use: a false one fails with both texts, an undecided one raises ``Undecided``.
    """

    holds: bool | None
    expected: str
    seen: str

    @classmethod
    def yes(cls, expected: str, seen: str) -> Self:
        return cls(True, expected, seen)

    @classmethod
    def no(cls, expected: str, seen: str) -> Self:
        return cls(False, expected, seen)

    @classmethod
    def undecided(cls, expected: str, why: str) -> Self:
        return cls(None, expected, why)

    def __bool__(self) -> bool:
        if self.holds is None:
            raise Undecided(f"expected {self.expected}; undecided: {self.seen}")
        return self.holds

    def __repr__(self) -> str:
        return f"expected {self.expected}; {'undecided:' if self.holds is None else 'seen'} {self.seen}"
