"""Liveness, and a readiness that asks the engines' health path, never the model."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from gateproof.stack.faults import worn
from gateproof.stack.gateway.catalogue import Catalogue
from gateproof.stack.gateway.manner import JSON_TYPE, Reply
from gateproof.stack.gateway.upstream import Pool, is_healthy

READY_CACHED = 0.2  # s; probes from many kubelets shall not become load on the engines
PROBE_TIMEOUT = 1.0  # s; Kubernetes' own default for a probe


class Readiness:
    """Ready while any engine is healthy."""

    def __init__(self, pool: Pool, catalogue: Catalogue) -> None:
        self._pool, self._catalogue = pool, catalogue
        self._lock = asyncio.Lock()
        self._ready, self._asked = False, float("-inf")
        self._most, self._failed = 0, False

    async def ready(self) -> bool:
        async with self._lock:
            if time.monotonic() - self._asked >= READY_CACHED:
                origins = self._catalogue.origins()
                found = await asyncio.gather(*(is_healthy(self._pool, origin, PROBE_TIMEOUT) for origin in origins))
                self._ready, self._asked = self._judged(sum(found)), time.monotonic()
            return self._ready

    def _judged(self, healthy: int) -> bool:
        """While any is healthy; faults ask for more, or for less."""
        self._most, self._failed = max(self._most, healthy), self._failed or not healthy
        if not healthy:
            return worn("ready_without_backends")
        if healthy < self._most and worn("ready_only_with_all"):
            return False
        return not (self._failed and worn("never_ready_again"))


def probe(kind: str, ready: bool) -> Reply:
    """What a kubelet reads; `kind` is "live" or "ready"."""
    if kind == "live":
        version = {"version": "1.4.2"} if worn("probe_tells_version") else {}
        return _told(202 if worn("liveness_is_202") else 200, {"status": "live", **version})
    return _told(200 if ready else 503, {"status": "ready" if ready else "not ready"})


def _told(status: int, value: Any) -> Reply:
    return Reply(status, [(b"content-type", JSON_TYPE)], json.dumps(value).encode())
