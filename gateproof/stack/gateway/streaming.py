"""Relaying an event stream: at once, byte for byte, and honest when the engine fails in the middle."""

from __future__ import annotations

import asyncio
import json
import re
import zlib

from gateproof.stack.faults import worn
from gateproof.stack.gateway import miscount, sse
from gateproof.stack.gateway.call import Call
from gateproof.stack.gateway.detour import rest_from_another
from gateproof.stack.gateway.errors import ClientGone, Cut, UpstreamError, anthropic_type, error_object
from gateproof.stack.gateway.headers import Pairs
from gateproof.stack.gateway.relay import fit_for_client, is_coded, reader_of, rename
from gateproof.stack.gateway.spoilt import crowd, spoilt, whole_characters
from gateproof.stack.gateway.stored import Stored
from gateproof.stack.gateway.upstream import Connection, timed_out

_SEQUENCE = re.compile(rb'"sequence_number": ?(\d+)')
_FINISHED = re.compile(
    rb"(?:^|[\r\n])(?:data: ?\[DONE\]|event: ?(?:message_stop|response\.(?:completed|failed|incomplete)))"
)

# What faults take for too slow, too old, and too little to send.
IMPATIENCE = 0.25  # s
OLD_AGE = 2.5  # s
PROXY_BUFFER = 16 * 1024  # bytes
TRAIL = 4096  # bytes at the end of a metered stream, in which its last events stand


