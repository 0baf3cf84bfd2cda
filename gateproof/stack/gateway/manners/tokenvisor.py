"""TokenVisor, as far as it can be known: its charts and guides, and for the wire JamAIBase, by the same team.

TokenVisor is closed, so every status and body here is inferred from https://github.com/EmbeddedLLM/JamAIBase
(services/api/src/owl: utils/handlers.py, utils/lm.py). Left out: its three attempts at a failing deployment.
The project of tenant T is `proj_T`: nothing else may be sent as X-PROJECT-ID with its key.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from gateproof.stack.gateway import hosts
from gateproof.stack.gateway.answer import Answer
from gateproof.stack.gateway.call import Call
from gateproof.stack.gateway.catalogue import Catalogue, Route
from gateproof.stack.gateway.errors import Refusal, UpstreamError
from gateproof.stack.gateway.headers import Pairs, RequestHeaders, media_type, value_of
from gateproof.stack.gateway.keyring import Keyring, Tenant
from gateproof.stack.gateway.manner import JSON_TYPE, Manner, Reply, Streaming, json_reply, text_reply
from gateproof.stack.gateway.manners.openai import OPENAI
from gateproof.stack.gateway.paths import Endpoint

PREFIX = "/api/v1"
RETRY_AFTER = 30  # s; what every answer says that asks to come back
UNEXPECTED = "Oops sorry we ran into an unexpected error. Please try again later."
OVERLOADED = "The model is overloaded. Please try again later."
MASKED = "***"

_APIS = {"/chat/completions": "chat", "/embeddings": "embeddings", "/rerank": "rerank"}
_GET = ("GET",)  # FastAPI adds no HEAD to a GET route
_TYPES: dict[str, tuple[type, ...]] = {
    "messages": (list,),
    "model": (str,),
    "temperature": (int, float),
    "top_p": (int, float),
    "max_tokens": (int,),
    "n": (int,),
    "stream": (bool,),
}
# The exception that each short code stands for.
_EXCEPTIONS = {
    "http_error": "HTTPException",
    "unauthorized": "AuthorizationError",
    "forbidden": "ForbiddenError",
    "external_authentication_failed": "ExternalAuthError",
    "resource_not_found": "ResourceNotFoundError",
    "bad_input": "BadInputError",
    "context_overflow": "ContextOverflowError",
    "rate_limit_exceeded": "RateLimitExceedError",
    "busy": "ModelOverloadError",
    "unexpected_error": "UnexpectedError",
}


# Paths

_DOCS = Endpoint("fixed", None, _GET, fixed=lambda: text_reply(200, "<title>Swagger UI</title>", kind=b"text/html"))
_EXACT = {
    f"{PREFIX}/models": Endpoint("models", None, _GET),
    f"{PREFIX}/models/ids": Endpoint("model", None, _GET, "ids"),
    "/api/health": Endpoint("live", None, _GET),
    "/api/public/docs": _DOCS,
} | {PREFIX + path: Endpoint("api", api, ("POST",), upstream=f"/v1{path}".encode()) for path, api in _APIS.items()}


def find(_method: str, raw_path: bytes) -> Endpoint:
    path = unquote(raw_path.decode("latin-1"))
    found = _EXACT.get(path)
    if found is None:
        raise Refusal(404, f"The path '{path}' was not found.", code="http_error")
    return found


def options(endpoint: Endpoint, _headers: RequestHeaders, _shared: Pairs) -> Reply:
    allow = (b"allow", ", ".join(endpoint.methods).encode())
    raise Refusal(405, "Method Not Allowed", code="http_error", headers=[allow])


# Who is calling


def authenticate(headers: RequestHeaders, keyring: Keyring, _endpoint: Endpoint) -> Tenant:
    """A personal access token, and the project that it is used in."""
    scheme, _, token = headers.get(b"authorization").decode("latin-1").partition(" ")
    tenant = keyring.tenant_of(token) if scheme.lower() == "bearer" else None
    if tenant is None:
        raise Refusal(401, "Unauthorized.", code="unauthorized")
    project = headers.get(b"x-project-id").decode("latin-1")
    if project == project_of(tenant.name):
        return tenant
    if project in {project_of(name) for name in keyring.tenants}:
        raise Refusal(403, "You do not have access to this project.", code="forbidden")
    raise Refusal(401, f'Project "{project[:100]}" is not found.', code="unauthorized")


def project_of(tenant: str) -> str:
    return f"proj_{tenant}"


# What is asked


def glance(_endpoint: Endpoint, _headers: RequestHeaders, body: bytes) -> None:
    """FastAPI reads the JSON before it asks a dependency who is calling."""
    parsed(body)


def parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise mistake("json_invalid", ["body"], f"JSON decode error: {str(error)[:100]}", body) from None


def check_type(headers: RequestHeaders) -> None:
    """Another content type is no JSON, so the body is text where an object is wanted."""
    kind = headers.get(b"content-type", JSON_TYPE)
    if media_type(kind) != JSON_TYPE:
        raise mistake("model_attributes_type", ["body"], "Input should be a valid dictionary", b"")


def parse(body: bytes) -> dict[str, Any]:
    value = parsed(body)
    if not isinstance(value, dict):
        raise mistake("model_attributes_type", ["body"], "Input should be a valid dictionary", body)
    for name, kinds in _TYPES.items():
        given = value.get(name)
        if given is not None and (not isinstance(given, kinds) or (bool not in kinds and isinstance(given, bool))):
            raise mistake("type_error", ["body", name], "Input should be of another type", body)
    return value


def mistake(kind: str, where: Sequence[str], message: str, body: bytes) -> Refusal:
    """The validation error says where, and shows the body again."""
    refusal = Refusal(422, f"1. {'.'.join(where)} : {message}.", code="validation_error", kind=kind)
    refusal.param = json.dumps({"type": kind, "loc": list(where), "msg": message, "input": repr(body[:1000])})
    return refusal


def model_of(request: dict[str, Any]) -> str:
    return request.get("model") or ""


def route(catalogue: Catalogue, call: Call) -> Route:
    """Without a model one is chosen; `messages` has to be there."""
    if call.api == "chat" and not isinstance(call.request.get("messages"), list):
        raise mistake("missing", ["body", "messages"], "Field required", call.body)
    names = catalogue.names(call.tenant)
    if not call.model:
        return catalogue.route(names[0], call.api, call.tenant)
    if call.model not in names:
        raise Refusal(404, f'Model "{call.model[:100]}" is not found.', code="resource_not_found")
    return catalogue.route(call.model, call.api, call.tenant)


def outgoing(call: Call, body: bytes) -> bytes:
    """The model that was chosen stands in the request, where the client left it out."""
    if call.model or call.route is None:
        return body
    return json.dumps(call.request | {"model": call.route.public}).encode()


# Answers


def refusal(refused: Refusal, answer: Answer) -> Reply:
    headers = [(name, value.removesuffix(b", OPTIONS")) for name, value in refused.headers]
    if refused.code == "validation_error":
        return invalid(refused, answer)
    if isinstance(refused, UpstreamError):
        return error(answer, 503, "busy", OVERLOADED, [(b"retry-after", b"%d" % RETRY_AFTER)])
    if refused.limited is not None:
        return too_many(refused, answer)
    if refused.code == "method_not_allowed":
        return error(answer, 405, "http_error", "Method Not Allowed", headers)
    if refused.code in _EXCEPTIONS:
        return error(answer, refused.status, refused.code or "", refused.message, headers)
    if refused.status >= 500:
        return error(answer, 500, "unexpected_error", UNEXPECTED)
    return error(answer, 422, "bad_input", refused.message, headers)


def error(answer: Answer, status: int, code: str, message: str, headers: Pairs | None = None) -> Reply:
    """handlers.make_response: the request's header fields come back, of which only Authorization is masked."""
    exception = _EXCEPTIONS.get(code, "HTTPException")
    sent = {} if answer.headers is None else answer.headers.pairs
    echoed = {name.decode("latin-1"): value.decode("latin-1") for name, value in sent}
    told = {
        "object": "error",
        "error": code,
        "message": message,
        "detail": f"{message}\nException:{exception}({message!r})",
        "request_id": answer.request_id.decode(),
        "exception": exception,
        "request_headers": echoed | {"authorization": MASKED},
    }
    return json_reply(status, told, headers or [])


