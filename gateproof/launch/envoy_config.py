"""Envoy's configuration for TokenLabs' data path, from the models of a plan. Pure.

In the order of TokenLabs' guide: Authorino says who it is, Limitador whether there is room, the AI Gateway which
model it is for; what an answer used is read from it, whole or streamed, and reported when the stream has ended.
Where TokenLabs has Kuadrant's WebAssembly filter, Envoy's own filters ask the same questions here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gateproof.launch.plan import Model
from gateproof.launch.ports import LOOPBACK

_TYPES = "type.googleapis.com/envoy.extensions"
_FILTERS = f"{_TYPES}.filters.http"
_AUTHORINO, _SERVICES = "authorino", "services"

MODEL_HEADER = "x-ai-eg-model"
PATH_HEADER = "x-ai-eg-original-path"  # there when the AI Gateway's processor has seen the request
# What Authorino's answer becomes: metadata of the request, which no client can send.
USER, GROUPS = "x-user", "x-groups"
_IDENTITY = "envoy.filters.http.ext_authz"
_PROCESSOR = "envoy.filters.http.ext_proc"
_REQUESTS_ONLY = {"request_header_mode": "SEND", "request_body_mode": "BUFFERED", "response_header_mode": "SKIP"}
# TokenLabs' policy meters `request.path == "/v1/chat/completions"`, and a path has its query string.
METERED_PATH = "/v1/chat/completions"
NO_ROUTE = (
    "No matching route found. It is likely because the model specified in your request is not configured in the "
    "Gateway."
)

MAX_BODY = 10 * 1024 * 1024  # bytes; the `bufferLimit` of TokenLabs' Gateway
TIMEOUT = 300.0  # s; of TokenLabs' routes
ASK_TIMEOUT = "1s"  # for Authorino and Limitador; wasm-shim's is 200 ms, too short on a machine that is under test
PROCESSOR_TIMEOUT = "10s"  # Envoy AI Gateway's
CONNECT_TIMEOUT = "2s"


@dataclass(frozen=True, slots=True)
class Ports:
    """All on loopback."""

    gateway: int
    admin: int
    authorino: int
    services: int


def build(
    models: Sequence[Model],
    engines: Mapping[str, str],
    ports: Ports,
    *,
    max_body: int = MAX_BODY,
    timeout: float = TIMEOUT,
) -> dict[str, Any]:
    """`engines` are URLs by name; a backend that names none of them is a URL itself."""
    urls = {
        backend.engine: engines.get(backend.engine, backend.engine) for model in models for backend in model.backends
    }
    return {
        "admin": {"address": _address(ports.admin)},
        "static_resources": {
            "listeners": [_listener(models, ports.gateway, max_body, timeout)],
            "clusters": [
                *(_cluster(name_of(engine), _port(url)) for engine, url in urls.items()),
                _cluster(_AUTHORINO, ports.authorino),
                _service(_SERVICES, ports.services),
            ],
        },
    }


def name_of(engine: str) -> str:
    """A cluster's name: no engine is called like a service."""
    return f"engine-{engine}"


def _listener(models: Sequence[Model], port: int, max_body: int, timeout: float) -> dict[str, Any]:
    return {
        "name": "gateway",
        "address": _address(port),
        "per_connection_buffer_limit_bytes": max_body,
        "filter_chains": [{"filters": [_network_filter(_connection_manager(models, timeout))]}],
    }


def _connection_manager(models: Sequence[Model], timeout: float) -> dict[str, Any]:
    """As Envoy Gateway sets it up where nothing else is asked of it."""
    return {
        "stat_prefix": "gateway",
        "use_remote_address": True,
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
        "common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"},
        "route_config": {
            "name": "models",
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": _routes(models, timeout)}],
        },
        "early_header_mutation_extensions": [_no_private_headers()],
        "http_filters": http_filters(),
    }


def _no_private_headers() -> dict[str, Any]:
    """Whatever a client says about routing is gone before any filter looks."""
    kind = f"{_TYPES}.http.early_header_mutation.header_mutation.v3.HeaderMutation"
    removed = [{"remove": name} for name in (MODEL_HEADER, PATH_HEADER)]
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {"@type": kind, "mutations": removed},
    }


def _routes(models: Sequence[Model], timeout: float) -> list[dict[str, Any]]:
    """By the exact model; none of them is a 404."""
    known = [_route(model, [_header(MODEL_HEADER, model.name)], timeout) for model in models]
    # Envoy limits only requests that it could send somewhere, and asks before the processor has said where to.
    unseen = [{"name": PATH_HEADER, "present_match": True, "invert_match": True}]
    missing = {"match": {"prefix": "/"}, "direct_response": {"status": 404, "body": {"inline_string": NO_ROUTE}}}
    return [*known, _route(models[0], unseen, timeout), missing]


def _route(model: Model, headers: list[dict[str, Any]], timeout: float) -> dict[str, Any]:
    action = {"cluster": name_of(model.backends[0].engine), "timeout": f"{timeout:g}s"}
    return {
        "match": {"prefix": "/", "headers": headers},
        "route": action,
        "typed_per_filter_config": {_PROCESSOR: _with_answers()},
    }


def _with_answers() -> dict[str, Any]:
    """The processor sees answers as well.

    Not those to requests without a route: what Envoy says to a head that it cannot read, such as 431, would be lost
    while the processor is asked. And not in a filter of the engines' clusters, where the AI Gateway has its second
    half: there Envoy 1.40.0 dies (SIGSEGV) of a few requests of 1 MiB at a time.
    """
    modes = {**_REQUESTS_ONLY, "response_header_mode": "SEND"}
    return {"@type": f"{_FILTERS}.ext_proc.v3.ExtProcPerRoute", "overrides": {"processing_mode": modes}}


