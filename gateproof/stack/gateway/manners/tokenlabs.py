"""TokenLabs' data path: Envoy with Kuadrant's Authorino and Limitador and the processor of Envoy AI Gateway 0.5.

As a real Envoy 1.40 was seen to do it with stand-ins for the three behind it; what only these say is from their
sources: Kuadrant/authorino pkg/service/auth.go, Kuadrant/limitador storage/in_memory.rs, Kuadrant/wasm-shim
kuadrant_filter.rs, envoyproxy/ai-gateway v0.5.0 internal/extproc. The order is that of TokenLabs' guide: who it is,
whether there is room, which model it is for. Limitador tells no limits in headers unless it is told to.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from gateproof.stack.gateway import sse
from gateproof.stack.gateway.answer import Answer
from gateproof.stack.gateway.call import Call
from gateproof.stack.gateway.catalogue import Catalogue, Route
from gateproof.stack.gateway.errors import Refusal, UpstreamError
from gateproof.stack.gateway.headers import Pairs, RequestHeaders, media_type, value_of
from gateproof.stack.gateway.hosts import host_name
from gateproof.stack.gateway.keyring import Keyring, Tenant
from gateproof.stack.gateway.manner import JSON_TYPE, Manner, Reply, json_reply, text_reply
from gateproof.stack.gateway.manners.openai import OPENAI
from gateproof.stack.gateway.manners.tokenlabs_body import Malformed, model_in
from gateproof.stack.gateway.manners.tokenlabs_tenants import SECRETS_API, TokenLabsTenants
from gateproof.stack.gateway.paths import Endpoint
from gateproof.stack.gateway.usage import parsed
from gateproof.stack.kube import authorino
from gateproof.stack.process import LOOPBACK

TEXT = b"text/plain"
OWNER = "Envoy AI Gateway"
METERED_PATH = b"/v1/chat/completions"  # compared with the whole path, its query string included
NO_ROUTE = (
    "No matching route found. It is likely because the model specified in your request is not configured in the "
    "Gateway."
)
RESET = "upstream connect error or disconnect/reset before headers. reset reason: "

_APIS = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/v1/responses": "responses",
    "/v1/images/generations": "images",
    "/cohere/v2/rerank": "rerank",
    "/anthropic/v1/messages": "messages",
}
_UNSUPPORTED = "unsupported"
_SLASHES = re.compile("%(2f|5c)", re.IGNORECASE)
_UNRESERVED = re.compile("%(2d|2e|5f|7e|3[0-9]|4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a])", re.IGNORECASE)
_DATA = re.compile(rb"(?:^|[\r\n])data: ?[^\r\n]")
_UNWRITABLE = re.compile(r"[\r\n\0]")
_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"})
_OWN_FIELDS = _HOP_BY_HOP | {b"content-length", b"content-type", b"date", b"server"}  # of answers
_REWRITTEN = _HOP_BY_HOP | {b"host", b"content-length", b"expect", b"x-request-id", b"x-forwarded-for"}
_ROUTING = b"x-ai-eg-"


# Before it is known who is calling: Envoy's connection manager


def check_host(headers: RequestHeaders, version: str, ours: tuple[str, ...]) -> None:
    """Another host is no virtual host; names with underscores are refused, as Envoy Gateway sets it up."""
    given = headers.all(b"host")
    if not given and version == "1.1":
        raise Refusal(400, "", code="empty")
    if any(b"_" in name for name, _ in headers.pairs):
        raise Refusal(400, "Bad Request", code="text")
    if "*" not in ours and given and host_name(b",".join(given)) not in ours:
        raise Refusal(404, "", code="empty")


def find(method: str, raw_path: bytes) -> Endpoint:
    """Any path and method: who it is comes first. Escaped slashes are sent to the path without them."""
    path = raw_path.decode("latin-1")
    if _SLASHES.search(path):
        where = normalized(_SLASHES.sub("/", path)).encode("latin-1", "replace")
        return Endpoint("fixed", None, (method,), fixed=lambda: Reply(307, [(b"location", where)], b""))
    path = normalized(path)
    if path.startswith(SECRETS_API):
        return Endpoint("admin", None, (method,))
    if path == "/v1/models":  # whatever the method
        return Endpoint("models", None, (method,))
    return Endpoint("api", _APIS.get(path, _UNSUPPORTED), (method,), upstream=path.encode("latin-1"))


def normalized(path: str) -> str:
    """`normalize_path` and `merge_slashes`: RFC 3986 §6.2.2, and one slash for several."""
    path = _UNRESERVED.sub(lambda found: unquote(found[0]), path).replace("\\", "/")
    segments: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            del segments[-1:]
        elif segment not in {"", "."}:
            segments.append(segment)
    end = "/" if segments and path.endswith(("/", "/.", "/..")) else ""
    return "/" + "/".join(segments) + end


# Who is calling: Authorino


def authenticate(headers: RequestHeaders, keyring: Keyring, _endpoint: Endpoint) -> Tenant:
    given = b",".join(headers.all(b"authorization")).decode("latin-1")
    if not given.startswith(authorino.PREFIX):
        raise stranger(authorino.NO_CREDENTIAL)
    key = given.removeprefix(authorino.PREFIX)
    if key in keyring.blocked:
        raise Refusal(403, "", code="empty", headers=[reason(authorino.NO_GROUP)])
    tenant = keyring.tenant_of(key)
    if tenant is None:
        raise stranger(authorino.UNKNOWN_KEY)
    return tenant


def stranger(why: str) -> Refusal:
    return Refusal(401, "", code="empty", headers=[(b"www-authenticate", authorino.CHALLENGE.encode()), reason(why)])


def reason(why: str) -> tuple[bytes, bytes]:
    return authorino.REASON.encode(), why.encode()


# Whether there is room: Limitador


def counted(call: Call) -> Collection[str]:
    """The policies' predicates: what is posted, and of that the chat in tokens."""
    requests = ("requests",) if call.method == "POST" else ()
    return (*requests, "tokens") if call.target == METERED_PATH else requests


