"""A stream of events at the ordered pace, byte for byte as ordered."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateproof.stack.engine.script import BEFORE_COMMENT, BEFORE_EXTRA, Script
from gateproof.stack.engine.wire import Call, Cut

STREAM_TYPE = "text/event-stream; charset=utf-8"
STALL = 120.0  # s that a stalled stream is held open at most
IN_CHARACTER = 0.005  # s between two pieces of one character
DONE = "[DONE]"


@dataclass(slots=True)
class Item:
    """One event; ``content`` ones are paced and counted by the orders."""

    data: dict[str, Any]
    content: bool = False
    name: str | None = None


def encode(script: Script, text: str, name: str | None = None) -> bytes:
    space = " " if script.space else ""
    lines = ([f"event:{space}{name}"] if name else []) + [f"data:{space}{text}"]
    return (script.eol.join(lines) + script.eol * 2).encode("utf-8", "replace")


async def send(call: Call, script: Script, items: Iterable[Item], *, done: bool = True) -> None:
    """Head, events and end of a stream; the ledger counts its content events."""
    await call.head(200, STREAM_TYPE, {"cache-control": "no-cache", **script.headers})
    call.watch()
    await call.sleep(script.ttft)
    pace = Pace(call, script)
    if await pace.trouble():
        return
    for item in items:
        if item.content:
            await pace.before()
        await write(
            call, script, encode(script, json.dumps({**item.data, **script.extra}, ensure_ascii=False), item.name)
        )
        if item.content and await pace.after():
            return
    if script.usage_at == BEFORE_COMMENT:
        await write(call, script, f": end{script.eol}{script.eol}".encode())
    if done:
        await write(call, script, encode(script, DONE))
    if script.usage_at == BEFORE_EXTRA:
        await write(call, script, encode(script, "{}", "close"))
    await call.finish()


class Pace:
    """When the next content event is due, and what is to happen instead of it."""

    def __init__(self, call: Call, script: Script) -> None:
        self.call, self.script = call, script
        self.sent = 0
        self.due = time.monotonic()

    async def before(self) -> None:
        if self.sent:
            self.due += self.script.gap
            await self.call.sleep(self.due - time.monotonic())
        if self.call.seen is not None and self.call.seen.timed is not None:
            self.call.ledger.timings.token(self.call.seen.timed, time.monotonic())

    async def after(self) -> bool:
        """Whether the stream ended with an error here."""
        script = self.script
        self.sent += 1
        if self.call.seen is not None:
            self.call.seen.events = self.sent
        if script.comment_every and self.sent % script.comment_every == 0:
            await write(self.call, script, f": ping{script.eol}{script.eol}".encode())
        if script.silent and self.sent == 1:
            await self.call.sleep(script.silent)
            self.due = time.monotonic()
        return await self.trouble()

    async def trouble(self) -> bool:
        """What was ordered to happen after so many content events; whether that ended the stream."""
        script = self.script
        if self.sent == script.cut_after:
            raise Cut
        if self.sent == script.stall_after:
            await self.call.sleep(STALL)
            raise Cut
        if self.sent != script.error_after:
            return False
        if self.call.seen is not None:
            self.call.seen.timed = None
        error = {
            "error": {"message": "the engine was told to fail", "type": "server_error", "param": None, "code": None}
        }
        await write(self.call, script, encode(script, json.dumps(error)))
        if script.error_done:
            await write(self.call, script, encode(script, DONE))
        await self.call.finish()
        return True


async def write(call: Call, script: Script, data: bytes) -> None:
    if not script.split:
        await call.write(data)
        return
    for start in range(0, len(data), script.split):
        # Let the transport send each piece by itself; the rest of a character late enough to be read by itself, too.
        await asyncio.sleep(IN_CHARACTER if data[start] & 0xC0 == 0x80 else 0)
        await call.write(data[start : start + script.split])
