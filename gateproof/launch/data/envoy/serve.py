"""Both services that Envoy asks, in one process: serve.py PORT SETTINGS.

SETTINGS is a JSON file: {"models": [...], "limits": {"requests": {TIER: [[name, most, window], ...]}, "tokens": ...}}.
"""

# mypy: ignore-errors
# (its dependencies live in another environment than the one that is checked)

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import grpc
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc
from envoy.service.ratelimit.v3 import rls_pb2_grpc
from ext_proc import Processor
from limits import Limit, Limiter
from rls import RateLimits


async def serve(port: int, given: dict[str, Any]) -> None:
    limiters = {
        kind: Limiter({tier: [Limit(*each) for each in limits] for tier, limits in tiers.items()}, time.monotonic)
        for kind, tiers in given["limits"].items()
    }
    server = grpc.aio.server()
    rls_pb2_grpc.add_RateLimitServiceServicer_to_server(RateLimits(limiters), server)
    processor = Processor(given["models"], int(time.time()))
    external_processor_pb2_grpc.add_ExternalProcessorServicer_to_server(processor, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())))
