"""The control port: which faults are worn, the counters, a fresh start for the limits. Loopback only, no key."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any

from gateproof.stack.faults import worn
from gateproof.stack.gateway.answer import Answer, Send
from gateproof.stack.gateway.app import Gateway
from gateproof.stack.gateway.body import Receive, parse_object, read_body
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.headers import RequestHeaders
from gateproof.stack.gateway.manners import OPENAI
from gateproof.stack.gateway.metrics import METRICS_TYPE

MAX_BODY = 1024 * 1024  # bytes; a list of fault names


class Control:
    """What only the suite's own tests may do."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        answer = Answer(send, OPENAI)
        try:
            await self.respond(scope, receive, answer)
        except Refusal as refusal:
            await answer.refuse(refusal)

    async def respond(self, scope: MutableMapping[str, Any], receive: Receive, answer: Answer) -> None:
        match scope["method"], scope["path"]:
            case "GET", "/faults":
                await answer.json(200, {"names": worn.names, "reached": reached()})
            case "PUT", "/faults":
                body = await read_body(receive, RequestHeaders(scope["headers"]), MAX_BODY)
                worn.set(names_in(body))
                await answer.json(200, {"names": worn.names})
            case "POST", "/reset":
                self.gateway.keyring.reset()
                await answer.json(200, {})
            case "GET", "/metrics":
                await answer.whole(200, [(b"content-type", METRICS_TYPE)], self.gateway.metrics.text())
            case "GET", "/health":
                await answer.json(200, {"status": "live"})
            case _:
                raise Refusal(404, "Unknown path of the control port.")


def reached() -> dict[str, list[str]]:
    """By fault: the requirements whose requests came to its hook."""
    return {name: sorted(found) for name, found in worn.reached.items()}


def names_in(body: bytes) -> list[str]:
    names = parse_object(body).get("names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refusal(400, f"Expected {json.dumps({'names': ['fault', '...']})}.")
    return names
