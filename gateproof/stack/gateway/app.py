"""The gateway as an ASGI application: which endpoint, who is calling, and what to say when it fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from typing import Any

from gateproof.stack import config
from gateproof.stack.faults import note_requirement, worn
from gateproof.stack.gateway import admin, careless, cors, leaky, loopholes
from gateproof.stack.gateway.answer import Answer, Send
from gateproof.stack.gateway.auth import authenticate
from gateproof.stack.gateway.body import Receive, read_body
from gateproof.stack.gateway.errors import ClientGone, Cut, Refusal
from gateproof.stack.gateway.headers import RequestHeaders
from gateproof.stack.gateway.health import Readiness
from gateproof.stack.gateway.keyring import Keyring, Tenant
from gateproof.stack.gateway.manner import Asked
from gateproof.stack.gateway.manners import MANNERS
from gateproof.stack.gateway.metrics import Metrics
from gateproof.stack.gateway.paths import Endpoint, check_method
from gateproof.stack.gateway.service import Service

log = logging.getLogger(__name__)


class Gateway:
    """The data port."""

    def __init__(self, settings: config.Gateway) -> None:
        self.settings = settings
        self.manner = MANNERS[settings.manner]
        self.keyring = Keyring(settings)
        self.metrics = Metrics()
        self.service = Service(settings, self.metrics, self.manner)
        self.admin = self.manner.admin(self.keyring, settings)
        self.running = 0
        self.readiness = Readiness(self.service.pool, self.service.catalogue)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        answer = Answer(send, self.manner)
        note_requirement(scope["headers"])
        try:
            await self.respond(scope, receive, answer)
        except Refusal as refusal:
            await self.refuse(answer, refusal)
        except ClientGone:
            pass
        except Cut:
            scope["cut"]()
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
        headers = answer.headers = RequestHeaders(list(scope["headers"]))
        self.manner.check_host(headers, scope["http_version"], self.settings.hosts)
        endpoint = self.manner.find(scope["method"], scope["raw_path"])
        answer.api = endpoint.api
        answer.extra = cors.response_headers(headers, self.settings.cors)
        if scope["method"] == "OPTIONS" and self.manner.options is not None:
            await answer.reply(self.manner.options(endpoint, headers, answer.extra))
            return
        check_method(endpoint, scope["method"])
        await self.open_or_closed(scope, receive, answer, endpoint, headers)

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
            await answer.reply(self.manner.probe(endpoint.kind, await self.is_ready(endpoint.kind)))
        elif endpoint.kind == "metrics":
            reader = None if self.manner.open_metrics else self.reader(headers, endpoint)
            await answer.reply(self.manner.metrics(self.metrics, reader))
        elif endpoint.fixed is not None:
            await answer.reply(endpoint.fixed())
        elif endpoint.kind in {"admin", "admin_key"}:
            await self.administer(scope, receive, answer, headers)
        else:
            await self.serve(scope, receive, answer, endpoint, headers)

    async def is_ready(self, probe: str) -> bool:
        if probe == "live" or not self.manner.ready_asks_engines:
            return True
        return await self.readiness.ready() and not worn("never_ready")

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

    def reader(self, headers: RequestHeaders, endpoint: Endpoint) -> str | None:
        """Whose numbers may be read: everybody's by the admin, a tenant's own by the tenant."""
        if admin.is_admin(headers, self.settings.admin_key):
            return None
        return self.manner.authenticate(headers, self.keyring, endpoint).name

    async def administer(
        self, scope: MutableMapping[str, Any], receive: Receive, answer: Answer, headers: RequestHeaders
    ) -> None:
        path = scope["raw_path"].decode("latin-1")
        self.admin.check(headers, path)
        body = await read_body(receive, headers, self.settings.max_body)
        await answer.reply(self.admin.answer(Asked(scope["method"], path, scope["query_string"], headers, body)))

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
        if self.manner.glance is not None and endpoint.kind == "api":
            body = await read_body(receive, headers, self.settings.max_body)
            self.manner.glance(endpoint, headers, body)
            receive = replayed(body, receive)
        try:
            tenant = self.manner.authenticate(headers, self.keyring, endpoint)
        except Refusal:
            loopholes.charge_for_strangers(self.keyring)
            raise
        tenant = leaky.told_tenant(headers, self.keyring, tenant)
        answer.tenant, answer.meter = tenant, tenant.meter
        self.running += 1
        try:
            if endpoint.kind == "models":
                bill_listing(tenant)
                await answer.json(200, self.service.listing(tenant))
            elif endpoint.kind == "model":
                await answer.json(200, self.service.card(endpoint.name or "", tenant))
            else:
                await self.service.serve(scope, receive, answer, endpoint, tenant, headers)
        except Refusal as refusal:
            loopholes.after_mistake(tenant, refusal)
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


def replayed(body: bytes, receive: Receive) -> Receive:
    """A body that has been read, to be read again; then what else comes."""
    again: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> MutableMapping[str, Any]:
        return again.pop() if again else await receive()

    return receive_again