def invalid(refused: Refusal, answer: Answer) -> Reply:
    told = {
        "object": "error",
        "error": "validation_error",
        "message": f"Your request contains errors:\n{refused.message}",
        "detail": [json.loads(refused.param or "{}")],
        "request_id": answer.request_id.decode(),
        "exception": "",
    }
    return json_reply(422, told)


def too_many(refused: Refusal, answer: Answer) -> Reply:
    """RateLimitExceedError: the reset is an instant, and half a minute is advised whatever is left."""
    limit = refused.limited
    assert limit is not None, "only of limits"
    headers = [
        (b"x-ratelimit-limit", b"%d" % limit.limit),
        (b"x-ratelimit-remaining", b"%d" % limit.remaining),
        (b"x-ratelimit-reset", b"%d" % (time.time() + limit.reset)),
        (b"retry-after", b"%d" % RETRY_AFTER),
        (b"x-ratelimit-used", b"%d" % (limit.limit - limit.remaining)),
        (b"x-ratelimit-meta", b"{}"),
    ]
    return error(answer, 429, "rate_limit_exceeded", refused.message, headers)


def upstream_error(call: Call, status: int, _headers: Pairs, body: bytes) -> Reply:
    """DeploymentRouter._map_and_log_exception: what the provider said is told only of a bad request."""
    answer = call.answer
    if status == 400:
        said = body.decode("utf-8", "replace")
        overflow = "context_length" in said or "maximum context length" in said
        return error(answer, 422, "context_overflow" if overflow else "bad_input", said)
    if status == 401:
        return error(answer, 401, "external_authentication_failed", f"Invalid API key: {MASKED}")
    if status == 429:
        fields = [(b"x-ratelimit-limit", b"0"), (b"x-ratelimit-remaining", b"0")]
        after = value_of(answer.upstream, b"retry-after") or b"%d" % RETRY_AFTER
        return error(answer, 429, "rate_limit_exceeded", OVERLOADED, [*fields, (b"retry-after", after)])
    return error(answer, 503, "busy", OVERLOADED, [(b"retry-after", b"%d" % RETRY_AFTER)])


