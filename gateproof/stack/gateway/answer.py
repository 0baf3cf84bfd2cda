"""Our side of one response: every head carries an id of its own, is never stored, and says how much is left."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from gateproof.stack.gateway import careless
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.headers import Pairs, RequestHeaders, value_of
from gateproof.stack.gateway.limit_headers import limit_headers
from gateproof.stack.gateway.limits import Meter
from gateproof.stack.gateway.manner import JSON_TYPE, Manner, Reply

if TYPE_CHECKING:
    from gateproof.stack.gateway.call import Call
    from gateproof.stack.gateway.catalogue import Destination
    from gateproof.stack.gateway.keyring import Tenant

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def new_request_id() -> bytes:
    return b"req_" + os.urandom(12).hex().encode()


class Answer:
    """The answer to one request; remembers whether its head is out."""

    def __init__(self, send: Send, manner: Manner) -> None:
        self._send, self.manner = send, manner
        self.request_id = new_request_id()
        self.api: str | None = None
        self.extra: Pairs = []
        self.meter: Meter | None = None
        self.model = ""
        # What manners tell in header fields of their own
        self.began = time.monotonic()
        self.headers: RequestHeaders | None = None
        self.tenant: Tenant | None = None
        self.call: Call | None = None
        self.destination: Destination | None = None
        self.attempts = 0
        self.upstream: Pairs = []
        self.status = 0

    async def head(self, status: int, headers: Pairs) -> None:
        self.status = status
        pairs = self.manner.head(self, status, headers)
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

    async def reply(self, reply: Reply) -> None:
        await self.whole(reply.status, reply.headers, reply.body)

    async def refuse(self, refusal: Refusal) -> None:
        await self.reply(self.manner.refusal(refusal, self))


def plain_head(answer: Answer, status: int, headers: Pairs) -> Pairs:
    """All header fields of an answer: an id, what is left of the limits, and a word to caches."""
    pairs = [(b"x-request-id", answer.request_id), *headers, *answer.limits(), *answer.extra]
    if not value_of(pairs, b"cache-control"):
        pairs.append((b"cache-control", b"no-store"))
    return careless.without_id(status, pairs)


def enveloped(refusal: Refusal, answer: Answer) -> Reply:
    """A refusal in the envelope of the API that was called."""
    kind, body = careless.refusal_body(refusal, refusal.body(answer.api))
    return Reply(refusal.status, [(b"content-type", kind), *refusal.headers], body)
