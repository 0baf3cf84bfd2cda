"""Who is calling: RFC 6750 bearer tokens, and `x-api-key` where Anthropic Messages is served."""

from __future__ import annotations

from gateproof.stack.faults import worn
from gateproof.stack.gateway import careless
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.headers import RequestHeaders
from gateproof.stack.gateway.keyring import Keyring, Tenant

REALM = b'Bearer realm="gateproof"'
X_API_KEY_APIS = ("messages",)


def authenticate(headers: RequestHeaders, keyring: Keyring, api: str | None) -> Tenant:
    """The tenant of the one credential of the request, or 401."""
    tenant = careless.first_that_fits(headers, keyring)
    if tenant is not None:
        return tenant
    token = credential(headers, api)
    tenant = keyring.tenant_of(token) or careless.some_tenant(keyring, token)
    if tenant is None or keyring.is_unlearnt(token, api):
        raise unauthorized("Incorrect API key provided.", token_sent=True)
    careless.check_restricted(tenant, api)
    return tenant


def credential(headers: RequestHeaders, api: str | None) -> str:
    """The one token that was sent. Two different ones are refused: nobody may guess which one counts."""
    tokens = [bearer_token(value) for value in headers.all(b"authorization")]
    if api in X_API_KEY_APIS and not (headers.all(b"x-api-key") and worn("x_api_key_unknown")):
        tokens += [value.decode("latin-1") for value in headers.all(b"x-api-key")]
    if not tokens:
        raise unauthorized("You didn't provide an API key. Send it as `Authorization: Bearer KEY`.")
    if len(headers.all(b"authorization")) > 1 or len(set(tokens)) > 1:
        raise unauthorized("More than one credential was sent.")
    if not tokens[0]:
        raise unauthorized("The API key is empty.")
    return tokens[0]


def bearer_token(value: bytes) -> str:
    """RFC 9110 §11.1: the scheme in any case, one space, a token without spaces."""
    scheme, space, token = value.decode("latin-1").partition(" ")
    if scheme == "Basic" and worn("other_scheme_crashes"):
        raise Refusal(500, "not enough values to unpack", code="internal_error")
    if scheme != "Bearer" and scheme.lower() == "bearer" and worn("scheme_case_matters"):
        raise unauthorized("The scheme is not supported.")
    if scheme.lower() != "bearer" or not space or not token or any(c.isspace() for c in token):
        raise unauthorized("The Authorization header is malformed. Expected `Bearer KEY`.")
    return token


def unauthorized(message: str, *, token_sent: bool = False) -> Refusal:
    """RFC 6750 §3.1: an error code in the challenge only when a token was sent."""
    challenge = REALM + (b', error="invalid_token"' if token_sent or worn("missing_token_called_invalid") else b"")
    headers = [] if worn("no_challenge") else [(b"www-authenticate", challenge)]
    return Refusal(401, message, code="invalid_api_key", headers=headers)
