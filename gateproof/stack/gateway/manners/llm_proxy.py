"""sofatutor/llm-proxy as its chart deploys it: one provider behind, its file of providers absent.

From its source at 4ad75cc (internal/proxy, internal/server, internal/token), not seen live. Left out: the circuit
breaker (five answers of 502 to 504 in a row stop everybody for 30 s, so one check of a failing engine would end all
others).
"""

from __future__ import annotations

import datetime as dt
import json
import posixpath
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from gateproof.stack.gateway import hosts
from gateproof.stack.gateway.answer import Answer
from gateproof.stack.gateway.body import parse_object
from gateproof.stack.gateway.call import Call
from gateproof.stack.gateway.catalogue import Catalogue, Destination, Route
from gateproof.stack.gateway.errors import Refusal, UpstreamError
from gateproof.stack.gateway.headers import Pairs, RequestHeaders
from gateproof.stack.gateway.keyring import Keyring, Tenant
from gateproof.stack.gateway.manner import JSON_TYPE, TEXT_TYPE, Manner, Reply
from gateproof.stack.gateway.manners.llm_proxy_admin import LlmProxyAdmin, plain_error
from gateproof.stack.gateway.manners.llm_proxy_cache import ResponseCache, lifetime
from gateproof.stack.gateway.manners.openai import OPENAI
from gateproof.stack.gateway.metrics import METRICS_TYPE, Metrics
from gateproof.stack.gateway.paths import Endpoint

VERSION = "0.1.0"

_PREFIXES = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/v1/models": "models",
    "/v1/edits": "edits",
    "/v1/fine-tunes": "fine-tunes",
    "/v1/files": "files",
    "/v1/images/generations": "images",
    "/v1/audio/transcriptions": "audio",
    "/v1/moderations": "moderations",
}
_METHODS = ("GET", "POST", "DELETE")
_ANY = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")  # net/http's mux asks for no method
_TOKEN = re.compile(r"sk-[A-Za-z0-9_-]{22}")
_OWN_FIELDS = frozenset({b"content-length", b"transfer-encoding", b"connection", b"date", b"server", b"x-request-id"})


# Paths and methods


def find(method: str, raw_path: bytes) -> Endpoint:
    """net/http's mux first, which sends an unclean path to the clean one; then the proxy's own lists."""
    path = unquote(raw_path.decode("latin-1"))
    clean = cleaned(path)
    if clean != path:
        where = clean.encode("latin-1", "replace")
        return Endpoint("fixed", None, _ANY, fixed=lambda: Reply(301, [(b"location", where)], b""))
    if path.startswith("/v1/"):
        return proxied(method, path)
    if path.startswith("/manage/"):
        return Endpoint("admin", None, _ANY)
    found = _OPEN.get(path)
    if found is None:
        raise Refusal(404, "404 page not found", code="unknown_url")
    return found


def cleaned(path: str) -> str:
    """path.Clean with the slash at the end kept."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def proxied(method: str, path: str) -> Endpoint:
    """The method is looked at before the path, and a path may begin like an allowed one."""
    if method not in _METHODS:
        raise Refusal(405, "Method not allowed", code="method_not_allowed")
    api = next((api for prefix, api in _PREFIXES.items() if path.startswith(prefix)), None)
    if api is None:
        raise Refusal(404, "Endpoint not found", code="endpoint_not_found")
    return Endpoint("api", api, _METHODS)


def options(endpoint: Endpoint, _headers: RequestHeaders, _shared: Pairs) -> Reply:
    """Below /v1/ `find` has refused it; what is open answers any method alike."""
    if endpoint.fixed is not None:
        return endpoint.fixed()
    return plain_error(405, "method not allowed") if endpoint.kind == "admin" else probe(endpoint.kind, True)


def health() -> Reply:
    now = dt.datetime.now(dt.UTC).isoformat()
    return encoded(200, {"status": "ok", "timestamp": now, "version": VERSION})


def probe(kind: str, _ready: bool) -> Reply:
    """Static: neither a store nor the engine is asked."""
    return Reply(200, [(b"content-type", TEXT_TYPE)], b"alive" if kind == "live" else b"ready")


# Who is calling


def authenticate(headers: RequestHeaders, keyring: Keyring, _endpoint: Endpoint) -> Tenant:
    scheme, _, token = headers.get(b"authorization").decode("latin-1").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise invalid("missing or invalid authorization header")
    if not _TOKEN.fullmatch(token):
        raise invalid("invalid token format: token must start with 'sk-' and have 22 characters after it")
    tenant = keyring.tenant_of(token)
    if tenant is not None:
        return tenant
    key = keyring.find(token)
    if key is None or key.value != token:
        raise Refusal(401, "Token not found", code="token_not_found")
    if token in keyring.blocked:
        raise Refusal(401, "Token is inactive", code="token_inactive")
    raise Refusal(401, "Token has expired", code="token_expired")


def invalid(description: str) -> Refusal:
    return Refusal(401, "Invalid token", code="invalid_token", param=description)


# What is asked: nothing is looked into


def any_type(_headers: RequestHeaders) -> None:
    """The content type is the provider's business."""


