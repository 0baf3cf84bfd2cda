"""How the gateway says no: one exception, and the envelope that each API family expects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Headers = list[tuple[bytes, bytes]]

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}


@dataclass(frozen=True, slots=True)
class Limited:
    """The limit that refused. `reset`: seconds until it has room again, infinite for a lifetime cap."""

    unit: Literal["requests", "tokens", "parallel"]
    limit: int
    remaining: int
    window: float
    reset: float


class Refusal(Exception):
    """An answer that the gateway gives itself; the message never quotes a secret or an internal address."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.kind = kind or error_type(status)
        self.headers: Headers = list(headers)
        self.limited: Limited | None = None

    def body(self, api: str | None) -> bytes:
        return envelope(api, self.message, self.kind, param=self.param, code=self.code, status=self.status)


class UpstreamError(Refusal):
    """The engine did not answer as it should: refused, cut, timed out, or not HTTP."""


class ClientGone(Exception):
    """The client hung up; there is nobody left to answer."""


class Cut(Exception):
    """The answer must end unfinished: its connection is closed, so that the client sees that something is missing."""


def error_type(status: int) -> str:
    """The OpenAI `type` of a status."""
    if status >= 500:
        return "server_error"
    return "rate_limit_error" if status == 429 else "invalid_request_error"


def anthropic_type(status: int) -> str:
    """The Anthropic `type` of a status."""
    if status >= 500:
        return "overloaded_error" if status == 503 else "api_error"
    return _TYPES.get(status, "invalid_request_error")


def error_object(message: str, kind: str, *, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"message": message, "type": kind, "param": param, "code": code}


def envelope(
    api: str | None,
    message: str,
    kind: str,
    *,
    param: str | None = None,
    code: str | None = None,
    status: int = 500,
) -> bytes:
    """The JSON body of an error in the shape of the API that was called."""
    if api == "messages":
        return json.dumps({"type": "error", "error": {"type": anthropic_type(status), "message": message}}).encode()
    return json.dumps({"error": error_object(message, kind, param=param, code=code)}).encode()


def is_envelope(api: str | None, body: bytes) -> bool:
    """Whether an engine's error body already has the shape that clients of this API rely on."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return False
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if not isinstance(error, dict):
        return False
    shaped = isinstance(error.get("message"), str) and isinstance(error.get("type"), str)
    return shaped and (api != "messages" or parsed.get("type") == "error")
