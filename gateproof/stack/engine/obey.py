"""Orders that hold for every API: wait, fail, cut, and answers with extra fields and headers."""

from __future__ import annotations

import json
from typing import Any

from gateproof.stack.engine.script import Script
from gateproof.stack.engine.wire import JSON_TYPE, Call, Cut


async def obey(call: Call, script: Script) -> bool:
    """Wait as ordered; True when the ordered answer has been given instead of a reply."""
    call.watch()
    if script.coding == "gzip":
        call.compress()
    await call.sleep(call.ledger.turn(script.nonce, script.slots, script.delay) if script.slots else script.delay)
    if not script.status:
        return False
    if call.seen is not None:
        call.seen.timed = None
    text = script.body
    if text is None:
        error = {"message": "the engine was told to fail", "type": "server_error", "param": None, "code": None}
        text = json.dumps({"error": error})
    await call.whole(script.status, text.encode(), script.content_type, script.headers)
    return True


async def answer(call: Call, script: Script, value: dict[str, Any]) -> None:
    """A unary reply; an ordered cut comes in the middle of its body."""
    value = {**value, **script.extra}
    if script.cut_after is None:
        await call.json(200, value, script.headers)
        return
    data = json.dumps(value, ensure_ascii=False).encode()
    await call.head(200, JSON_TYPE, {"content-length": str(len(data)), **script.headers})
    await call.write(data[: len(data) // 2])
    raise Cut
