"""One exchange under watch: its limits, its instants, and what went wrong first-hand, where it went wrong."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

FailureKind = Literal["refused", "resolve", "tls", "timeout", "cut", "protocol", "too_large", "hung_up"]

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: to be connected, of silence, and in all; and bytes of body kept. Nobody may hold us longer."""

    connect: float = 5.0
    read: float = 30.0
    total: float = 60.0
    max_body: int = 32 * MIB


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer, or not all of it."""

    kind: FailureKind
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


@dataclass(slots=True)
class Watch:
    """Mutable state of one exchange, shared by the client and the socket under it. Instants are monotonic seconds."""

    limits: Limits = field(default_factory=Limits)
    hang_up_after: float | None = None
    slow_read: float | None = None
    started: float = field(default_factory=time.monotonic)
    sent: float | None = None
    first_byte: float | None = None
    last_read: float | None = None
    ended_by_peer: bool = False
    failure: Failure | None = None

    @property
    def left(self) -> float:
        """Seconds left of the total."""
        return self.started + self.limits.total - time.monotonic()

    def allow(self, doing: str, limit: float, *, may_hang_up: bool = False) -> tuple[float, Failure]:
        """Seconds that the next step may take, and the failure to record when they are over."""
        total = Failure("timeout", f"{doing} when the total of {self.limits.total:g} s was over")
        seconds, failure = min(
            (limit, Failure("timeout", f"{doing} for {limit:g} s without progress")),
            (self.left, total),
            key=lambda option: option[0],
        )
        if may_hang_up and self.hang_up_after is not None and self.sent is not None:
            until = self.sent + self.hang_up_after - time.monotonic()
            if until < seconds:
                return until, Failure("hung_up", f"hung up {self.hang_up_after:g} s after the request was sent")
        return seconds, failure
