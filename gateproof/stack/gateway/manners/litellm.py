"""LiteLLM Proxy 1.106.2 with its database, as seen on the wire; what was not seen is from the source of that release.

https://github.com/BerriAI/litellm: proxy/auth, proxy/common_request_processing.py,
proxy/hooks/parallel_request_limiter_v3.py.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from gateproof.stack.gateway import hosts
from gateproof.stack.gateway.call import Call
from gateproof.stack.gateway.catalogue import Catalogue, Route
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.headers import Pairs, RequestHeaders
from gateproof.stack.gateway.manner import Manner, Reply, Streaming, text_reply
from gateproof.stack.gateway.manners import litellm_answers, litellm_auth, litellm_head, litellm_metrics
from gateproof.stack.gateway.manners.litellm_admin import ADMIN_PATHS, LiteLLMAdmin
from gateproof.stack.gateway.manners.litellm_answers import INVALID
from gateproof.stack.gateway.manners.litellm_cache import LiteLLMCache
from gateproof.stack.gateway.manners.openai import OPENAI
from gateproof.stack.gateway.paths import Endpoint

UNSENT = frozenset({"user", "cache"})
PASSED_ON = frozenset({b"content-type", b"accept-encoding", b"x-request-id"})

_APIS = {
    "/chat/completions": "chat",
    "/completions": "completions",
    "/embeddings": "embeddings",
    "/rerank": "rerank",
    "/responses": "responses",
    "/audio/speech": "speech",
    "/audio/transcriptions": "transcriptions",
}
_GET = ("GET",)  # FastAPI adds no HEAD to a GET route


# Paths


def _endpoints() -> dict[str, Endpoint]:
    """Each API with and without `/v1`; the engine knows the one with it."""
    found = {"/v1/messages": Endpoint("api", "messages", ("POST",)), "/v2/rerank": Endpoint("api", "rerank", ("POST",))}
    for path, api in _APIS.items():
        for prefix in ("", "/v1"):
            found[prefix + path] = Endpoint("api", api, ("POST",), upstream=f"/v1{path}".encode())
    found |= {path: Endpoint("models", None, _GET) for path in ("/models", "/v1/models")}
    found |= {path: Endpoint("live", None, _GET) for path in ("/health/liveliness", "/health/liveness")}
    found |= {
        "/health/readiness": Endpoint("ready", None, _GET),
        "/metrics": Endpoint("fixed", None, _GET, fixed=lambda: Reply(307, [(b"location", b"/metrics/")], b"")),
        "/metrics/": Endpoint("metrics", None, _GET),
    }
    return found | {path: Endpoint("admin", None, (method,)) for path, method in ADMIN_PATHS.items()}


_EXACT = _endpoints()


def find(_method: str, raw_path: bytes) -> Endpoint:
    """Starlette matches the decoded path, and sends a path with a slash too many to the one without."""
    path = unquote(raw_path.decode("latin-1"))
    found = _EXACT.get(path)
    if found is None and path.startswith(("/v1/models/", "/models/")):
        found = Endpoint("model", None, _GET, path.partition("models/")[2])
    if found is None and path.startswith("/v1/responses/"):
        found = _stored(path.removeprefix("/v1/responses/"))
    if found is None and path.endswith("/") and path.rstrip("/") in _EXACT:
        where = path.rstrip("/").encode("latin-1", "replace")
        found = Endpoint("fixed", None, ("GET", "POST"), fixed=lambda: Reply(307, [(b"location", where)], b""))
    if found is None:
        raise Refusal(404, "Not Found", code="unknown_url")
    return found


def _stored(rest: str) -> Endpoint | None:
    name, _, part = rest.partition("/")
    methods = {"": ("GET", "DELETE"), "cancel": ("POST",), "input_items": _GET}.get(part)
    return Endpoint("stored", "responses", methods, name) if name and methods else None


def options(endpoint: Endpoint, headers: RequestHeaders, _shared: Pairs) -> Reply:
    """Starlette's CORS layer answers a preflight; any other OPTIONS is a method that no route has."""
    origin, wanted = headers.get(b"origin"), headers.get(b"access-control-request-method")
    if not origin or not wanted:
        raise not_allowed(endpoint)
    allowed = [
        (b"access-control-allow-methods", b"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),
        (b"access-control-max-age", b"600"),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-allow-origin", origin),
    ]
    return text_reply(200, "OK", allowed)


def not_allowed(endpoint: Endpoint) -> Refusal:
    allow = (b"allow", ", ".join(endpoint.methods).encode())
    return Refusal(405, "Method Not Allowed", code="method_not_allowed", headers=[allow])


# What is asked


def glance(endpoint: Endpoint, _headers: RequestHeaders, body: bytes) -> None:
    """The body is read before the key: what is no JSON is refused to everybody."""
    if endpoint.api != "transcriptions":
        parse(body)


def parse(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}", parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        message = f"Invalid JSON payload: {str(error)[:100]}"
        raise Refusal(400, message, kind=INVALID, param="request_body", code="invalid_json") from None
    if not isinstance(value, dict):
        raise Refusal(500, "Internal Server Error", code="crashed")  # 'list' object has no attribute 'get'
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"unexpected character: {name}")