def told_usage(headers: Pairs, body: bytes) -> Any:
    """Of a stream only the last event but one is looked at; nothing is decompressed."""
    if media_type(value_of(headers, b"content-type")) != b"text/event-stream":
        return parsed(body)
    events = [event for event in sse.split(body) if _DATA.search(event)]
    return sse.payload(events[-2]) if len(events) > 1 else None


# Which model it is for: the AI Gateway's processor


def any_type(_headers: RequestHeaders) -> None:
    """Nobody looks at the content type."""


def parse(body: bytes) -> dict[str, Any]:
    """What cannot be parsed is refused behind the limits, by `route`."""
    value = parsed(body)
    return value if isinstance(value, dict) else {}


def model_of(request: dict[str, Any]) -> str:
    model = request.get("model")
    return model if isinstance(model, str) else ""


def route(catalogue: Catalogue, call: Call) -> Route:
    if call.api == _UNSUPPORTED:
        path = call.target.decode("utf-8", "replace")
        raise Refusal(404, f"unsupported path: {path}", code="text")
    try:
        model = model_in(call.body, chat=call.api == "chat") if call.body else ""
    except Malformed:
        raise Refusal(500, "", code="empty") from None  # its stream ends with an error
    if _UNWRITABLE.search(model):
        raise Refusal(500, "", code="empty")  # such a value cannot become x-ai-eg-model
    if not catalogue.knows(model):
        raise Refusal(404, NO_ROUTE, code="text")
    # which APIs a model serves is the engine's business
    apis = catalogue.serves(model)
    return catalogue.route(model, apis[0] if apis and call.api not in apis else call.api, call.tenant)


def upstream_headers(call: Call, _passed_on: Pairs) -> Pairs:
    """All that the client sent, its key included; only routing is the gateway's word."""
    sent = [
        (name, value)
        for name, value in call.headers.pairs
        if name not in _REWRITTEN and not name.startswith((_ROUTING, b"x-envoy-"))
    ]
    # the address of the connection's other end, which nobody can say of himself: all is on one machine here
    hops = [*call.headers.all(b"x-forwarded-for"), LOOPBACK.encode()]
    own = [
        (b"x-forwarded-for", b",".join(hops)),
        (b"x-forwarded-proto", b"http"),
        (b"x-request-id", call.answer.request_id),
        (_ROUTING + b"model", call.model.encode()),
        (_ROUTING + b"original-path", call.target),
    ]
    return [*sent, *own]


# Answers


def refusal(refused: Refusal, _answer: Answer) -> Reply:
    """Local replies of Envoy: plain text, or nothing at all."""
    if isinstance(refused, UpstreamError):
        return upstream_gone(refused)
    if refused.limited is not None:
        return text_reply(429, "Too Many Requests\n", kind=TEXT)
    if refused.code == "text":
        return text_reply(refused.status, refused.message, kind=TEXT)
    if refused.code == "empty":
        return Reply(refused.status, refused.headers, b"")
    if refused.status == 413:
        return text_reply(413, "Payload Too Large", kind=TEXT)
    return Reply(500, [], b"")  # a coded body cannot be parsed either


def upstream_gone(refused: UpstreamError) -> Reply:
    if refused.code == "upstream_timeout":
        return text_reply(504, "upstream request timeout", kind=TEXT)
    refusing = refused.code == "upstream_unavailable"
    why = "remote connection failure" if refusing else "connection termination"
    return text_reply(503, RESET + why, kind=TEXT)


def upstream_error(_call: Call, status: int, headers: Pairs, body: bytes) -> Reply:
    """JSON passes as it is; any other text becomes the message of the AI Gateway's own."""
    kind = value_of(headers, b"content-type")
    if not kind or JSON_TYPE in kind:
        return Reply(status, [(b"content-type", kind)] if kind else [], body)
    error = {"type": "OpenAIBackendError", "message": body.decode("utf-8", "replace"), "code": str(status)}
    return json_reply(status, {"type": "error", "error": error})


def head(answer: Answer, _status: int, headers: Pairs) -> Pairs:
    """The engine's fields as they are, with what Envoy makes of them; no id but the engine's."""
    server = (b"server", b"envoy")
    if answer.destination is None:
        return [*headers, server]
    said = [pair for pair in answer.upstream if pair[0] not in _OWN_FIELDS]
    described = [pair for pair in headers if pair[0] in {b"content-length", b"content-type"}]
    return [*said, *described, server]


def listing(names: Sequence[str], created: int) -> Any:
    cards = [{"id": name, "created": created, "object": "model", "owned_by": OWNER} for name in names]
    return {"object": "list", "data": cards}


TOKENLABS: Manner = replace(
    OPENAI,
    name="tokenlabs",
    check_host=check_host,
    find=find,
    options=None,
    authenticate=authenticate,
    check_type=any_type,
    parse=parse,
    model_of=model_of,
    route=route,
    upstream_headers=upstream_headers,
    head=head,
    refusal=refusal,
    listing=listing,
    upstream_error=upstream_error,
    passes_through=True,
    told_usage=told_usage,
    counted=counted,
    counts_before_routing=True,
    counts_over_quota=True,
    asks_for_usage=False,
    ready_asks_engines=False,
    admin=TokenLabsTenants,
)
