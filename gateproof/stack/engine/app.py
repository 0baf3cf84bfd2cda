"""The engine's two ASGI applications over one state: the model server and its control port."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from gateproof.stack.engine import audio, chat, messages, pages, responses, vectors
from gateproof.stack.engine.ledger import Ledger
from gateproof.stack.engine.wire import Call, ClientGone, Cut, Message, Receive, Refused, Send
from gateproof.stack.faults import note_requirement, worn
from gateproof.stack.process import Door

Handler = Callable[[Call, dict[str, Any]], Awaitable[None]]

POSTS: dict[str, Handler] = {
    "/v1/chat/completions": chat.chat,
    "/v1/completions": chat.completions,
    "/v1/embeddings": vectors.embeddings,
    "/v1/rerank": vectors.rerank,
    "/rerank": vectors.rerank,
    "/v2/rerank": vectors.rerank,
    "/v1/responses": responses.responses,
    "/v1/messages": messages.messages,
    "/v1/audio/speech": audio.speech,
    "/tokenize": pages.tokenize,
}
UPLOAD = "/v1/audio/transcriptions"
GETS = ("/v1/models", "/health", "/ping", "/version", "/metrics")


def create(name: str, models: Collection[str] = (), door: Door | None = None) -> tuple[App, App]:
    """(model server, control port) of the engine of this name; without ``models`` it serves any model."""
    ledger = Ledger(name, models)
    return App(ledger, serve), App(ledger, partial(control, door=door))


class App:
    """One ASGI application; every way that an answer can end is entered in the ledger."""

    def __init__(self, ledger: Ledger, respond: Callable[[Call], Awaitable[None]]) -> None:
        self.ledger, self._respond = ledger, respond

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        note_requirement(scope["headers"])
        call = Call(scope, receive, send, self.ledger)
        outcome = "complete"
        try:
            await self._guarded(call)
        except ClientGone:
            outcome = "cancelled"
        except Cut:
            outcome = "cut"  # returning without an end makes the server close the connection
        finally:
            call.close()
            if call.seen is not None:
                self.ledger.end(call.seen, outcome)

    async def _guarded(self, call: Call) -> None:
        try:
            await self._respond(call)
        except Refused as refused:
            more = {"allow": "GET, HEAD" if call.path in GETS else "POST"} if refused.status == 405 else {}
            await call.json(refused.status, refused.body, more)
        except (ClientGone, Cut):
            raise
        except Exception:  # noqa: BLE001 - a defect of the engine: told in its log and as a 500
            traceback.print_exc(file=sys.stderr)
            if call.head_sent:
                raise Cut from None
            await call.json(500, Refused(500, "the engine has a defect").body)


async def serve(call: Call) -> None:
    path = call.path
    if path in POSTS or path == UPLOAD:
        if call.method != "POST":
            raise Refused(405, f"{call.method} is not allowed here.")
        content = await call.read()
        if path == UPLOAD:
            await audio.transcriptions(call, content)
        else:
            await POSTS[path](call, json_object(content))
    elif path.startswith(responses.STORED):
        await responses.stored(call)
    elif path in GETS or path.startswith("/v1/models/"):
        if call.method not in ("GET", "HEAD"):
            raise Refused(405, f"{call.method} is not allowed here.")
        await page(call)
    else:
        raise Refused(404, f"Unknown path {path}.")


def json_object(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"The body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise Refused(400, "The body is no JSON object.")
    return body


async def page(call: Call) -> None:
    match call.path:
        case "/health" | "/ping":
            await call.whole(200, b"", "text/plain")
        case "/version":
            await call.json(200, {"version": pages.VERSION})
        case "/metrics":
            await call.whole(200, pages.metrics(call.ledger).encode(), "text/plain; version=0.0.4")
        case "/v1/models":
            await pages.models(call)
        case path:
            await pages.one_model(call, path.removeprefix("/v1/models/"))


async def control(call: Call, door: Door | None) -> None:
    """Loopback only, no key: what was seen, the counters, which faults are worn, whether the door is open."""
    match call.method, call.path:
        case "GET", "/seen":
            nonce = parse_qs(call.scope["query_string"].decode()).get("nonce", [""])[0]
            await call.json(200, {"requests": call.ledger.by_nonce(nonce)})
        case "GET", "/counters":
            await call.json(200, call.ledger.counters())
        case "GET", "/faults":
            await call.json(
                200, {"names": worn.names, "reached": {name: sorted(ids) for name, ids in worn.reached.items()}}
            )
        case "PUT", "/faults":
            worn.set(json_object(await call.read()).get("names", []))
            await call.json(200, {"names": worn.names})
        case (("GET" | "PUT"), "/door") if door is not None:
            if call.method == "PUT":
                await move(door, json_object(await call.read()))
            await call.json(200, {"engine": call.ledger.name, "open": door.is_open})
        case _:
            raise Refused(404, f"Unknown path {call.path} of the control port.")


async def move(door: Door, order: dict[str, Any]) -> None:
    """``{"shut": SECONDS}``, or ``{"shut": 0}`` to open it now."""
    seconds = order.get("shut")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise Refused(400, "Expected the seconds for which the door is to be shut.", param="shut")
    if seconds:
        door.shut(seconds)
    else:
        await door.open()