def http_filters() -> list[dict[str, Any]]:
    return [
        _http_filter("ext_authz", "ext_authz.v3.ExtAuthz", _authentication()),
        _http_filter("requests", "ratelimit.v3.RateLimit", _request_limits()),
        _http_filter("tokens", "ratelimit.v3.RateLimit", _token_limits()),
        _http_filter("ext_proc", "ext_proc.v3.ExternalProcessor", _ai_gateway()),
        _http_filter("json_to_metadata", "json_to_metadata.v3.JsonToMetadata", _usage_of_whole_answers()),
        _http_filter("sse_to_metadata", "sse_to_metadata.v3.SseToMetadata", _usage_of_streams()),
        # Envoy Gateway sends no x-envoy-* headers unless asked to.
        _http_filter("router", "router.v3.Router", {"suppress_envoy_headers": True}),
    ]


def _authentication() -> dict[str, Any]:
    exact = [{"exact": name} for name in ("www-authenticate", "x-ext-auth-reason")]
    return {
        "http_service": {
            "server_uri": {"uri": f"http://{LOOPBACK}", "cluster": _AUTHORINO, "timeout": ASK_TIMEOUT},
            "authorization_response": {
                "allowed_client_headers": {"patterns": exact},
                "dynamic_metadata_from_headers": {"patterns": [{"exact": USER}, {"exact": GROUPS}]},
            },
        },
        "status_on_error": {"code": "InternalServerError"},  # without Authorino nobody passes
    }


def _request_limits() -> dict[str, Any]:
    """Only what is posted counts. Limitador's headers are written by Envoy, from what the service says is left."""
    posted = {"header_value_match": {"descriptor_value": "post", "headers": [_header(":method", "POST")]}}
    return {
        **_rate_limit("requests"),
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "rate_limits": [{"actions": [posted, *_who()]}],
    }


def _token_limits() -> dict[str, Any]:
    """Looked at before the request, counted when the answer has ended; never a header about them."""
    metered = {"header_value_match": {"descriptor_value": "chat", "headers": [_header(":path", METERED_PATH)]}}
    check, report = (
        {"generic_key": {"descriptor_key": "phase", "descriptor_value": name}} for name in ("check", "report")
    )
    used = {"hits_addend": {"format": "%DYNAMIC_METADATA(ai:total_tokens)%"}, "apply_on_stream_done": True}
    return {
        **_rate_limit("tokens"),
        "rate_limits": [
            {"actions": [metered, check, *_who()], "hits_addend": {"number": 0}},
            {"actions": [metered, report, *_who()], **used},
        ],
    }


def _rate_limit(domain: str) -> dict[str, Any]:
    return {
        "domain": domain,
        "timeout": ASK_TIMEOUT,
        "disable_x_envoy_ratelimited_header": True,
        "rate_limit_service": {"transport_api_version": "V3", "grpc_service": _grpc()},
        # A service that cannot be asked lets everything pass, as Kuadrant's default is.
        "failure_mode_deny": False,
    }


def _who() -> list[dict[str, Any]]:
    return [
        {"metadata": {"descriptor_key": key, "metadata_key": {"key": _IDENTITY, "path": [{"key": name}]}}}
        for key, name in (("user", USER), ("groups", GROUPS))
    ]


def _ai_gateway() -> dict[str, Any]:
    return {
        "grpc_service": _grpc(),
        "message_timeout": PROCESSOR_TIMEOUT,
        "processing_mode": _REQUESTS_ONLY,
        "response_attributes": ["response.code_details"],
        "allow_mode_override": True,  # the bodies of errors are asked for one by one
        "mutation_rules": {"allow_all_routing": True},
    }


def _usage_of_whole_answers() -> dict[str, Any]:
    # Without the pattern "application/json; charset=utf-8" is not parsed.
    return {"response_rules": {"rules": [_usage()], "allow_content_types_regex": {"regex": "application/json.*"}}}


def _usage_of_streams() -> dict[str, Any]:
    parser = {"@type": f"{_TYPES}.content_parsers.json.v3.JsonContentParser", "rules": [{"rule": _usage()}]}
    return {"response_rules": {"content_parser": {"name": "envoy.content_parsers.json", "typed_config": parser}}}


def _usage() -> dict[str, Any]:
    return {
        "selectors": [{"key": "usage"}, {"key": "total_tokens"}],
        "on_present": {"metadata_namespace": "ai", "key": "total_tokens", "type": "NUMBER"},
    }


def _grpc() -> dict[str, Any]:
    return {"envoy_grpc": {"cluster_name": _SERVICES}}


def _header(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "string_match": {"exact": value}}


def _http_filter(name: str, kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": f"{_FILTERS}.{kind}", **config}}


def _network_filter(manager: Mapping[str, Any]) -> dict[str, Any]:
    kind = f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": {"@type": kind, **manager}}


def _service(name: str, port: int) -> dict[str, Any]:
    return _cluster(name, port, {"explicit_http_config": {"http2_protocol_options": {}}})


def _cluster(name: str, port: int, http: Mapping[str, Any] | None = None) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(port)}}
    cluster = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": CONNECT_TIMEOUT,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if http is None:
        return cluster
    kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    options = {"@type": f"type.googleapis.com/{kind}", **http}
    return {**cluster, "typed_extension_protocol_options": {kind: options}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None, f"an engine is a URL with a port: {url}"
    return port
