"""The gateway as an ASGI application: which endpoint, who is calling, and what to say when it fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from typing import Any

from gateproof.stack import config
from gateproof.stack.faults import note_requirement, worn
from gateproof.stack.gateway import admin, careless, cors
from gateproof.stack.gateway.answer import Answer, Send
from gateproof.stack.gateway.auth import authenticate
from gateproof.stack.gateway.body import Receive, read_body
from gateproof.stack.gateway.errors import ClientGone, Refusal
from gateproof.stack.gateway.headers import RequestHeaders
from gateproof.stack.gateway.health import Readiness
from gateproof.stack.gateway.keyring import Keyring, Tenant
from gateproof.stack.gateway.metrics import Metrics
from gateproof.stack.gateway.paths import Endpoint, allow, check_method, find
from gateproof.stack.gateway.service import Service

METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

log = logging.getLogger(__name__)


class Gateway:
    """The data port."""

    def __init__(self, settings: config.Gateway) -> None:
        self.settings = settings
        self.keyring = Keyring(settings)
        self.metrics = Metrics()
        self.service = Service(settings, self.metrics)
        self.running = 0
        self.readiness = Readiness(self.service.pool, self.service.catalogue)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        answer = Answer(send)
        note_requirement(scope["headers"])
        try:
            await self.respond(scope, receive, answer)
        except Refusal as refusal:
            await self.refuse(answer, refusal)
        except ClientGone:
            pass
        except RecursionError:
            await self.refuse(answer, Refusal(400, "The request is nested too deeply.", code="invalid_json"))
        except Exception:
            log.exception("defect in the gateway")
            await self.refuse(answer, Refusal(500, "The gateway failed.", code="internal_error"))

    async def refuse(self, answer: Answer, refusal: Refusal) -> None:
        """Say no, unless the head is out: then the broken-off body says it."""
        if not answer.status:
            await answer.refuse(refusal)

    async def respond(self, scope: MutableMapping[str, Any], receive: Receive, answer: Answer) -> None:
        headers = RequestHeaders(list(scope["headers"]))
        self.check_host(headers, scope["http_version"])
        endpoint = find(scope["raw_path"])
        answer.api = endpoint.api
        answer.extra = cors.response_headers(headers, self.settings.cors)
        if scope["method"] == "OPTIONS":
            await answer.whole(204, [(b"allow", allow(endpoint)), *cors.preflight(headers, answer.extra)], b"")
            return
        check_method(endpoint, scope["method"])
        await self.open_or_closed(scope, receive, answer, endpoint, headers)

    def check_host(self, headers: RequestHeaders, version: str) -> None:
        """RFC 9112 §3.2: exactly one Host; and only for names that are ours."""
        hosts = headers.all(b"host")
        if len(hosts) > 1 or (not hosts and version == "1.1"):
            raise Refusal(400, "Exactly one Host header is required.", code="invalid_host")
        if hosts and "*" not in self.settings.hosts and host_name(hosts[0]) not in self.settings.hosts:
            raise Refusal(421, "This host is not served here.", code="unknown_host")

    async def open_or_closed(
        self,
        scope: MutableMapping[str, Any],
        receive: Receive,
        answer: Answer,
        endpoint: Endpoint,
        headers: RequestHeaders,
    ) -> None:
        """Probes are open; everything else wants to know who is calling."""
        if endpoint.kind in {"live", "ready"}:
            await self.spoil_probe(endpoint, headers, answer)
        if endpoint.kind == "live":
            version = {"version": "1.4.2"} if worn("probe_tells_version") else {}
            await answer.json(202 if worn("liveness_is_202") else 200, {"status": "live", **version})
        elif endpoint.kind == "ready":
            ready = await self.readiness.ready() and not worn("never_ready")
            await answer.json(200 if ready else 503, {"status": "ready" if ready else "not ready"})
        elif endpoint.kind == "metrics":
            await answer.whole(200, [(b"content-type", METRICS_TYPE)], self.metrics.text(self.reader(headers)))
        elif endpoint.kind in {"admin", "admin_key"}:
            await self.administer(scope["method"], receive, answer, endpoint, headers)
        else:
            await self.serve(scope, receive, answer, endpoint, headers)

    async def spoil_probe(self, endpoint: Endpoint, headers: RequestHeaders, answer: Answer) -> None:
        known = bool(headers.all(b"authorization"))
        if not known and worn("probes_want_a_key"):
            authenticate(headers, self.keyring, None)
        if known and worn("probes_are_charged"):
            authenticate(headers, self.keyring, None).meter.admit("", 0).release()
        if self.running > careless.BUSY and worn("probes_behind_the_work"):
            await asyncio.sleep(careless.HELD_UP)
        if endpoint.kind == "live" and worn("probes_cacheable"):
            answer.extra = [*answer.extra, (b"cache-control", b"public, max-age=60")]

    def reader(self, headers: RequestHeaders) -> str | None:
        """Whose numbers may be read: everybody's by the admin, a tenant's own by the tenant."""
        if admin.is_admin(headers, self.settings.admin_key):
            return None
        return authenticate(headers, self.keyring, None).name

    async def administer(
        self, method: str, receive: Receive, answer: Answer, endpoint: Endpoint, headers: RequestHeaders
    ) -> None:
        admin.check_admin(headers, self.settings.admin_key)
        if endpoint.kind == "admin_key":
            await answer.json(200, admin.revoke(self.keyring, endpoint.name or ""))
        elif method == "POST":
            body = await read_body(receive, headers, self.settings.max_body)
            await answer.json(200, admin.mint(self.keyring, body))
        else:
            await answer.json(200, admin.listing(self.keyring))

    async def serve(
        self,
        scope: MutableMapping[str, Any],
        receive: Receive,
        answer: Answer,
        endpoint: Endpoint,
        headers: RequestHeaders,
    ) -> None:
        if endpoint.kind == "models" and not headers.all(b"authorization") and worn("models_open_to_all"):
            await answer.json(200, self.service.catalogue.listing(next(iter(self.keyring.tenants.values()))))
            return
        headers = careless.with_key_of_query(headers, scope["query_string"])
        tenant = authenticate(headers, self.keyring, endpoint.api)
        answer.meter = tenant.meter
        self.running += 1
        try:
            if endpoint.kind == "models":
                bill_listing(tenant)
                await answer.json(200, self.service.catalogue.listing(tenant))
            elif endpoint.kind == "model":
                await answer.json(200, self.service.catalogue.card(endpoint.name or "", tenant))
            else:
                await self.service.serve(scope, receive, answer, endpoint, tenant, headers)
        except Refusal as refusal:
            await self.refuse(answer, refusal)
        finally:
            self.running -= 1
            self.metrics.request(tenant.name, answer.model, endpoint.api or endpoint.kind, answer.status)


def bill_listing(tenant: Tenant) -> None:
    """A list of models costs nothing."""
    if tenant.rights.tokens and worn("listing_costs_tokens"):
        admission = tenant.meter.admit("", 0)
        admission.charge(1)
        admission.release()


def host_name(value: bytes) -> str:
    """The host without its port."""
    text = value.decode("latin-1").lower()
    return text if text.endswith("]") else text.rpartition(":")[0] or text
