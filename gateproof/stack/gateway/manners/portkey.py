"""Portkey's gateway 2.x, from the public branch 2.0.0 (package 2.2.3): with keys, limits and a control plane.

https://github.com/Portkey-AI/gateway/tree/2.0.0/src: middlewares/auth/authN.ts, utils/error.ts, utils/rateLimiter.ts,
handlers/handlerUtils.ts. The part that 1.x has, too, is as the real 1.15.2 was seen. Left out: the cache of key
details, which only the control plane can invalidate, and the pause of 25 ms before the first event of a stream.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from gateproof.stack.gateway import hosts
from gateproof.stack.gateway.answer import Answer
from gateproof.stack.gateway.body import parse_object
from gateproof.stack.gateway.call import Call
from gateproof.stack.gateway.catalogue import Catalogue, Destination, Route
from gateproof.stack.gateway.errors import Refusal, UpstreamError
from gateproof.stack.gateway.headers import Pairs, RequestHeaders, media_type
from gateproof.stack.gateway.keyring import Keyring, Tenant
from gateproof.stack.gateway.manner import Manner, Reply, Streaming, json_reply
from gateproof.stack.gateway.manners.openai import OPENAI
from gateproof.stack.gateway.manners.portkey_admin import PortkeyAdmin
from gateproof.stack.gateway.metrics import METRICS_TYPE, Metrics
from gateproof.stack.gateway.paths import Endpoint
from gateproof.stack.gateway.usage import parsed

VERSION = "2.2.3"
JSON_UTF8 = b"application/json;charset=UTF-8"
CONFIG, PROVIDER = b"x-portkey-config", b"x-portkey-provider"
NEEDS_CONFIG = "Either x-portkey-config or x-portkey-provider header is required"
TYPES = (b"application/json", b"multipart/form-data", b"audio/")
EXACT = 2**53  # the largest whole number up to which a double is exact
RANGES = {"temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}
# What providers/openai/chatComplete.ts lists; anything else is dropped.
_CHAT_FIELDS = """
model messages functions function_call max_tokens max_completion_tokens temperature top_p n stream
stream_options stop presence_penalty frequency_penalty logit_bias user seed tools tool_choice
parallel_tool_calls response_format logprobs top_logprobs store metadata modalities audio service_tier
prediction reasoning_effort web_search_options prompt_cache_key safety_identifier verbosity
"""
CHAT_FIELDS = frozenset(_CHAT_FIELDS.split())
SHOWN = 4  # characters of a key at each end, in the message of its limit

_APIS = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
    "/v1/rerank": "rerank",
    "/v1/audio/speech": "speech",
    "/v1/audio/transcriptions": "transcriptions",
}
_PROXIED = ("GET", "POST", "PUT", "DELETE")  # the catch-all of /v1/*
_GET = ("GET", "HEAD")  # hono answers HEAD wherever there is a GET

# Paths


def find(method: str, raw_path: bytes) -> Endpoint:
    path = raw_path.decode("latin-1")
    if path in {"/v1/health", "/metrics"} and method in _GET:
        return Endpoint("live" if path == "/v1/health" else "metrics", None, _GET)
    if path.startswith("/v1/api-keys"):
        return Endpoint("admin", None, ("GET", "POST", "PUT", "DELETE"))
    if path == "/v1/models" and method in _GET:
        return Endpoint("models", None, _GET)
    if method == "POST" and path in _APIS:
        return Endpoint("api", _APIS[path], ("POST",))
    # whatever else is under /v1 is the provider's; the rest exists for nobody, but only who has a key is told so
    return Endpoint("api", "proxy" if path.startswith("/v1/") and method in _PROXIED else "nowhere", (method,))


def options(_endpoint: Endpoint, _headers: RequestHeaders, _shared: Pairs) -> Reply:
    allowed = [(b"access-control-allow-origin", b"*"), (b"access-control-allow-methods", b"GET,HEAD,PUT,POST,DELETE")]
    return Reply(204, allowed, b"")


# Who is calling


def authenticate(headers: RequestHeaders, keyring: Keyring, _endpoint: Endpoint) -> Tenant:
    """`x-portkey-api-key`, else what stands in Authorization, from which only a literal `Bearer ` is taken off."""
    key = headers.get(b"x-portkey-api-key").decode("latin-1")
    key = key or headers.get(b"authorization").decode("latin-1").removeprefix("Bearer ")
    tenant = keyring.tenant_of(key)
    if tenant is None:
        raise Refusal(401, "Invalid API Key", code="03")
    return tenant


# What is asked


def check_type(headers: RequestHeaders) -> None:
    kind = media_type(headers.get(b"content-type", b"application/json"))
    if not kind.startswith(TYPES):
        raise Refusal(400, "Invalid content type passed", code="failure")


def parse(body: bytes) -> dict[str, Any]:
    """What cannot be parsed is an empty object."""
    try:
        return parse_object(body)
    except Refusal:
        return {}


def model_of(request: dict[str, Any]) -> str:
    model = request.get("model")
    return model if isinstance(model, str) else ""


def permit(_catalogue: Catalogue, call: Call) -> None:
    """Before limits of the key there is nothing but the key; then a config has to say where to."""
    if call.api == "nowhere":
        raise Refusal(404, "Not Found", code="nowhere")


def route(catalogue: Catalogue, call: Call) -> Route:
    """The config chooses by the model; what it does not know goes to the first provider as it is."""
    config, provider = call.headers.get(CONFIG), call.headers.get(PROVIDER)
    if not config and not provider:
        raise Refusal(400, NEEDS_CONFIG, code="failure")
    if config and not config.startswith(b"pc-") and parsed(config) is None:
        raise Refusal(400, "Invalid config passed. You need to pass a valid json", code="failure")
    if call.tenant.rights.models is not None and not call.tenant.may_use(call.model):
        raise Refusal(412, f"Model {call.model[:100]} is not allowed for this integration", code="model_not_allowed")
    if call.api == "proxy" or not catalogue.knows(call.model):
        return Route(call.model, "", (Destination(catalogue.first_origin, ""),))
    # which APIs a model serves is the provider's business, and so is what the answer calls it
    apis = catalogue.serves(call.model)
    known = catalogue.route(call.model, apis[0] if apis and call.api not in apis else call.api, call.tenant)
    return Route(known.public, known.attempts[0].model, known.attempts)


def outgoing(call: Call, body: bytes) -> bytes:
    """The body is parsed and written anew, so the last of two equal names wins and every number is a double."""
    if call.api in {"proxy", "transcriptions"}:
        return body
    request = call.request
    if call.api == "chat":
        request = {name: clamped(name, value) for name, value in request.items() if name in CHAT_FIELDS}
    return json.dumps(doubles(request), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def clamped(name: str, value: Any) -> Any:
    """providers/openai/chatComplete.ts gives a least and a most for some parameters."""
    if name not in RANGES or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    low, high = RANGES[name]
    return min(max(value, low), high)


def doubles(value: Any) -> Any:
    """Whole numbers beyond 2^53 as JavaScript keeps them."""
    if isinstance(value, dict):
        return {name: doubles(each) for name, each in value.items()}
    if isinstance(value, list):
        return [doubles(each) for each in value]
    beyond = isinstance(value, int) and not isinstance(value, bool) and abs(value) > EXACT
    return int(float(value)) if beyond else value


# Answers


def refusal(refused: Refusal, answer: Answer) -> Reply:
    if refused.code == "nowhere":
        return json_reply(404, {"message": "Not Found", "ok": False})
    if refused.status == 413:
        return failed(413, refused.message)
    if isinstance(refused, UpstreamError):
        return upstream_gone(refused)
    if refused.limited is not None:
        return told(429, f"apikey {masked(answer)} rate limit exceded", "05")
    if refused.code == "insufficient_quota":
        return told(412, "Portkey API Key Usage Limit Exceeded", "04")
    if refused.code == "model_not_allowed":
        error = {"message": refused.message, "type": "model_not_allowed_error", "param": None, "code": None}
        return json_reply(412, {"error": error})
    if refused.code == "failure":
        return failed(refused.status, refused.message)
    if refused.code in {"03", "033"}:
        return told(refused.status, refused.message, refused.code)
    return failed(min(500, refused.status), refused.message)


def told(status: int, message: str, code: str) -> Reply:
    """utils/error.ts."""
    text = f"Portkey Error: {message}. Error Code: {code}"
    body = json.dumps(
        {"status": "failure", "message": text, "error": {"message": text, "code": code}}, separators=(",", ":")
    )
    return Reply(status, [(b"content-type", JSON_UTF8)], body.encode())


def failed(status: int, message: str) -> Reply:
    return json_reply(status, {"status": "failure", "message": message})


def upstream_gone(refused: UpstreamError) -> Reply:
    if refused.code == "upstream_timeout":
        error = {"message": refused.message, "type": "timeout_error", "param": None, "code": None}
        return json_reply(408, {"error": error})
    cause = "Message: fetch failed Cause: Error: connect ECONNREFUSED 127.0.0.1:9 Name: TypeError"
    return json_reply(500, {"html-message": cause}, [(b"x-portkey-gateway-exception", b"true")])


def masked(answer: Answer) -> str:
    """As much of the key as its owner needs to know which one it is."""
    key = "" if answer.headers is None else answer.headers.get(b"authorization").decode("latin-1")
    key = key.removeprefix("Bearer ")
    return f"{key[:SHOWN]}***{key[-SHOWN:]}"


def upstream_error(call: Call, status: int, headers: Pairs, body: bytes) -> Reply:
    """What the provider says, with its name before it; what is no OpenAI error comes as it is."""
    said = parsed(body)
    error = said.get("error") if isinstance(said, dict) else None
    if call.api != "proxy" and said is None:
        return json_reply(status, {"html-message": body.decode("utf-8", "replace")})
    if call.api == "proxy" or not isinstance(error, dict):
        return Reply(status, headers, body)
    shown = {name: error.get(name) for name in ("type", "param", "code")}
    told = {"error": {"message": f"openai error: {error.get('message', '')}", **shown}, "provider": "openai"}
    passed = [pair for pair in headers if pair[0] != b"content-type"]
    return json_reply(status, told, passed)


def head(answer: Answer, _status: int, headers: Pairs) -> Pairs:
    """The provider's fields pass; the gateway's own say which target answered."""
    if answer.destination is None:
        return headers
    chosen = b"config" if answer.attempts == 1 else b"config.targets[%d]" % (answer.attempts - 1)
    given = b"" if answer.headers is None else answer.headers.get(b"x-portkey-trace-id")
    own = [
        (b"x-portkey-cache-status", b"DISABLED"),
        (b"x-portkey-last-used-option-index", chosen),
        (b"x-portkey-provider", b"openai"),
        (b"x-portkey-retry-attempt-count", b"0"),
        (b"x-portkey-trace-id", given or answer.request_id),
    ]
    return [*headers, *own]


def probe(_kind: str, _ready: bool) -> Reply:
    """Static: neither Redis nor a provider is asked."""
    return json_reply(200, {"status": "success", "message": "Server is healthy", "version": VERSION})


def metrics(counters: Metrics, _tenant: str | None) -> Reply:
    served = sum(value for _, value in counters.rows("gateproof_requests_total"))
    tokens = sum(value for _, value in counters.rows("gateproof_tokens_total"))
    lines = [
        "# TYPE request_count counter",
        f'request_count{{app="portkey-gateway"}} {served}',
        "# TYPE llm_token_sum gauge",
        f'llm_token_sum{{app="portkey-gateway"}} {tokens}',
        "",
    ]
    return Reply(200, [(b"content-type", METRICS_TYPE)], "\n".join(lines).encode())


def ended(_api: str, _error: UpstreamError, _eol: bytes, _sequence: int) -> bytes:
    """A provider that is cut in mid-stream leaves an answer that looks complete."""
    return b""


PORTKEY_2: Manner = replace(
    OPENAI,
    name="portkey-2",
    check_host=hosts.unchecked,
    upstream_headers=None,
    find=find,
    options=options,
    authenticate=authenticate,
    check_type=check_type,
    parse=parse,
    model_of=model_of,
    permit=permit,
    route=route,
    outgoing=outgoing,
    head=head,
    refusal=refusal,
    probe=probe,
    metrics=metrics,
    upstream_error=upstream_error,
    streaming=Streaming(error=ended, keepalive=False),
    counts_before_routing=True,
    counts_refused=True,
    asks_for_usage=False,
    cancels_unary=False,
    ready_asks_engines=False,
    open_metrics=True,
    admin=PortkeyAdmin,
)