def any_type(_headers: RequestHeaders) -> None:
    """Whatever the content type says, the body is parsed."""


def model_of(request: dict[str, Any]) -> str:
    model = request.get("model")
    return model if isinstance(model, str) else "" if model is None else str(model)


def permit(_catalogue: Catalogue, call: Call) -> None:
    """The key's list of models, checked with the key."""
    models = call.tenant.rights.models
    if models is not None and call.model not in models:
        message = (
            f"The requested model '{call.model[:100]}' is not available for this API key, or the model name is "
            "invalid. Check the models available to you and try again."
        )
        raise Refusal(403, message, kind="key_model_access_denied", param="model", code="denied")


def route(catalogue: Catalogue, call: Call) -> Route:
    path = f"/{call.target.decode('latin-1').partition('?')[0].removeprefix('/v1/')}"
    if call.api == "chat" and "messages" not in call.request:
        message = f"{path}: Missing required parameter: 'messages'."
        raise Refusal(400, message, kind=INVALID, param="messages", code="missing")
    if not catalogue.knows(call.model):
        told = call.model[:100] if "model" in call.request else None
        problem = f"{path}: Invalid model name passed in model={told}."
        message = f"{problem} Call `/v1/models` to view available models for your key."
        kind = "None" if call.api == "completions" else INVALID
        raise Refusal(400, message, kind=kind, code="unknown_model")
    if call.api == "completions" and _token_ids(call.request.get("prompt")):
        raise Refusal(
            500,
            "litellm.APIConnectionError: Unmapped prompt format",
            kind="internal_server_error",
            code="crashed_nicely",
        )
    return catalogue.route(call.model, call.api, call.tenant)


def _token_ids(prompt: Any) -> bool:
    return isinstance(prompt, list) and bool(prompt) and not isinstance(prompt[0], str)


def outgoing(call: Call, body: bytes) -> bytes:
    """Written anew from what was parsed; `user` is for OpenAI's own models only, `cache` for LiteLLM itself."""
    if call.api not in {"chat", "completions"}:
        return body
    return json.dumps({name: value for name, value in call.request.items() if name not in UNSENT}).encode()


def upstream_headers(_call: Call, pairs: Pairs) -> Pairs:
    """A request of its own: no field of the client's goes along (`forward_client_headers_to_llm_api` is off)."""
    own = [(b"user-agent", b"litellm/" + litellm_head.VERSION), (b"authorization", b"Bearer none")]
    return [*(pair for pair in pairs if pair[0] in PASSED_ON), *own]


LITELLM: Manner = replace(
    OPENAI,
    name="litellm",
    check_host=hosts.unchecked,
    find=find,
    options=options,
    glance=glance,
    authenticate=litellm_auth.authenticate,
    check_type=any_type,
    parse=parse,
    model_of=model_of,
    permit=permit,
    route=route,
    outgoing=outgoing,
    upstream_headers=upstream_headers,
    head=litellm_head.head,
    refusal=litellm_answers.refusal,
    probe=litellm_answers.probe,
    listing=litellm_answers.listing,
    metrics=litellm_metrics.metrics,
    upstream_error=litellm_answers.upstream_error,
    reply=litellm_answers.reply,
    streaming=Streaming(
        error=litellm_answers.error_event, event=litellm_answers.event, head_waits=True, keepalive=False
    ),
    counts_before_routing=True,
    counts_refused=True,
    cancels_unary=False,
    cache=LiteLLMCache,
    shares_responses=True,
    falls_back_from=400,
    ready_asks_engines=False,
    admin=LiteLLMAdmin,
)
