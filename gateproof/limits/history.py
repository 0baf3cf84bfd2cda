"""The record that every checker reads: what was sent when, and what came back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol, Self

TOO_MANY_REQUESTS = 429  # RFC 6585 §4


class HeaderItems(Protocol):
    def items(self) -> Iterable[tuple[str, str]]: ...


class Answered(Protocol):
    """The part of an exchange that a shot is made of."""

    @property
    def started(self) -> float: ...
    @property
    def head(self) -> float | None: ...
    @property
    def ended(self) -> float | None: ...
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> HeaderItems: ...


@dataclass(frozen=True, slots=True)
class Shot:
    """One request. All instants are seconds of one monotonic clock; ``status`` is None when no answer came.

    Whatever the limiter decided, it decided between ``sent`` and ``head``: nothing narrower is known.
    """

    sent: float
    head: float | None = None
    ended: float | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tokens: int | None = None

    @classmethod
    def of(cls, exchange: Answered, tokens: int | None = None) -> Self:
        """From an exchange; its start counts as ``sent``, since a gateway may decide before it has the whole body."""
        if exchange.head is None:
            return cls(exchange.started, None, exchange.ended)
        headers = {name.lower(): value for name, value in exchange.headers.items()}
        return cls(exchange.started, exchange.head, exchange.ended, exchange.status, headers, tokens)

    @property
    def admitted(self) -> bool:
        return self.status is not None and self.status < 400

    @property
    def refused(self) -> bool:
        return self.status == TOO_MANY_REQUESTS

    @property
    def other(self) -> bool:
        """Neither let through nor refused by a limit, so it may or may not have been counted."""
        return not self.admitted and not self.refused

    @property
    def decided(self) -> float:
        """The latest instant at which the limiter can have decided."""
        if self.head is not None:
            return self.head
        return math.inf if self.ended is None or self.status is None else self.ended

    @property
    def finished(self) -> float:
        return self.decided if self.ended is None else self.ended

    @property
    def outcome(self) -> str:
        return "no answer" if self.status is None else str(self.status)


@dataclass(frozen=True, slots=True, init=False)
class History:
    """Shots in the order in which they were sent, all by one tenant, nobody else on it.

    ``fresh`` says that no window of this tenant was open when the first shot left: a minted tenant's first use, or
    one that was left alone for a whole window.
    """

    shots: tuple[Shot, ...]
    fresh: bool

    def __init__(self, shots: Iterable[Shot], *, fresh: bool = True) -> None:
        object.__setattr__(self, "shots", tuple(sorted(shots, key=lambda shot: shot.sent)))
        object.__setattr__(self, "fresh", fresh)

    def __len__(self) -> int:
        return len(self.shots)

    def __iter__(self) -> Iterator[Shot]:
        return iter(self.shots)

    @property
    def admitted(self) -> tuple[Shot, ...]:
        return tuple(shot for shot in self.shots if shot.admitted)

    @property
    def refused(self) -> tuple[Shot, ...]:
        return tuple(shot for shot in self.shots if shot.refused)

    @property
    def other(self) -> tuple[Shot, ...]:
        return tuple(shot for shot in self.shots if shot.other)

    @property
    def first_sent(self) -> float:
        return self.shots[0].sent

    @property
    def last_decided(self) -> float:
        return max(shot.decided for shot in self.shots)

    @property
    def sequential(self) -> bool:
        """Each was sent after the one before had ended."""
        return all(later.sent >= earlier.finished for earlier, later in pairwise(self.shots))

    def at(self, instant: float) -> str:
        """An instant for people: seconds since the first shot."""
        return f"{instant - self.first_sent:+.3f} s"

    def between(self, start: float, end: float) -> str:
        return f"between {self.at(start)} and {self.at(end)}"

    def spells(self, silence: float) -> Iterator[History]:
        """The history cut wherever nothing was under way for ``silence`` seconds, after which no window is open."""
        spell: list[Shot] = []
        fresh, busy_until = self.fresh, -math.inf
        for shot in self.shots:
            if spell and shot.sent >= busy_until + silence:
                yield History(spell, fresh=fresh)
                spell, fresh = [], True
            spell.append(shot)
            busy_until = max(busy_until, shot.decided)
        if spell:
            yield History(spell, fresh=fresh)


def outcomes(shots: Iterable[Shot]) -> str:
    """Statuses in the order in which they were asked for, runs counted."""
    runs: list[tuple[str, int]] = []
    for shot in shots:
        if runs and runs[-1][0] == shot.outcome:
            runs[-1] = (shot.outcome, runs[-1][1] + 1)
        else:
            runs.append((shot.outcome, 1))
    return ", ".join(f"{count}×{outcome}" for outcome, count in runs) or "nothing"
