"""How many requests to one model may be under way: what is beyond is refused at once, never queued."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from gateproof.stack.faults import worn
from gateproof.stack.gateway.errors import Refusal

RETRY_AFTER = b"1"  # s; nobody can know when a running request ends, one second is the least that can be said


class Seats:
    """The requests under way by model."""

    def __init__(self, capacity: int | None) -> None:
        self._capacity, self._taken = capacity, Counter[str]()

    def check(self, model: str) -> None:
        """503 when none is free (RFC 9110 §15.6.4)."""
        if self._capacity is None or self._taken[model] < self._capacity or worn("queue_without_end"):
            return
        headers = [] if worn("saturated_without_retry_after") else [(b"retry-after", RETRY_AFTER)]
        raise Refusal(503, "The model is overloaded at the moment.", code="overloaded", headers=headers)

    @contextlib.contextmanager
    def taken(self, model: str) -> Iterator[None]:
        self._taken[model] += 1
        try:
            yield
        finally:
            self._taken[model] -= 1
