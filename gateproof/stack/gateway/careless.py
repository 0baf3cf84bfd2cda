"""What faults do to keys, refusals and probes: each condition is as narrow as the real bug allows."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

from gateproof.stack.faults import worn
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.headers import Pairs, RequestHeaders
from gateproof.stack.gateway.keyring import Keyring, Tenant

BUSY = 8  # calls at the same time, more than the workers of a small deployment
HELD_UP = 1.5  # s that a probe waits behind them, past any kubelet's patience
JSON, PROBLEM = b"application/json", b"application/problem+json"


def some_tenant(keyring: Keyring, token: str) -> Tenant | None:
    """Whom a key that nobody has is taken for."""
    if len(token) in {len(key.value) for key in keyring} and worn("wrong_key_is_forbidden"):
        raise Refusal(403, "This key has no access.", code="forbidden")
    folded = {key.value.casefold(): key.value for key in keyring}
    if token.casefold() in folded and worn("keys_ignore_case"):
        return keyring.tenant_of(folded[token.casefold()])
    return None


def first_that_fits(headers: RequestHeaders, keyring: Keyring) -> Tenant | None:
    """Of several credentials whichever is good."""
    values = headers.all(b"authorization")
    if len(values) < 2 or not worn("any_credential_counts"):
        return None
    tokens = [value.decode("latin-1").partition(" ")[2] for value in values]
    return next((tenant for token in tokens if (tenant := keyring.tenant_of(token))), None)


def with_key_of_query(headers: RequestHeaders, query: bytes) -> RequestHeaders:
    """The headers, with a key from the query where they have none."""
    if headers.all(b"authorization") or not query:
        return headers
    found = parse_qs(query).get(b"api_key")
    if not found or not worn("key_in_query"):
        return headers
    return RequestHeaders([*headers.pairs, (b"authorization", b"Bearer " + found[0])])


def check_restricted(tenant: Tenant, api: str | None) -> None:
    if tenant.rights.models is not None and api == "chat" and worn("restricted_keys_refused"):
        raise Refusal(401, "This key is not valid for the model.", code="invalid_api_key")


def refusal_body(refusal: Refusal, body: bytes) -> tuple[bytes, bytes]:
    """(content type, body) of a refusal."""
    if refusal.code == "rate_limit_exceeded" and refusal.status == 200:  # as a fault told it: inside a stream
        return b"text/event-stream", b"data: " + body + b"\n\n"
    if refusal.code == "rate_limit_exceeded" and worn("rate_limit_as_text"):
        return b"text/plain", b"Too Many Requests\n"
    if refusal.status == 401 and worn("refusal_without_envelope"):
        return JSON, b'{"error":"Unauthorized"}'
    if refusal.code == "unknown_url" and worn("framework_404"):
        return JSON, b'{"detail":"Not Found"}'
    if refusal.status == 405 and worn("refusal_as_text"):
        return b"text/plain; charset=utf-8", body
    if refusal.status == 405 and worn("problem_status_differs"):
        return PROBLEM, json.dumps({**json.loads(body), "type": "about:blank", "status": 400}).encode()
    return JSON, body


def without_id(status: int, pairs: Pairs) -> Pairs:
    """The head of an answer that never came to where ids are made."""
    if status == 404 and worn("errors_without_id"):
        return [pair for pair in pairs if pair[0] != b"x-request-id"]
    return pairs
