"""llm-proxy's response cache: on unless it is turned off, and nothing in its key tells one token from another."""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict

from gateproof.stack.gateway.call import Call
from gateproof.stack.gateway.headers import Pairs, media_type, value_of
from gateproof.stack.gateway.manner import Reply

MOST_KEPT = 1000  # replies; the oldest are forgotten first
_MAX_AGE = re.compile(r"max-age=(\d+)")
_VARIES = (b"accept", b"accept-encoding", b"accept-language")


class ResponseCache:
    """Replies whose client called its own request `public, max-age=N`."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, tuple[float, Reply]] = OrderedDict()

    def find(self, call: Call) -> Reply | None:
        """Somebody's reply to the same bytes, whoever asked; it costs no request of the token."""
        until, reply = self._kept.get(key_of(call), (0.0, None))
        return reply if time.monotonic() < until else None

    def keep(self, call: Call, status: int, headers: Pairs, body: bytes) -> None:
        lasts = lifetime(call)
        if not lasts or status != 200 or media_type(value_of(headers, b"content-type")) == b"text/event-stream":
            return
        told = [(name, value) for name, value in headers if name == b"content-type"]
        hit = [(b"x-proxy", b"llm-proxy"), (b"cache-status", b"llm-proxy; hit"), (b"x-proxy-cache", b"hit")]
        self._kept[key_of(call)] = (time.monotonic() + lasts, Reply(status, [*told, *hit], body))
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


def lifetime(call: Call) -> int:
    """Seconds, by the client's own word; 0: not kept."""
    said = call.headers.get(b"cache-control").decode("latin-1").lower()
    age = _MAX_AGE.search(said)
    return int(age[1]) if age is not None and "public" in said else 0


def key_of(call: Call) -> bytes:
    """generateCacheKey: method, path and query, what is accepted, the body and how long it may be kept."""
    varies = [call.headers.get(name) for name in _VARIES]
    parts = [call.method.encode(), call.target, *varies, call.body, b"%d" % lifetime(call)]
    return hashlib.sha256(b"\0".join(parts)).digest()
