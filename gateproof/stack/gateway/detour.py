"""When a request goes to another model or backend than it asked for: the rule, and the ways of getting it wrong."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gateproof.stack.faults import worn
from gateproof.stack.gateway.errors import UpstreamError

if TYPE_CHECKING:
    from gateproof.stack.gateway.call import Call
    from gateproof.stack.gateway.catalogue import Destination
    from gateproof.stack.gateway.upstream import Connection, Origin

# Failures in a row after which a fault gives a backend up for good: more than real breakers take (Envoy 5, LiteLLM 3).
GIVEN_UP = 8
CUT_OFF = 502  # what a connection that ended too early comes to
FIRST_PIECE = 64 * 1024  # bytes of a body after which a filter that does not wait for the rest decides


def asked_for(call: Call, first: str) -> str:
    """The model of a body, wherever it stands; a fault that sees only the beginning takes the first model of all."""
    if len(call.body) > FIRST_PIECE and b'"model"' not in call.body[:FIRST_PIECE]:
        chunked = bool(call.headers.get(b"transfer-encoding"))
        if (chunked and worn("model_in_late_chunk_lost")) or (not chunked and worn("model_behind_long_body_lost")):
            return first
    return call.model


def falls_back_on(status: int, lowest: int) -> bool:
    """From 500 on, only the engine's own failures: a 4xx is the client's, and another engine would say the same."""
    if status >= lowest:
        return not worn("fallback_only_when_refused")
    return status >= 400 and worn("fallback_on_client_errors")


def gives_up_after(error: UpstreamError) -> bool:
    """Whether a call that the first backend did not answer is lost; only a fault tells the ways apart."""
    return error.status == CUT_OFF and worn("cut_call_not_made_up")


class Breaker:
    """Failures in a row by backend; nobody but a fault looks at them."""

    def __init__(self) -> None:
        self._failures: Counter[Origin] = Counter()

    def note(self, origin: Origin, *, failed: bool) -> None:
        self._failures[origin] = self._failures[origin] + 1 if failed else 0

    def passes_over(self, origin: Origin) -> bool:
        return self._failures[origin] >= GIVEN_UP and worn("breaker_never_closes")


async def rest_from_another(call: Call, connection: Connection) -> bytes:
    """What the fallback says to the whole request, to be sent behind the half that the first one said; faults only."""
    if call.route is None or len(call.route.attempts) < 2 or not worn("falls_back_in_mid_stream"):
        return b""
    destination: Destination = call.route.attempts[-1]
    other = await connection.pool.connect(destination.origin, call.presence)
    body, parts = call.body_for(destination), list[bytes]()
    await other.exchange(call.head_for(destination, body), body, connection.patience)
    while data := await other.read():
        parts.append(data)
    other.done()
    return b"".join(parts)