def parse(body: bytes) -> dict[str, Any]:
    """What the engine will see, for knowing a stream when it is asked for; never a refusal."""
    try:
        return parse_object(body)
    except Refusal:
        return {}


def no_model(_request: dict[str, Any]) -> str:
    return ""


def route(catalogue: Catalogue, call: Call) -> Route:
    """There is one provider. A model that is declared to be nowhere stands for a provider that is down."""
    model = call.request.get("model")
    dead = catalogue.elsewhere(model) if isinstance(model, str) else None
    return Route("", "", (Destination(dead or catalogue.first_origin, ""),))


def upstream_headers(_call: Call, pairs: Pairs) -> Pairs:
    return [*pairs, (b"x-proxy", b"llm-proxy"), (b"x-proxy-version", VERSION.encode())]


# Answers


def refusal(refused: Refusal, answer: Answer) -> Reply:
    if refused.code == "unknown_url":
        return Reply(
            404, [(b"content-type", TEXT_TYPE), (b"x-content-type-options", b"nosniff")], b"404 page not found\n"
        )
    if isinstance(refused, UpstreamError):
        late = refused.code == "upstream_timeout"
        return (
            encoded(504, {"error": "Request timeout", "code": "timeout"})
            if late
            else encoded(502, {"error": "Proxy error"})
        )
    if refused.limited is not None:
        return encoded(429, {"error": "Rate limit exceeded", "code": "rate_limit_exceeded"})
    if answer.call is None and refused.code == "admin":
        return plain_error(refused.status, refused.message)
    error = {"error": refused.message, "description": refused.param, "code": refused.code}
    return encoded(refused.status, {name: value for name, value in error.items() if value})


def encoded(status: int, value: Any) -> Reply:
    """As json.NewEncoder writes it: with a line end."""
    return Reply(status, [(b"content-type", JSON_TYPE)], json.dumps(value, separators=(",", ":")).encode() + b"\n")


def upstream_error(_call: Call, status: int, _headers: Pairs, body: bytes) -> Reply:
    """Byte for byte; `head` has the engine's fields."""
    return Reply(status, [], body)


def head(answer: Answer, status: int, headers: Pairs) -> Pairs:
    """The engine's fields as they are, and the proxy's beside them; a refusal of a token carries no id."""
    if answer.destination is None:
        return headers if status in {401, 429} else [*headers, (b"x-request-id", answer.request_id)]
    now = stamp(time.time())
    kept = b"stored" if status == 200 and answer.call is not None and lifetime(answer.call) else b"bypass"
    length = [pair for pair in headers if pair[0] == b"content-length"]
    said = [pair for pair in answer.upstream if pair[0] not in _OWN_FIELDS]
    own = [
        (b"x-proxy", b"llm-proxy"),
        (b"x-request-id", answer.request_id),
        (b"x-proxy-received-at", stamp(time.time() - (time.monotonic() - answer.began))),
        (b"x-proxy-first-response-at", now),
        (b"x-upstream-request-stop", now),
        (b"cache-status", b"llm-proxy; " + kept),
        (b"x-proxy-cache", b"miss" if kept == b"stored" else kept),
    ]
    return [*said, *length, *own]


def stamp(at: float) -> bytes:
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat().replace("+00:00", "Z").encode()


def metrics(counters: Metrics, _tenant: str | None) -> Reply:
    """Streams and refusals are in none of them; the number of requests is what is read."""
    served = sum(value for _, value in counters.rows("gateproof_requests_total"))
    lines = ["# TYPE llm_proxy_requests_total counter", f"llm_proxy_requests_total {served}"]
    return Reply(200, [(b"content-type", METRICS_TYPE)], "\n".join([*lines, ""]).encode())


def no_metrics() -> Reply:
    """`/metrics` is JSON."""
    names: Sequence[str] = (
        "request_count",
        "error_count",
        "cache_hits",
        "cache_misses",
        "cache_bypass",
        "cache_stores",
    )
    return encoded(200, {"uptime_seconds": time.monotonic()} | dict.fromkeys(names, 0))


_OPEN = {
    "/health": Endpoint("fixed", None, _ANY, fixed=health),
    "/live": Endpoint("live", None, _ANY),
    "/ready": Endpoint("ready", None, _ANY),
    "/metrics": Endpoint("fixed", None, _ANY, fixed=no_metrics),
    "/metrics/prometheus": Endpoint("metrics", None, _ANY),
}

LLM_PROXY: Manner = replace(
    OPENAI,
    name="llm-proxy",
    check_host=hosts.unchecked,
    find=find,
    options=options,
    authenticate=authenticate,
    check_type=any_type,
    parse=parse,
    model_of=no_model,
    route=route,
    upstream_headers=upstream_headers,
    head=head,
    refusal=refusal,
    probe=probe,
    metrics=metrics,
    upstream_error=upstream_error,
    passes_through=True,
    cache=ResponseCache,
    asks_for_usage=False,
    ready_asks_engines=False,
    open_metrics=True,
    admin=LlmProxyAdmin,
)
