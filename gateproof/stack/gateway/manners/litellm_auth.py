"""Whose key it is, as LiteLLM finds out (get_api_key and user_api_key_auth in proxy/auth/user_api_key_auth.py)."""

from __future__ import annotations

import datetime as dt
import time

from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.headers import RequestHeaders
from gateproof.stack.gateway.keyring import Keyring, Tenant
from gateproof.stack.gateway.manners.litellm_admin import only_admins, token_hash
from gateproof.stack.gateway.paths import Endpoint


def authenticate(headers: RequestHeaders, keyring: Keyring, endpoint: Endpoint) -> Tenant:
    """get_api_key and user_api_key_auth: of several headers the first that is there, in this order."""
    token = credential(headers)
    if not token.startswith("sk-"):
        raise denied("LiteLLM Virtual Key expected. Received=****, expected to start with 'sk-'.")
    tenant = keyring.tenant_of(token)
    if tenant is not None:
        if endpoint.kind == "model":
            raise only_admins(f"/v1/models/{endpoint.name}")  # a key that belongs to no user may not open this page
        return tenant
    raise unknown_key(keyring, token)


def credential(headers: RequestHeaders) -> str:
    own, given = headers.get(b"x-litellm-api-key"), headers.get(b"authorization")
    if own:
        return own.decode("latin-1").removeprefix("Bearer ")
    if given:
        text = given.decode("latin-1")
        for scheme in ("Bearer ", "Basic ", "bearer "):
            if text.startswith(scheme):
                return text.replace(scheme, "")
        raise denied("Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix.")
    for name in (b"api-key", b"x-api-key"):
        if headers.get(name):
            return headers.get(name).decode("latin-1")
    raise denied("Authentication Error, No api key passed in.")


def unknown_key(keyring: Keyring, token: str) -> Refusal:
    key = keyring.find(token)
    if key is not None and key.value == token and key.value in keyring.blocked:
        return denied("Authentication Error, Key is blocked. Update via `/key/unblock` if you're admin.")
    if key is not None and key.value == token and key.expires is not None:
        ended, now = _moment(key.expires), _moment(time.time())
        message = f"Authentication Error - Expired Key. Key Expiry time {ended} and current time {now}"
        return denied(message, kind="expired_key", param=f"sk-...{token[-4:]}")
    return denied(
        "Authentication Error, Invalid proxy server token passed. Received API Key = sk-..., Key Hash (Token) "
        f"={token_hash(token)}. Unable to find token in cache or `LiteLLM_VerificationTokenTable`",
        kind="token_not_found_in_db",
        param="key",
    )


def denied(message: str, *, kind: str = "auth_error", param: str = "None") -> Refusal:
    return Refusal(401, message, kind=kind, param=param, code="invalid_api_key")


def _moment(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(sep=" ")
