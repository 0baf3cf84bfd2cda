"""Our side of one response: every head carries an id of its own, is never stored, and says how much is left."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateproof.stack.gateway import careless
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.headers import Pairs, value_of
from gateproof.stack.gateway.limit_headers import limit_headers
from gateproof.stack.gateway.limits import Meter

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
JSON_TYPE = b"application/json"


def new_request_id() -> bytes:
    return b"req_" + os.urandom(12).hex().encode()


class Answer:
    """The answer to one request; remembers whether its head is out."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.request_id = new_request_id()
        self.api: str | None = None
        self.extra: Pairs = []
        self.meter: Meter | None = None
        self.model = ""
        self.status = 0

    async def head(self, status: int, headers: Pairs) -> None:
        self.status = status
        pairs = [(b"x-request-id", self.request_id), *headers, *self.limits(), *self.extra]
        if not value_of(pairs, b"cache-control"):
            pairs.append((b"cache-control", b"no-store"))
        pairs = careless.without_id(status, pairs)
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    def limits(self) -> Pairs:
        return [] if self.meter is None else limit_headers(self.meter, self.model)

    async def body(self, data: bytes, *, more: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def whole(self, status: int, headers: Pairs, data: bytes) -> None:
        await self.head(status, [*headers, (b"content-length", b"%d" % len(data))])
        await self.body(data)

    async def json(self, status: int, value: Any) -> None:
        await self.whole(status, [(b"content-type", JSON_TYPE)], json.dumps(value).encode())

    async def refuse(self, refusal: Refusal) -> None:
        kind, body = careless.refusal_body(refusal, refusal.body(self.api))
        await self.whole(refusal.status, [(b"content-type", kind), *refusal.headers], body)
