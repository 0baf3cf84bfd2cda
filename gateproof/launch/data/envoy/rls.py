"""Envoy's rate limit service (gRPC, `envoy.service.ratelimit.v3`), answering as Limitador behind Kuadrant does.

Two domains, as Kuadrant asks twice: `requests` are checked and counted in one go; `tokens` are looked at before a
request (`phase` is `check`) and counted after it (`report`), so that the one that crosses the quota is served.
"""

# mypy: ignore-errors
# (its dependencies live in another environment than the one that is checked)

from __future__ import annotations

import math
from collections.abc import Mapping

from envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor
from envoy.service.ratelimit.v3 import rls_pb2, rls_pb2_grpc
from limits import Limiter, Room

Response = rls_pb2.RateLimitResponse

REFUSAL = b"Too Many Requests\n"  # wasm-shim's
# Envoy derives the window that it announces (`;w=`) from the unit, and leaves a limit of any other window out.
UNITS = {1: "SECOND", 60: "MINUTE", 3600: "HOUR", 86400: "DAY"}


class RateLimits(rls_pb2_grpc.RateLimitServiceServicer):
    def __init__(self, limiters: Mapping[str, Limiter]) -> None:
        self._limiters = limiters  # by domain

    async def ShouldRateLimit(self, request: rls_pb2.RateLimitRequest, _: object) -> Response:  # noqa: N802
        response = Response(overall_code=Response.OK)
        limiter = self._limiters[request.domain]
        for descriptor in request.descriptors:
            if not _admits(limiter, descriptor, response):
                response.overall_code, response.raw_body = Response.OVER_LIMIT, REFUSAL
        return response


def _admits(limiter: Limiter, descriptor: RateLimitDescriptor, response: Response) -> bool:
    entries = {entry.key: entry.value for entry in descriptor.entries}
    user, tiers = entries["user"], entries["groups"].split(",")
    match entries.get("phase"):
        case "check":
            within = limiter.is_within(user, tiers)
            response.statuses.add(code=Response.OK if within else Response.OVER_LIMIT)
            return within
        case "report":
            limiter.update(user, tiers, descriptor.hits_addend.value)
            response.statuses.add(code=Response.OK)
            return True
        case _:
            answer = limiter.check_and_update(user, tiers)
            for room in answer.rooms:
                _tell(room, response.statuses.add(code=Response.OVER_LIMIT if answer.limited else Response.OK))
            return not answer.limited


def _tell(room: Room, status: Response.DescriptorStatus) -> None:
    """What Envoy makes x-ratelimit-* of; it cuts the time to whole seconds, so that it must be rounded up before."""
    status.current_limit.name = room.limit.name
    status.current_limit.requests_per_unit = room.limit.most
    status.current_limit.unit = Response.RateLimit.Unit.Value(UNITS.get(int(room.limit.window), "UNKNOWN"))
    status.limit_remaining = room.remaining
    status.duration_until_reset.FromSeconds(math.ceil(room.reset))