def head(answer: Answer, status: int, headers: Pairs) -> Pairs:
    """The client's own id comes back, empty with an error when it sent none."""
    given = b"" if answer.headers is None else answer.headers.get(b"x-request-id")
    if status < 400:
        given = given or answer.request_id
    buffering = [(b"x-accel-buffering", b"no")] if answer.call is not None and answer.call.streams else []
    return [(b"x-request-id", given), *headers, *buffering]


def probe(_kind: str, _ready: bool) -> Reply:
    """Static, and the same for both."""
    return json_reply(200, {"is_oss": False})


def listing(names: Sequence[str], _created: int) -> Any:
    cards = [{"id": name, "object": "model", "name": name, "type": "llm"} for name in names]
    return {"object": "models.info", "data": cards}


def ids(_name: str, names: Sequence[str], _created: int) -> Any:
    return list(names)


def event(_call: Call, payload: Any, whole: bytes) -> bytes:
    """Chunks are dumped without what is unset; comments end here."""
    if not isinstance(payload, dict):
        return b"data: [DONE]\n\n" if b"[DONE]" in whole else b""
    chunk = {name: value for name, value in payload.items() if value is not None}
    if isinstance(payload.get("choices"), list):
        chunk["choices"] = [{k: v for k, v in each.items() if v is not None} for each in payload["choices"]]
    return b"data: " + json.dumps(chunk, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def cut(_api: str, _error: UpstreamError, _eol: bytes, _sequence: int) -> None:
    """The generator of the body fails, and the server closes the connection."""


TOKENVISOR: Manner = replace(
    OPENAI,
    name="tokenvisor",
    check_host=hosts.unchecked,
    upstream_headers=None,
    find=find,
    options=options,
    glance=glance,
    authenticate=authenticate,
    check_type=check_type,
    parse=parse,
    model_of=model_of,
    route=route,
    outgoing=outgoing,
    head=head,
    refusal=refusal,
    probe=probe,
    listing=listing,
    card=ids,
    upstream_error=upstream_error,
    streaming=Streaming(error=cut, event=event, head_waits=True, keepalive=False),
    ready_asks_engines=False,
)
