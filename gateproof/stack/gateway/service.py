"""The way of one API call: who, what, how much, where, and back."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from typing import Any

from gateproof.stack import config
from gateproof.stack.faults import worn
from gateproof.stack.gateway import leaky, loopholes, miscount, multipart, splice, tokens
from gateproof.stack.gateway.answer import Answer
from gateproof.stack.gateway.body import Receive, read_body
from gateproof.stack.gateway.call import Call
from gateproof.stack.gateway.catalogue import Catalogue, Destination, Route
from gateproof.stack.gateway.detour import Breaker, asked_for, falls_back_on, gives_up_after
from gateproof.stack.gateway.errors import ClientGone, Refusal, UpstreamError
from gateproof.stack.gateway.headers import RequestHeaders
from gateproof.stack.gateway.keyring import Tenant
from gateproof.stack.gateway.limits import ALL_KINDS, Meter
from gateproof.stack.gateway.loopholes import Buckets
from gateproof.stack.gateway.lots import for_call
from gateproof.stack.gateway.manner import JSON_TYPE, Manner
from gateproof.stack.gateway.metrics import Metrics
from gateproof.stack.gateway.paths import Endpoint
from gateproof.stack.gateway.presence import Presence
from gateproof.stack.gateway.relay import kind_of, pass_through, relay_bytes, relay_error, relay_json
from gateproof.stack.gateway.seats import Seats
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

    def __init__(self, settings: config.Gateway, metrics: Metrics, manner: Manner) -> None:
        self.settings, self.manner = settings, manner
        self.cache = None if manner.cache is None else manner.cache()
        self.metrics = metrics
        self.catalogue = Catalogue(settings)
        self.pool, self.breaker, self.seats = Pool(), Breaker(), Seats(settings.capacity)
        self.stored = Stored()
        self.bucket: dict[tuple[str, bytes], Meter] = {}
        self.buckets = Buckets()

    def listing(self, tenant: Tenant) -> Any:
        """The JSON of the models that a tenant may use."""
        if self.manner.listing is None:
            return self.catalogue.listing(tenant)
        return self.manner.listing(self.catalogue.names(tenant), self.catalogue.created)

    def card(self, name: str, tenant: Tenant) -> Any:
        if self.manner.card is None:
            return self.catalogue.card(name, tenant)
        return self.manner.card(name, self.catalogue.names(tenant), self.catalogue.created)

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
        call.cache = self.cache
        kept = None if self.cache is None else self.cache.find(call)
        if kept is not None:
            await answer.reply(kept)
            return
        if endpoint.kind == "stored":
            call.route = self.stored_route(endpoint.name or "", call)
        else:
            await self.enter(call)
        if call.streams or self.manner.cancels_unary:
            call.presence.begin(receive)
        try:
            with self.seats.taken(call.model):
                await self.forward(call)
        except ClientGone:
            call.settle(partial=0)
            loopholes.keep_place_of_aborted(call)
            miscount.give_back(call)
            raise
        except Refusal as refusal:
            loopholes.keep_place_of_failed(call, refusal)
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
            self.manner.check_type(headers)
        body = await read_body(receive, headers, self.settings.max_body)
        request: dict[str, Any] = {}
        rename: Rename = rename_in_json
        if boundary is not None:
            request = {"model": multipart.model_field(body, boundary)[0]}
            rename = rename_in_form(boundary)
        elif endpoint.kind == "api":
            request = self.manner.parse(body)
        model = self.manner.model_of(request) if endpoint.kind == "api" else ""
        query = scope["query_string"]
        target = (endpoint.upstream or scope["raw_path"]) + (b"?" + query if query else b"")
        call = Call(scope["method"], target, api, headers, body, request, model, rename, tenant, answer, Presence())
        call.upstream_key = self.settings.upstream_key
        call.path = scope["raw_path"]
        call.served = scope.get("served", 0)
        call.client, call.model = scope["client"], asked_for(call, next(iter(self.settings.models), ""))
        return call

    async def enter(self, call: Call) -> None:
        """No engine hears of a refused request."""
        try:
            self.admit(call)
        except Refusal as refusal:
            if call.route is not None and miscount.forwards_refused(refusal):
                await self.once_more(call, call.route.attempts[0])
            if (barred := leaky.barred_destination(call, self.catalogue)) is not None:
                await self.once_more(call, barred)
            raise

    def admit(self, call: Call) -> None:
        """Everything that can refuse, before anything is taken: a refused request costs nothing."""
        if self.manner.permit is not None:
            self.manner.permit(self.catalogue, call)
        call.answer.call, call.answer.model = call, call.model
        if self.manner.counts_before_routing:
            self.take(call)
        try:
            self.find_route(call)
        except Refusal:
            if call.admission is not None:
                call.admission.release()
            raise
        self.seats.check(call.model)
        if not self.manner.counts_before_routing:
            self.take(call)

    def find_route(self, call: Call) -> None:
        """Where it goes; a conversation that was begun goes on where it is kept."""
        call.route = self.routed(call) if self.manner.route is None else self.manner.route(self.catalogue, call)
        keeps = call.api == "responses" and not self.manner.passes_through
        previous = self.stored.previous(call.request, call.owner) if keeps else None
        if previous is not None:
            call.route = Route(
                call.route.public, call.route.reply_model, (Destination(previous, call.route.attempts[0].model),)
            )

    def take(self, call: Call) -> None:
        """Within the limits, or 429."""
        call.price = self.price_of(call.model)
        reserving = any(limit.mode == "reserve" for limit in call.tenant.rights.tokens)
        estimate = tokens.estimate(call.request, call.api) if reserving or miscount.estimates(call) else 0
        try:
            met = ALL_KINDS if self.manner.counted is None else self.manner.counted(call)
            call.admission = self.meter(call).admit(call.model, estimate, met)
        except Refusal as refusal:
            if self.counts(refusal):
                self.meter(call).count_refused(call.model)
            raise miscount.streamed(refusal, streams=call.streams) from None

    def counts(self, refusal: Refusal) -> bool:
        """Whether a refused request is one more all the same."""
        if refusal.limited is None:
            return False
        return self.manner.counts_refused or (self.manner.counts_over_quota and refusal.limited.unit == "tokens")

    def price_of(self, model: str) -> config.Price | None:
        """An alias costs what its model costs."""
        known = self.settings.models.get(model)
        return self.settings.prices.get((known and known.alias_of) or model)

    def routed(self, call: Call) -> Route:
        """By the model in the body; faults believe headers."""
        told = call.headers.get(ROUTING_HEADER).decode("latin-1")
        if told != call.model and self.catalogue.knows(told) and worn("routing_header_believed"):
            return self.catalogue.route(told, call.api, call.tenant)
        route = self.catalogue.route(call.model, call.api, call.tenant, for_call(call))
        place = call.headers.get(ENDPOINT_HEADER).decode("latin-1")
        if place and worn("endpoint_header_believed"):
            origin = Origin.of(f"http://{place}")
            return Route(route.public, route.reply_model, (Destination(origin, route.attempts[0].model),))
        return route

    def meter(self, call: Call) -> Meter:
        """The tenant's; a fault keeps one for each model that a header names."""
        if miscount.unmetered(call):
            return Meter(config.Tenant())
        if (other := self.buckets.other(call)) is not None:
            return other
        told = call.headers.get(ROUTING_HEADER)
        if told and call.tenant.rights.requests and worn("limit_bucket_by_header"):
            return self.bucket.setdefault((call.tenant.name, told), Meter(call.tenant.rights))
        agent = call.tenant.agent = call.headers.get(b"user-agent")
        sibling = next((each for each in call.tenant.siblings if each.agent == agent), None)
        counts = call.tenant.rights.budget is None  # budgets are no counters
        if counts and sibling is not None and worn("tenants_share_counters"):
            return sibling.meter
        return call.tenant.meter

    def stored_route(self, response_id: str, call: Call) -> Route:
        origin = self.stored.origin(response_id, call.owner)
        return Route("", "", (Destination(origin, ""),))

    async def forward(self, call: Call) -> None:
        """Try the chosen backend, then the fallbacks, until one gives an answer that the client shall have."""
        assert call.route is not None
        if (kept := leaky.cached(call)) is not None:
            await call.answer.whole(200, [(b"content-type", JSON_TYPE)], kept)
            return
        *others, last = call.route.attempts
        for destination in others:
            if self.breaker.passes_over(destination.origin):
                continue
            if await self.attempt(call, destination, may_fall_back=True):
                return
        await self.attempt(call, last, may_fall_back=False)

    async def attempt(self, call: Call, destination: Destination, *, may_fall_back: bool) -> bool:
        """Whether this backend gave the answer. Once its head is accepted there is no way back."""
        call.answer.attempts += 1
        try:
            connection = await self.pool.connect(destination.origin, call.presence)
        except UpstreamError:
            if may_fall_back and not worn("gone_backend_not_made_up"):
                return False
            raise
        failed = True
        try:
            began = time.monotonic()
            body = call.body_for(destination)
            await connection.exchange(call.head_for(destination, body), body, self.settings.upstream_timeout)
            failed = connection.status >= 500
            if may_fall_back and falls_back_on(connection.status, self.manner.falls_back_from):
                connection.done()
                return False
            if not call.streams and time.monotonic() - began > IMPATIENCE and worn("slow_calls_sent_twice"):
                await self.once_more(call, destination)
        except UpstreamError as error:
            connection.done()
            if may_fall_back and not gives_up_after(error):
                return False
            raise
        except BaseException:
            connection.done()
            raise
        finally:
            self.breaker.note(destination.origin, failed=failed)
        call.answer.destination, call.answer.upstream = destination, connection.headers
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
        elif self.manner.passes_through:
            await pass_through(call, connection, self.settings.request_timeout)
        elif kind == "stream":
            await StreamRelay(call, connection, new_model, self.stored).run(self.settings.keepalive)
        elif kind == "json":
            value = await relay_json(call, connection, new_model)
            if call.api == "responses":
                self.stored.note(value, call.owner, connection.origin)
        else:
            await relay_bytes(call, connection)


def rename_in_json(body: bytes, model: str) -> bytes:
    return splice.replace(body, "model", model)


def rename_in_form(boundary: bytes) -> Rename:
    def rename(body: bytes, model: str) -> bytes:
        _, begin, end = multipart.model_field(body, boundary)
        return body[:begin] + model.encode() + body[end:]

    return rename
