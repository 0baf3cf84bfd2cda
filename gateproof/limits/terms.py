"""What was promised: so many requests, or so many tokens, per window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, Self

Algorithm = Literal["fixed", "sliding", "bucket", "unknown"]
Mode = Literal["after", "reserve"]

GRAIN_SHARE = 0.05
"""Share of a window by which an honest limiter's clock may differ from ours: timers tick, clocks drift."""

COARSEST_GRAIN = 1.0
"""s; limiters that stamp windows in whole seconds (Redis TIME, LiteLLM's Lua script) end them up to this early."""


class DeclaredLimit(Protocol):
    """A limit as the target file declares it."""

    @property
    def limit(self) -> int: ...
    @property
    def window(self) -> float: ...
    @property
    def algorithm(self) -> Algorithm: ...


class DeclaredQuota(DeclaredLimit, Protocol):
    @property
    def mode(self) -> Mode: ...


class Windowed:
    """What a limit and a quota have in common: a window."""

    __slots__ = ()
    window: float
    algorithm: Algorithm
    aligned: bool | None

    @property
    def grain(self) -> float:
        """Seconds around a window's end in which nothing is held against the limiter."""
        return grain(self.window)

    @property
    def starts_at_first_hit(self) -> bool:
        """A lifetime does, whatever else is declared: it holds all that was ever asked."""
        return self.lifelong or (self.algorithm == "fixed" and self.aligned is False)

    @property
    def lifelong(self) -> bool:
        """Whether what is used stays used: the window is ``math.inf``."""
        return math.isinf(self.window)

    @property
    def per(self) -> str:
        """The window in words, as in `5 per 2.000 s`, `5 in its lifetime`."""
        return "in its lifetime" if self.lifelong else f"per {self.window:.3f} s"


@dataclass(frozen=True, slots=True)
class Limit(Windowed):
    """At most ``limit`` requests per ``window`` seconds, or ever, where the window is ``math.inf``.

    ``aligned`` is about fixed windows: True, they lie on the limiter's clock; False, each begins with its first hit;
    None, nobody knows.
    """

    limit: int
    window: float
    algorithm: Algorithm = "unknown"
    aligned: bool | None = None

    @classmethod
    def of(cls, declared: DeclaredLimit) -> Self:
        return cls(declared.limit, declared.window, declared.algorithm, getattr(declared, "aligned", None))

    def __str__(self) -> str:
        return f"{self.limit} {self.per}"


@dataclass(frozen=True, slots=True)
class Quota(Windowed):
    """At most ``limit`` tokens per ``window`` seconds, charged ``after`` the answer or ``reserve``d before it."""

    limit: int
    window: float
    mode: Mode = "after"
    algorithm: Algorithm = "unknown"
    aligned: bool | None = None
    per_model: bool = False

    @classmethod
    def of(cls, declared: DeclaredQuota) -> Self:
        aligned = getattr(declared, "aligned", None)
        per_model = bool(getattr(declared, "per_model", False))
        return cls(declared.limit, declared.window, declared.mode, declared.algorithm, aligned, per_model)

    def __str__(self) -> str:
        return f"{self.limit} tokens {self.per}"


def grain(window: float) -> float:
    """How far a window's end may lie from where our clock puts it; a lifetime has no end."""
    return 0.0 if math.isinf(window) else min(COARSEST_GRAIN, GRAIN_SHARE * window)
