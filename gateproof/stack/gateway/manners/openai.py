"""The gateway's own manner: OpenAI's, told as exactly as the standards allow. Every other one is made from it."""

from __future__ import annotations

import json
from typing import Any

from gateproof.stack import config
from gateproof.stack.gateway import admin, auth, body, catalogue, cors, health, hosts, leaky, paths
from gateproof.stack.gateway.answer import enveloped, plain_head
from gateproof.stack.gateway.call import Call
from gateproof.stack.gateway.headers import Pairs, RequestHeaders
from gateproof.stack.gateway.keyring import Keyring, Tenant
from gateproof.stack.gateway.manner import JSON_TYPE, Asked, Manner, Reply, Streaming
from gateproof.stack.gateway.metrics import METRICS_TYPE, Metrics
from gateproof.stack.gateway.paths import Endpoint
from gateproof.stack.gateway.streaming import error_event

CALLER = b"x-consumer-username"


def find(_method: str, raw_path: bytes) -> Endpoint:
    return paths.find(raw_path)


def options(endpoint: Endpoint, headers: RequestHeaders, shared: Pairs) -> Reply:
    return Reply(204, [(b"allow", paths.allow(endpoint)), *cors.preflight(headers, shared)], b"")


def authenticate(headers: RequestHeaders, keyring: Keyring, endpoint: Endpoint) -> Tenant:
    return auth.authenticate(headers, keyring, endpoint.api)


def upstream_headers(call: Call, pairs: Pairs) -> Pairs:
    """The engines are told who is calling, as Kong tells its upstreams."""
    return [*pairs, (CALLER, leaky.caller(call, CALLER))]


class OwnAdmin:
    """`/admin/keys`."""

    def __init__(self, keyring: Keyring, settings: config.Gateway) -> None:
        self._keyring, self._admin_key = keyring, settings.admin_key

    def check(self, headers: RequestHeaders, path: str) -> None:  # noqa: ARG002 - one key for all of it
        admin.check_admin(headers, self._admin_key)

    def answer(self, asked: Asked) -> Reply:
        key = paths.find(asked.path.encode("latin-1")).name
        return answered_json(self._answer(asked, key))

    def _answer(self, asked: Asked, key: str | None) -> Any:
        if key is None:
            return admin.mint(self._keyring, asked.body) if asked.method == "POST" else admin.listing(self._keyring)
        if asked.method == "DELETE":
            return admin.revoke(self._keyring, key)
        return admin.change(self._keyring, key, asked.body)


def answered_json(value: Any) -> Reply:
    return Reply(200, [(b"content-type", JSON_TYPE)], json.dumps(value).encode())


def metrics(counters: Metrics, tenant: str | None) -> Reply:
    return Reply(200, [(b"content-type", METRICS_TYPE)], counters.text(tenant))


def model_of(request: dict[str, Any]) -> str:
    return catalogue.model_name(request.get("model"))


OPENAI = Manner(
    name="openai",
    check_host=hosts.check,
    find=find,
    options=options,
    authenticate=authenticate,
    check_type=body.check_json_type,
    parse=body.parse_object,
    model_of=model_of,
    upstream_headers=upstream_headers,
    head=plain_head,
    refusal=enveloped,
    probe=health.probe,
    metrics=metrics,
    streaming=Streaming(error=error_event),
    admin=OwnAdmin,
)
