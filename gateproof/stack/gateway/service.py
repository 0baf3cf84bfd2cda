"""The way of one API call: who, what, how much, where, and back."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from typing import Any

from gateproof.stack import config
from gateproof.stack.faults import worn
from gateproof.stack.gateway import miscount, multipart, splice, tokens
from gateproof.stack.gateway.answer import Answer
from gateproof.stack.gateway.body import Receive, check_json_type, parse_object, read_body
from gateproof.stack.gateway.call import Call
from gateproof.stack.gateway.catalogue import Catalogue, Destination, Route, model_name
from gateproof.stack.gateway.errors import ClientGone, Refusal, UpstreamError
from gateproof.stack.gateway.headers import RequestHeaders
from gateproof.stack.gateway.keyring import Tenant
from gateproof.stack.gateway.limits import Meter
from gateproof.stack.gateway.metrics import Metrics
from gateproof.stack.gateway.paths import Endpoint
from gateproof.stack.gateway.presence import Presence
from gateproof.stack.gateway.relay import kind_of, relay_bytes, relay_error, relay_json
from gateproof.stack.gateway.stored import Stored
from gateproof.stack.gateway.streaming import StreamRelay
from gateproof.stack.gateway.upstream import Connection, Origin, Pool

Rename = Callable[[bytes, str], bytes]
IMPATIENCE = 1.0  # s after which a fault takes a slow answer for a lost one
MULTIPART_APIS = ("transcriptions",)
# What Envoy AI Gateway and the Gateway API inference extension route by, inside; here only faults read them.
ROUTING_HEADER = b"x-ai-eg-model"
ENDPOINT_HEADER = b"x-gateway-destination-endpoint"


class Service:
    """What the API endpoints need to be served."""

    def __init__(self, settings: config.Gateway, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.catalogue = Catalogue(settings)
        self.pool = Pool()
        self.stored = Stored()
        self.bucket: dict[tuple[str, bytes], Meter] = {}

    async def serve(
        self,
        scope: MutableMapping[str, Any],
        receive: Receive,
        answer: Answer,
        endpoint: Endpoint,
        tenant: Tenant,
        headers: RequestHeaders,
    ) -> None:
        """One request of one tenant, from its body to the end of its answer."""
        call = await self.read(scope, receive, answer, endpoint, tenant, headers)
        if endpoint.kind == "stored":
            call.route = self.stored_route(endpoint.name or "", call)
        else:
            self.admit(call)
        call.presence.begin(receive)
        try:
            await self.forward(call)
        except ClientGone:
            call.settle(partial=0)
            raise
        finally:
            call.presence.end()
            self.metrics.tokens(tenant.name, call.model, call.api, call.ledger)
            if call.admission is not None:
                miscount.at_end(call, call.admission)
                call.admission.release()
        if endpoint.kind == "stored" and call.method == "DELETE" and answer.status < 300:
            self.stored.forget(endpoint.name or "")

    async def read(
        self,
        scope: MutableMapping[str, Any],
        receive: Receive,
        answer: Answer,
        endpoint: Endpoint,
        tenant: Tenant,
        headers: RequestHeaders,
    ) -> Call:
        api = endpoint.api or ""
        boundary = multipart.boundary_of(headers) if api in MULTIPART_APIS else None
        if endpoint.kind == "api" and boundary is None:
            check_json_type(headers)
        body = await read_body(receive, headers, self.settings.max_body)
        request: dict[str, Any] = {}
        rename: Rename = rename_in_json
        if boundary is not None:
            request = {"model": multipart.model_field(body, boundary)[0]}
            rename = rename_in_form(boundary)
        elif endpoint.kind == "api":
            request = parse_object(body)
        model = model_name(request.get("model")) if endpoint.kind == "api" else ""
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        return Call(scope["method"], target, api, headers, body, request, model, rename, tenant, answer, Presence())

    def admit(self, call: Call) -> None:
        """Everything that can refuse, before anything is taken: a refused request costs nothing."""
        call.route = self.routed(call)
        previous = self.stored.previous(call.request, call.tenant.name) if call.api == "responses" else None
        if previous is not None:
            call.route = Route(
                call.route.public, call.route.reply_model, (Destination(previous, call.route.attempts[0].model),)
            )
        call.answer.model = call.model
        reserving = any(limit.mode == "reserve" for limit in call.tenant.rights.tokens)
        estimate = tokens.estimate(call.request, call.api) if reserving or miscount.estimates(call) else 0
        try:
            call.admission = self.meter(call).admit(call.model, estimate)
        except Refusal as refusal:
            raise miscount.streamed(refusal, streams=call.streams) from None

    def routed(self, call: Call) -> Route:
        """By the model in the body; faults believe headers."""
        told = call.headers.get(ROUTING_HEADER).decode("latin-1")
        if told != call.model and self.catalogue.knows(told) and worn("routing_header_believed"):
            return self.catalogue.route(told, call.api, call.tenant)
        route = self.catalogue.route(call.model, call.api, call.tenant)
        place = call.headers.get(ENDPOINT_HEADER).decode("latin-1")
        if place and worn("endpoint_header_believed"):
            origin = Origin.of(f"http://{place}")
            return Route(route.public, route.reply_model, (Destination(origin, route.attempts[0].model),))
        return route

    def meter(self, call: Call) -> Meter:
        """The tenant's; a fault keeps one for each model that a header names."""
        told = call.headers.get(ROUTING_HEADER)
        if told and call.tenant.rights.requests and worn("limit_bucket_by_header"):
            return self.bucket.setdefault((call.tenant.name, told), Meter(call.tenant.rights))
        if call.tenant.sibling is not None and worn("tenants_share_counters"):
            return call.tenant.sibling.meter
        return call.tenant.meter

    def stored_route(self, response_id: str, call: Call) -> Route:
        origin = self.stored.origin(response_id, call.tenant.name)
        return Route("", "", (Destination(origin, ""),))

    async def forward(self, call: Call) -> None:
        """Try the chosen backend, then the fallbacks, until one gives an answer that the client shall have."""
        assert call.route is not None
        *others, last = call.route.attempts
        for destination in others:
            if await self.attempt(call, destination, may_fall_back=True):
                return
        await self.attempt(call, last, may_fall_back=False)

    async def attempt(self, call: Call, destination: Destination, *, may_fall_back: bool) -> bool:
        """Whether this backend gave the answer. Once its head is accepted there is no way back."""
        try:
            connection = await self.pool.connect(destination.origin, call.presence)
        except UpstreamError:
            if may_fall_back:
                return False
            raise
        try:
            began = time.monotonic()
            body = call.body_for(destination)
            await connection.exchange(call.head_for(destination, body), body, self.settings.upstream_timeout)
            if may_fall_back and falls_back_on(connection.status):
                return False
            if not call.streams and time.monotonic() - began > IMPATIENCE and worn("slow_calls_sent_twice"):
                await self.once_more(call, destination)
        except UpstreamError:
            connection.done()
            if may_fall_back:
                return False
            raise
        except BaseException:
            connection.done()
            raise
        try:
            await self.relay(call, connection, call.renamed(destination))
        finally:
            connection.done()
        return True

    async def once_more(self, call: Call, destination: Destination) -> None:
        """The same request again, whose answer nobody gets."""
        connection = await self.pool.connect(destination.origin, call.presence)
        try:
            body = call.body_for(destination)
            await connection.exchange(call.head_for(destination, body), body, self.settings.upstream_timeout)
        finally:
            connection.done()

    async def relay(self, call: Call, connection: Connection, new_model: str | None) -> None:
        kind = kind_of(connection)
        if kind == "error":
            await relay_error(call, connection)
        elif kind == "stream":
            await StreamRelay(call, connection, new_model, self.stored).run(self.settings.keepalive)
        elif kind == "json":
            value = await relay_json(call, connection, new_model)
            if call.api == "responses":
                self.stored.note(value, call.tenant.name, connection.origin)
        else:
            await relay_bytes(call, connection)


def falls_back_on(status: int) -> bool:
    """Only the engine's own failures: a 4xx is the client's, and another engine would say the same."""
    return status >= 500


def rename_in_json(body: bytes, model: str) -> bytes:
    return splice.replace(body, "model", model)


def rename_in_form(boundary: bytes) -> Rename:
    def rename(body: bytes, model: str) -> bytes:
        _, begin, end = multipart.model_field(body, boundary)
        return body[:begin] + model.encode() + body[end:]

    return rename
