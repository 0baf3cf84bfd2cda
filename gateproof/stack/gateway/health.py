"""Liveness, and a readiness that asks the engines' health path, never the model."""

from __future__ import annotations

import asyncio
import time

from gateproof.stack.gateway.catalogue import Catalogue
from gateproof.stack.gateway.upstream import Pool, is_healthy

READY_CACHED = 0.2  # s; probes from many kubelets shall not become load on the engines
PROBE_TIMEOUT = 1.0  # s; Kubernetes' own default for a probe


class Readiness:
    """Ready while any engine is healthy."""

    def __init__(self, pool: Pool, catalogue: Catalogue) -> None:
        self._pool, self._catalogue = pool, catalogue
        self._lock = asyncio.Lock()
        self._ready, self._asked = False, float("-inf")

    async def ready(self) -> bool:
        async with self._lock:
            if time.monotonic() - self._asked >= READY_CACHED:
                origins = self._catalogue.origins()
                found = await asyncio.gather(*(is_healthy(self._pool, origin, PROBE_TIMEOUT) for origin in origins))
                self._ready, self._asked = any(found), time.monotonic()
            return self._ready
