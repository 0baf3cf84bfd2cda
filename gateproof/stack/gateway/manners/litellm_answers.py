"""What LiteLLM answers: its refusals by cause, an engine's words within its own, replies and streams written anew."""

from __future__ import annotations

import datetime as dt
import json
import math
import time
from typing import Any

from gateproof.stack.gateway.answer import Answer
from gateproof.stack.gateway.call import Call
from gateproof.stack.gateway.errors import Limited, Refusal, UpstreamError
from gateproof.stack.gateway.headers import Pairs
from gateproof.stack.gateway.keyring import Tenant
from gateproof.stack.gateway.manner import Reply, json_reply, text_reply
from gateproof.stack.gateway.manners import litellm_head
from gateproof.stack.gateway.manners.litellm_admin import token_hash
from gateproof.stack.gateway.manners.litellm_auth import credential
from gateproof.stack.gateway.manners.litellm_redact import redacted

CREATED = 1677610602  # of every model: the constant DEFAULT_MODEL_CREATED_AT_TIME
INVALID = "invalid_request_error"
_CLASSES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    408: "Timeout",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    503: "ServiceUnavailableError",
}


def refusal(refused: Refusal, answer: Answer) -> Reply:
    if refused.code in {"unknown_url", "method_not_allowed"}:
        headers = [(name, value.removesuffix(b", OPTIONS")) for name, value in refused.headers]
        detail = "Not Found" if refused.status == 404 else "Method Not Allowed"
        return json_reply(refused.status, {"detail": detail}, headers)
    if refused.code == "crashed":
        return text_reply(500, refused.message)
    if refused.limited is not None:
        return limited(refused.limited, answer)
    if refused.code == "insufficient_quota":
        return over_budget(refused, answer)
    if isinstance(refused, UpstreamError):
        return failed(refused, answer)
    error: dict[str, Any] = {
        "message": refused.message,
        "type": refused.kind,
        "param": refused.param,
        "code": str(refused.status),
    }
    if refused.code == "unknown_model":
        error["provider_specific_fields"] = {"error": refused.message}
    return json_reply(refused.status, {"error": error}, refused.headers)


def limited(limit: Limited, answer: Answer) -> Reply:
    """The window is told in full, whatever is left of it."""
    assert answer.call is not None, "limits are checked with the call"
    key = token_hash(credential(answer.call.headers))
    unit = {"parallel": "max_parallel_requests"}.get(limit.unit, limit.unit)
    window = window_of(answer.call.tenant, limit)
    reset = dt.datetime.fromtimestamp(time.time() + window, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    message = (
        f"Rate limit exceeded for api_key: {key}. Limit type: {unit}. "
        f"Current limit: {limit.limit}, Remaining: {limit.remaining}. Limit resets at: {reset}"
    )
    headers = [
        (b"retry-after", b"%d" % window),
        (b"rate_limit_type", unit.encode()),
        (b"reset_at", reset.encode()),
    ]
    return error_reply(429, message, "throttling_error", headers)


def window_of(tenant: Tenant, limit: Limited) -> int:
    """s; parallel limits have none of their own and tell that of the others."""
    windows = [each.window for each in (*tenant.rights.requests, *tenant.rights.tokens)]
    return math.ceil(limit.window or max(windows, default=litellm_head.WINDOW))


def over_budget(refused: Refusal, answer: Answer) -> Reply:
    """The budget is looked at with the key, before the call has an id."""
    call, answer.call = answer.call, None
    assert call is not None, "budgets are checked with the call"
    purse, key = call.tenant.meter.purse, credential(call.headers)
    assert purse is not None, "only a budget is refused so"
    spent, most = round(purse.spent(time.monotonic()), 6), purse.budget.limit
    message = f"Budget has been exceeded! Key=key (sk-...{key[-4:]}) Current cost: {spent}, Max budget: {most}"
    return error_reply(refused.status, message, "budget_exceeded")


def failed(error: UpstreamError, answer: Answer) -> Reply:
    """The engine gave no answer at all."""
    if error.code == "upstream_timeout":
        text = "litellm.Timeout: APITimeoutError - Request timed out. Error_str: Request timed out."
        return error_reply(408, text + advice(answer), INVALID)
    text = "litellm.InternalServerError: InternalServerError: Hosted_vllmException - Connection error."
    return error_reply(500, text + advice(answer), "internal_server_error")


def upstream_error(call: Call, status: int, _headers: Pairs, body: bytes) -> Reply:
    """The engine's words within LiteLLM's, its header fields under other names."""
    name = _CLASSES.get(status, "InternalServerError" if status >= 500 else "APIError")
    text = f"litellm.{name}: Hosted_vllmException - {redacted(body.decode('utf-8', 'replace'))}"
    kind = "throttling_error" if status == 429 else "internal_server_error" if status >= 500 else INVALID
    return error_reply(status, text + advice(call.answer), kind)


def advice(answer: Answer) -> str:
    return f"\n\nLiteLLM: model group '{answer.model}' failed with the error above. No fallback was attempted."


def error_reply(status: int, message: str, kind: str | None, headers: Pairs | None = None) -> Reply:
    error = {"message": message, "type": kind, "param": None, "code": str(status)}
    return json_reply(status, {"error": error}, headers or [])


def probe(kind: str, _ready: bool) -> Reply:
    """Static: neither asks an engine."""
    return json_reply(200, "I'm alive!" if kind == "live" else {"status": "healthy", "db": "connected"})


def listing(names: Any, _created: int) -> Any:
    cards = [{"id": name, "object": "model", "created": CREATED, "owned_by": "openai"} for name in names]
    return {"data": cards, "object": "list"}


def reply(call: Call, body: bytes, _value: Any) -> bytes:
    """Chat completions are built anew: time and field order are LiteLLM's."""
    if call.api != "chat":
        return body
    value = json.loads(body)
    for choice in value.get("choices", []):
        choice["provider_specific_fields"] = {}
    head = {"id": value.pop("id", None), "created": int(time.time())}
    value.pop("created", None)
    told = json.dumps(head | value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    if call.cache is not None:
        call.cache.keep(call, 200, [], told)
    return told


# Streams


def event(call: Call, payload: Any, whole: bytes) -> bytes:
    """Chunks of text are built anew; comments end here."""
    if call.api not in {"chat", "completions"}:
        return whole
    if not isinstance(payload, dict):
        return b"data: [DONE]\n\n" if b"[DONE]" in whole else b""
    chunk = {name: value for name, value in payload.items() if value is not None}
    if payload.get("usage") and not payload.get("choices"):
        chunk["choices"] = [{"index": 0, "delta": {}}]
    elif isinstance(payload.get("choices"), list):
        chunk["choices"] = [_choice(each) for each in payload["choices"]]
    return b"data: " + json.dumps(chunk, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    """Without what is null; and only the first choice ever gets its finish_reason."""
    told = {name: value for name, value in choice.items() if value is not None}
    if choice.get("index"):
        told.pop("finish_reason", None)
    return told


def error_event(_api: str, error: UpstreamError, _eol: bytes, _sequence: int) -> bytes:
    text = f"litellm.APIConnectionError: Hosted_vllmException - {error.message}"
    told = {"message": text, "type": None, "param": None, "code": "500"}
    return b"data: " + json.dumps({"error": told}).encode() + b"\n\n"
