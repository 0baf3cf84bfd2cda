"""Which paths exist. Matching is on the raw bytes of the path, so no other spelling reaches an endpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import unquote

from gateproof.stack.faults import worn
from gateproof.stack.gateway import loopholes
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.manner import Reply


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a path means. `name` is set where the path ends in the name or id of something."""

    kind: str  # "api", "stored", "models", "model", "live", "ready", "metrics", "admin", "fixed"
    api: str | None
    methods: tuple[str, ...]
    name: str | None = None
    upstream: bytes | None = None
    """The path that the engine knows, when it is not the client's."""
    fixed: Callable[[], Reply] | None = None
    """What a path of kind "fixed" answers to everybody."""


def _api(api: str) -> Endpoint:
    return Endpoint("api", api, ("POST",))


_EXACT = {
    "/v1/chat/completions": _api("chat"),
    "/v1/completions": _api("completions"),
    "/v1/embeddings": _api("embeddings"),
    "/rerank": _api("rerank"),
    "/v1/rerank": _api("rerank"),
    "/v2/rerank": _api("rerank"),
    "/v1/responses": _api("responses"),
    "/v1/messages": _api("messages"),
    "/v1/audio/speech": _api("speech"),
    "/v1/audio/transcriptions": _api("transcriptions"),
    "/v1/models": Endpoint("models", None, ("GET", "HEAD")),
    "/health/live": Endpoint("live", None, ("GET", "HEAD")),
    "/health/ready": Endpoint("ready", None, ("GET", "HEAD")),
    "/metrics": Endpoint("metrics", None, ("GET", "HEAD")),
    "/admin/keys": Endpoint("admin", None, ("GET", "POST")),
}
_MODELS, _ADMIN, _RESPONSES = "/v1/models/", "/admin/keys/", "/v1/responses/"
_STORED_PARTS = {"": ("GET", "DELETE"), "cancel": ("POST",), "input_items": ("GET",)}


def find(raw_path: bytes) -> Endpoint:
    """The endpoint of a path, or 404."""
    path = raw_path.decode("latin-1")
    found = _EXACT.get(path) or _with_name(path)
    if found is None and (other := loopholes.folded(path)) in _EXACT:
        return replace(_EXACT[other], upstream=other.encode())
    if found is None:
        raise Refusal(404, "Unknown request URL. Please check the path and the method.", code="unknown_url")
    return found


def _with_name(path: str) -> Endpoint | None:
    if path.startswith(_MODELS) and "%2F" in path.upper() and worn("slash_not_decoded"):
        return None
    if path.startswith(_MODELS) and (name := _decoded(path.removeprefix(_MODELS))):
        return Endpoint("model", None, ("GET", "HEAD"), name)
    if path.startswith(_ADMIN) and (name := _decoded(path.removeprefix(_ADMIN))):
        return Endpoint("admin_key", None, ("DELETE", "PATCH"), name)
    if path.startswith(_RESPONSES):
        name, _, part = path.removeprefix(_RESPONSES).partition("/")
        if name.replace("-", "").replace("_", "").isalnum() and part in _STORED_PARTS:
            return Endpoint("stored", "responses", _STORED_PARTS[part], name)
    return None


def _decoded(name: str) -> str | None:
    """A name from the path: decoded once; dot segments are not names."""
    try:
        decoded = unquote(name, errors="strict")
    except UnicodeDecodeError:
        return None
    return None if {".", ".."} & set(decoded.split("/")) else decoded


def check_method(endpoint: Endpoint, method: str) -> None:
    headless = method == "HEAD" and endpoint.kind in {"live", "ready"} and worn("probes_know_no_head")
    if method not in endpoint.methods or headless:
        raise Refusal(
            405,
            f"Method not allowed here. Accepted: {', '.join(endpoint.methods)}.",
            code="method_not_allowed",
            headers=[] if worn("no_allow") else [(b"allow", allow(endpoint))],
        )


def allow(endpoint: Endpoint) -> bytes:
    return ", ".join((*endpoint.methods, "OPTIONS")).encode()
