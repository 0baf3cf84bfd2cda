"""One request on its way: what was asked, by whom, and the body as each engine shall get it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateproof.stack import config
from gateproof.stack.gateway import altered, budget, leaky, miscount, splice
from gateproof.stack.gateway.answer import Answer
from gateproof.stack.gateway.catalogue import Destination, Route
from gateproof.stack.gateway.headers import RequestHeaders, to_upstream
from gateproof.stack.gateway.keyring import Tenant
from gateproof.stack.gateway.limits import Admission
from gateproof.stack.gateway.manner import Cache, Manner
from gateproof.stack.gateway.presence import Presence
from gateproof.stack.gateway.tokens import prompt_tokens
from gateproof.stack.gateway.upstream import request_head
from gateproof.stack.gateway.usage import Ledger

USAGE_IN_STREAM = ("chat", "completions")  # the APIs that tell usage in a stream only when asked


@dataclass(slots=True)
class Call:
    """All that the relay has to know. `rename` gives the body with another model name in it."""

    method: str
    target: bytes
    api: str
    headers: RequestHeaders
    body: bytes
    request: dict[str, Any]
    model: str
    rename: Callable[[bytes, str], bytes]
    tenant: Tenant
    answer: Answer
    presence: Presence
    upstream_key: str | None = None
    route: Route | None = None
    cache: Cache | None = None
    admission: Admission | None = None
    price: config.Price | None = None
    ledger: Ledger = field(default_factory=Ledger)
    unread: bool = False
    """Whether a fault overlooked the usage."""
    client: tuple[str, int] | None = None
    """Address and port of the other end of the connection."""
    served: int = 0
    """Requests that this connection has carried before."""
    path: bytes = b""
    """As the client wrote it."""

    @property
    def manner(self) -> Manner:
        return self.answer.manner

    @property
    def owner(self) -> str:
        """Whose the stored responses of this call are."""
        return "" if self.manner.shares_responses else self.tenant.name

    @property
    def streams(self) -> bool:
        return self.request.get("stream") is True

    @property
    def hides_usage(self) -> bool:
        """Usage is asked of the engine for accounting, and the client did not ask for it."""
        metered = self.streams and self.api in USAGE_IN_STREAM and self.manner.asks_for_usage
        return metered and not wants_usage(self.request)

    def head_for(self, destination: Destination, body: bytes) -> bytes:
        pairs = [*to_upstream(self.headers, self.answer.request_id), *leaky.left_in(self)]
        if self.upstream_key is not None:
            pairs.append((b"authorization", b"Bearer " + self.upstream_key.encode()))
        if self.manner.upstream_headers is not None:
            pairs = self.manner.upstream_headers(self, pairs)
        length = None if self.method == "GET" else len(body)
        return request_head(self.method, destination.origin, self.target, pairs, length)

    def body_for(self, destination: Destination) -> bytes:
        """The client's bytes, but for the declared rewrites: the model's name and `include_usage`."""
        body = self.body if self.manner.outgoing is None else self.manner.outgoing(self, self.body)
        if destination.model and destination.model != self.model:
            body = self.rename(body, destination.model)
        if self.api == "chat":
            body = altered.request(body, {**self.request, "model": destination.model or self.model})
        return with_usage(body, self.request) if self.hides_usage else body

    def renamed(self, destination: Destination) -> str | None:
        """The model name that the reply must carry, when the engine will say another one."""
        if self.route is None or destination.model == self.route.reply_model:
            return None
        return self.route.reply_model

    def settle(self, *, partial: int | None = None) -> None:
        """Charge what it cost: the engine's count, or for a broken-off answer the prompt and what was delivered."""
        if self.admission is None:
            return
        if self.ledger.known:
            self.admission.charge(miscount.charged(self, self.ledger.tokens))
        elif partial is not None and self.manner.told_usage is None:
            self.ledger.prompt, self.ledger.completion = prompt_tokens(self.request), partial
            self.admission.charge(miscount.broken_off(self, self.ledger.tokens))
        else:
            return
        self.admission.book(budget.cost(self.price, self.ledger))


def wants_usage(request: dict[str, Any]) -> bool:
    options = request.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def with_usage(body: bytes, request: dict[str, Any]) -> bytes:
    """Ask the engine for usage; options of a wrong type are left for the engine to refuse."""
    if "stream_options" not in request:
        return splice.add(body, "stream_options", {"include_usage": True})
    options = request["stream_options"]
    if options is None:
        options = {}
    if not isinstance(options, dict) or not isinstance(options.get("include_usage", False), bool | None):
        return body
    return splice.replace(body, "stream_options", {**options, "include_usage": True})
