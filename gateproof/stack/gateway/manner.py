"""What a manner is: the points at which the stacks speak differently, each a plain function or a plain value.

`OPENAI` (manners/openai.py) is the gateway's own way; the others are made from it with `dataclasses.replace`.
Where a field may be None, None is the gateway's own way, too, which then costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from gateproof.stack import config
    from gateproof.stack.gateway.answer import Answer
    from gateproof.stack.gateway.call import Call
    from gateproof.stack.gateway.catalogue import Catalogue, Route
    from gateproof.stack.gateway.errors import Refusal, UpstreamError
    from gateproof.stack.gateway.headers import Pairs, RequestHeaders
    from gateproof.stack.gateway.keyring import Keyring, Tenant
    from gateproof.stack.gateway.metrics import Metrics
    from gateproof.stack.gateway.paths import Endpoint

JSON_TYPE = b"application/json"
TEXT_TYPE = b"text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `content-length` and what `Manner.head` adds come on top."""

    status: int
    headers: Pairs
    body: bytes


def json_reply(status: int, value: Any, headers: Sequence[tuple[bytes, bytes]] = ()) -> Reply:
    """A JSON answer without blanks, as most servers write it."""
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    return Reply(status, [(b"content-type", JSON_TYPE), *headers], body)


def text_reply(status: int, text: str, headers: Sequence[tuple[bytes, bytes]] = (), kind: bytes = TEXT_TYPE) -> Reply:
    return Reply(status, [(b"content-type", kind), *headers], text.encode())


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of the admin API."""

    method: str
    path: str
    query_string: bytes
    headers: RequestHeaders
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True))


class Cache(Protocol):
    """Replies that are kept. One for all tenants, so it is the cache's business who may get what."""

    def find(self, call: Call) -> Reply | None: ...

    def keep(self, call: Call, status: int, headers: Pairs, body: bytes) -> None:
        """Or not: the cache decides."""


class Admin(Protocol):
    """The admin API of one running gateway; both may raise `Refusal`."""

    def check(self, headers: RequestHeaders, path: str) -> None:
        """Whether the caller may; before the body is read."""

    def answer(self, asked: Asked) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Streaming:
    """How a stream is relayed."""

    error: Callable[[str, UpstreamError, bytes, int], bytes | None]
    """(API, what went wrong, line end, next sequence number) → the event that says so; None: the connection is cut."""
    event: Callable[[Call, Any, bytes], bytes] | None = None
    """(call, parsed data or None, the event) → the event as the client gets it; b"" for none."""
    head_waits: bool = False
    """Whether the head is held back until the first event has come."""
    keepalive: bool = True
    """Whether a comment is sent when the engine is silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How one kind of stack speaks. Each function raises `Refusal` to say no."""

    name: str

    # Before it is known who is calling.
    check_host: Callable[[RequestHeaders, str, tuple[str, ...]], None]
    """(headers, HTTP version, names that are ours)."""
    find: Callable[[str, bytes], Endpoint]
    """(method, raw path) → the endpoint, or 404."""
    options: Callable[[Endpoint, RequestHeaders, Pairs], Reply] | None
    """How OPTIONS is answered; the pairs are the CORS fields that every answer to this request carries. None: as any
    other method."""
    glance: Callable[[Endpoint, RequestHeaders, bytes], None] | None = None
    """A look at the body before the key, where a stack reads it first."""

    # Who is calling, and what for.
    authenticate: Callable[[RequestHeaders, Keyring, Endpoint], Tenant]
    check_type: Callable[[RequestHeaders], None]
    """Of a JSON request's content type."""
    parse: Callable[[bytes], dict[str, Any]]
    model_of: Callable[[dict[str, Any]], str]
    permit: Callable[[Catalogue, Call], None] | None = None
    """Whether the tenant may do this at all; before limits and routing."""
    route: Callable[[Catalogue, Call], Route] | None = None
    outgoing: Callable[[Call, bytes], bytes] | None = None
    """The request's body as the engine gets it, when that is not the client's."""
    upstream_headers: Callable[[Call, Pairs], Pairs] | None = None
    """(call, the header fields that the gateway would pass on) → those that the engine gets."""

    # Answers.
    head: Callable[[Answer, int, Pairs], Pairs]
    """(answer, status, its own fields) → all header fields."""
    refusal: Callable[[Refusal, Answer], Reply]
    """The envelope of each cause; the cause is `Refusal.code`, and `Refusal.limited` where a limit refused."""
    probe: Callable[[str, bool], Reply]
    """("live" or "ready", whether an engine is well)."""
    listing: Callable[[Sequence[str], int], Any] | None = None
    """(model names that the tenant may use, their age as Unix time) → the JSON of the list."""
    card: Callable[[str, Sequence[str], int], Any] | None = None
    """(model name, those that the tenant may use, their age) → the JSON of one model."""
    metrics: Callable[[Metrics, str | None], Reply]
    """The counters, all or of one tenant."""
    upstream_error: Callable[[Call, int, Pairs, bytes], Reply] | None = None
    """(call, status, header fields, body) of an engine's error → the client's."""
    reply: Callable[[Call, bytes, Any], bytes] | None = None
    """(call, body, parsed body) of an engine's JSON answer → the client's."""
    streaming: Streaming

    # What is counted, and when.
    counts_before_routing: bool = False
    """Limits come before routing: a request for a model that does not exist is counted."""
    counts_refused: bool = False
    """A refused request raises the request counters all the same."""
    counts_over_quota: bool = False
    """One that is refused for its tokens does, for requests are counted before tokens are looked at."""
    counted: Callable[[Call], Collection[str]] | None = None
    """Which limits this call meets, of "requests" and "tokens"; None: all of the tenant's."""
    asks_for_usage: bool = True
    """Streams are metered: `include_usage` is added where the client left it out, and its chunk taken out again."""
    passes_through: bool = False
    """Replies are passed on unread as they come, cut when the engine's are, and after `request_timeout` in any case."""
    told_usage: Callable[[Pairs, bytes], Any] | None = None
    """(head, body) of a reply that has passed through → what of it may tell usage; nothing else is ever charged."""
    cache: Callable[[], Cache] | None = None
    """Made once for a running gateway; asked before anything is counted. What passes through is offered to it; where
    replies are read, `reply` does that."""
    shares_responses: bool = False
    """Whether a stored response is anybody's who knows its id."""
    cancels_unary: bool = True
    """Whether a unary call ends upstream when its client hangs up."""
    falls_back_from: int = 500
    """The lowest status of an engine after which the fallback is asked: only its own failures, or any error."""
    ready_asks_engines: bool = True
    open_metrics: bool = False
    """Whether the counters are told without a key."""

    admin: Callable[[Keyring, config.Gateway], Admin]
    """Made once for a running gateway, so that it may remember what it made."""
