"""CORS as the Fetch standard wants it: a known origin is echoed, any other gets nothing, never `*`."""

from __future__ import annotations

from gateproof.stack.gateway.headers import Pairs, RequestHeaders


def response_headers(headers: RequestHeaders, origins: tuple[str, ...]) -> Pairs:
    """For every response; without configured origins there is no CORS at all."""
    if not origins:
        return []
    vary = [(b"vary", b"origin")]
    origin = headers.get(b"origin")
    if origin.decode("latin-1") not in origins:
        return vary
    exposed = b"x-request-id, retry-after, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"
    return [*vary, (b"access-control-allow-origin", origin), (b"access-control-expose-headers", exposed)]


def preflight(headers: RequestHeaders, allowed: Pairs) -> Pairs:
    """What a browser asks before it sends; it has no key yet."""
    if not any(name == b"access-control-allow-origin" for name, _ in allowed):
        return []
    if not headers.get(b"access-control-request-method"):
        return []
    return [
        (b"access-control-allow-methods", b"GET, POST, DELETE"),
        (b"access-control-allow-headers", b"authorization, content-type, x-api-key, anthropic-version"),
        (b"access-control-max-age", b"600"),
    ]
