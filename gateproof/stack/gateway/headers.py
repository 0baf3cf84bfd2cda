"""Which header fields pass, in each direction. RFC 9110 §7.6.1 for hop-by-hop ones; the rest is ours."""

from __future__ import annotations

from collections.abc import Sequence

Pairs = list[tuple[bytes, bytes]]

_HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
_CREDENTIALS = {b"authorization", b"x-api-key", b"api-key", b"cookie"}
_REWRITTEN = {b"host", b"content-length", b"accept-encoding", b"expect", b"x-request-id"}
_IDENTITY = {b"forwarded", b"x-real-ip", b"x-client-ip", b"x-original-url", b"x-rewrite-url", b"via"}
_PRIVATE_PREFIXES = (
    b"x-ai-eg-",
    b"x-envoy-",
    b"x-gateway-",
    b"x-kuadrant-",
    b"x-ext-auth-",
    b"x-consumer-",
    b"x-forwarded-",
    b"x-http-method",
    b"x-method-override",
    b"x-tenant",
    b"x-user",
    b"x-group",
    b"x-tier",
    b"x-org",
    b"x-litellm-",
    b"x-portkey-",
    b"x-auth-",
    b"x-model",
    b"x-route",
    b"x-backend",
    b"x-test-",
)
_NOT_RETURNED = {b"server", b"date", b"x-request-id", b"set-cookie", b"x-powered-by", b"content-encoding"}
_NOT_RETURNED_PREFIXES = (b"x-ai-eg-", b"x-envoy-", b"x-gateway-", b"x-ratelimit-", b"ratelimit")


class RequestHeaders:
    """The fields of a request; names in lower case, order kept."""

    __slots__ = ("_index", "pairs")

    def __init__(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        self.pairs = pairs
        self._index: dict[bytes, list[bytes]] = {}
        for name, value in pairs:
            self._index.setdefault(name, []).append(value)

    def all(self, name: bytes) -> list[bytes]:
        return self._index.get(name, [])

    def get(self, name: bytes, default: bytes = b"") -> bytes:
        values = self._index.get(name)
        return values[0] if values else default


def _listed_in_connection(pairs: Sequence[tuple[bytes, bytes]]) -> set[bytes]:
    listed: set[bytes] = set()
    for name, value in pairs:
        if name == b"connection":
            listed.update(token.strip().lower() for token in value.split(b","))
    return listed


def to_upstream(headers: RequestHeaders, request_id: bytes) -> Pairs:
    """What the engine gets to see: no credential of the tenant, no header that routes or names somebody."""
    hop = _HOP_BY_HOP | _listed_in_connection(headers.pairs)
    dropped = hop | _REWRITTEN | _CREDENTIALS | _IDENTITY
    kept = [
        (name, value) for name, value in headers.pairs if name not in dropped and not name.startswith(_PRIVATE_PREFIXES)
    ]
    # Identity: the gateway has to read usage out of every reply, so it asks for no coding at all.
    return [*kept, (b"accept-encoding", b"identity"), (b"x-request-id", request_id)]


def to_client(pairs: Pairs) -> Pairs:
    """What the client gets to see of the engine's head; length and framing are the gateway's own."""
    dropped = _HOP_BY_HOP | _NOT_RETURNED | _CREDENTIALS | _listed_in_connection(pairs) | {b"content-length"}
    return [
        (name, value) for name, value in pairs if name not in dropped and not name.startswith(_NOT_RETURNED_PREFIXES)
    ]


def value_of(pairs: Pairs, name: bytes) -> bytes:
    return next((value for key, value in pairs if key == name), b"")


def media_type(value: bytes) -> bytes:
    return value.partition(b";")[0].strip().lower()