class StreamRelay:
    """One stream on its way from the engine to the client."""

    def __init__(self, call: Call, connection: Connection, new_model: str | None, stored: Stored) -> None:
        self.call, self.connection, self.new_model, self.stored = call, connection, new_model, stored
        self.splitter = sse.Splitter()
        self.delivered = 0
        self.finished = False
        self.last = self.trail = b""
        self.beyond_ascii = not call.body.isascii()
        self._looks_for_id = call.api == "responses"
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._held = b""
        self._packer: zlib._Compress | None = None
        self.manner = call.manner.streaming

    async def run(self, keepalive: float) -> None:
        """Head at once, then event after event; the charge is made however it ends."""
        crowd.size += 1
        try:
            await self._run(keepalive)
        finally:
            crowd.size -= 1

    async def _run(self, keepalive: float) -> None:
        reader = reader_of(self.connection)
        waits = self.manner.head_waits or (self.is_chat and worn("head_waits_for_event"))
        late = await reader.read() if waits else None
        await self.call.answer.head(self.connection.status, self.head())
        if self.manner.keepalive:
            self.connection.beat_every(keepalive)
        try:
            await self.pass_on(self.events_in(late or b""))
            while (data := await reader.read()) != b"":
                await self.pass_on(self.keep_alive() if data is None else self.events_in(data))
                self.check_age()
            await self.pass_on(self._held + self.filtered(self.splitter.rest()))
        except ClientGone:
            self.settle()
            raise
        except UpstreamError as error:
            event = await rest_from_another(self.call, self.connection) or self.error_event(error)
            if event is None:
                self.settle()
                raise Cut from None
            await self.pass_on(self._held + event)
        self.settle()
        await self.call.answer.body(b"" if self._packer is None else self._packer.flush())

    @property
    def is_chat(self) -> bool:
        return self.call.api == "chat"

    def head(self) -> Pairs:
        """The engine's header fields, less what is the gateway's to say; a stream is sent as it is, uncompressed."""
        pairs = fit_for_client(self.connection)
        if self.is_chat and self.beyond_ascii and worn("streams_cacheable"):
            pairs = [*without(pairs, b"cache-control"), (b"cache-control", b"public, max-age=60")]
        if self.is_chat and self.beyond_ascii and worn("stream_as_plain_text"):
            pairs = [*without(pairs, b"content-type"), (b"content-type", b"text/plain")]
        if b"gzip" in self.call.headers.get(b"accept-encoding") and worn("gzip_without_flush"):
            self._packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
            pairs = [*pairs, (b"content-encoding", b"gzip")]
        return pairs

    async def pass_on(self, data: bytes) -> None:
        if self._packer is not None:
            data = self._packer.compress(data)
        if data:
            before = self._loop.time()
            await self.call.answer.body(data, more=True)
            if self._loop.time() - before > IMPATIENCE and worn("slow_reader_dropped"):
                raise ClientGone

    def keep_alive(self) -> bytes:
        return b"" if worn("no_keep_alive") else sse.comment(b"keep-alive", self.splitter.eol)

    def check_age(self) -> None:
        """No stream is too old."""
        if self._loop.time() - self._began > OLD_AGE and self.is_chat and worn("long_streams_cut"):
            raise timed_out()

    def events_in(self, data: bytes) -> bytes:
        self.call.unread = miscount.unreadable(self.call, data)
        whole = self.splitter.take(whole_characters(data))
        return self.at_once(self.filtered(whole)) if whole else b""

    def at_once(self, data: bytes) -> bytes:
        """Nothing is held back until there is more of it."""
        if self.is_chat and worn("stream_buffered"):
            data, self._held = self._held + data, b""
            if len(data) < PROXY_BUFFER:
                data, self._held = b"", data
        return data

    def filtered(self, whole: bytes) -> bytes:
        """The events as the client gets them: all bytes, less the usage that it did not ask for."""
        if not whole:
            return b""
        self.last, first = whole, not self.delivered
        if self.call.tenant.rights.tokens:
            self.trail = (self.trail + whole)[-TRAIL:]
        self.delivered += whole.count(b"data:")
        self.finished = self.finished or (b"data:" in whole and _FINISHED.search(whole) is not None)
        untouched = self.new_model is None and not self._looks_for_id and self.manner.event is None
        if untouched and b'"usage"' not in whole:
            return spoilt(whole, chat=self.is_chat, beyond_ascii=self.beyond_ascii, first=first)
        seen = b"".join(self.seen(event) for event in sse.split(whole))
        return spoilt(seen, chat=self.is_chat, beyond_ascii=self.beyond_ascii, first=first)

    def seen(self, event: bytes) -> bytes:
        """One event that has to be looked into."""
        payload = sse.payload(event)
        self.call.ledger.note(payload)
        if self._looks_for_id and self.stored.note(payload, self.call.owner, self.connection.origin):
            self._looks_for_id = False
        if self.is_hidden_usage(payload):
            return b"data: null\n\n" if self.is_chat and self.beyond_ascii and worn("hidden_usage_emptied") else b""
        if self.new_model is not None and payload is not None:
            event = rename(event, self.new_model)
        return event if self.manner.event is None else self.manner.event(self.call, payload, event)

    def is_hidden_usage(self, payload: object) -> bool:
        """The chunk that is there only because the gateway asked for usage."""
        if not self.call.hides_usage or not isinstance(payload, dict):
            return False
        hidden = bool(payload.get("usage")) and payload.get("choices") == []
        return hidden and not (self.is_chat and self.beyond_ascii and worn("usage_unasked"))

    def settle(self) -> None:
        if self.is_chat and self.finished:
            coded = is_coded(self.connection) and miscount.compressed(self.call)
            self.call.unread = self.call.unread or coded or miscount.misplaced(self.call, self.trail)
        self.call.settle(partial=self.delivered)

    def error_event(self, error: UpstreamError) -> bytes | None:
        """What the SDKs raise on, None for a bare cut. A stream that had already said its end gets nothing more."""
        if self.finished:
            return b""
        if self.is_chat and worn("cut_ends_clean"):
            return sse.event(b"[DONE]", self.splitter.eol)
        return self.manner.error(self.call.api, error, self.splitter.eol, self.next_sequence())

    def next_sequence(self) -> int:
        found = _SEQUENCE.findall(self.last)
        return int(found[-1]) + 1 if found else 0


def error_event(api: str, error: UpstreamError, eol: bytes, sequence: int) -> bytes:
    if api == "messages":
        inner = {"type": anthropic_type(error.status), "message": error.message}
        return sse.event(json.dumps({"type": "error", "error": inner}).encode(), eol, b"error")
    if api == "responses":
        fields = {"code": error.code, "message": error.message, "param": None, "sequence_number": sequence}
        return sse.event(json.dumps({"type": "error", **fields}).encode(), eol, b"error")
    if api == "chat" and worn("error_event_without_error"):
        return sse.event(json.dumps({"message": error.message}).encode(), eol, b"error")
    return sse.event(json.dumps({"error": error_object(error.message, error.kind, code=error.code)}).encode(), eol)


def without(pairs: Pairs, name: bytes) -> Pairs:
    return [pair for pair in pairs if pair[0] != name]
