"""Relaying an event stream: at once, byte for byte, and honest when the engine fails in the middle."""

from __future__ import annotations

import json
import re

from gateproof.stack.gateway import sse
from gateproof.stack.gateway.call import Call
from gateproof.stack.gateway.errors import ClientGone, UpstreamError, anthropic_type, error_object
from gateproof.stack.gateway.relay import fit_for_client, reader_of, rename
from gateproof.stack.gateway.stored import Stored
from gateproof.stack.gateway.upstream import Connection

_SEQUENCE = re.compile(rb'"sequence_number": ?(\d+)')
_FINISHED = re.compile(
    rb"(?:^|[\r\n])(?:data: ?\[DONE\]|event: ?(?:message_stop|response\.(?:completed|failed|incomplete)))"
)


class StreamRelay:
    """One stream on its way from the engine to the client."""

    def __init__(self, call: Call, connection: Connection, new_model: str | None, stored: Stored) -> None:
        self.call, self.connection, self.new_model, self.stored = call, connection, new_model, stored
        self.splitter = sse.Splitter()
        self.delivered = 0
        self.finished = False
        self.last = b""
        self._looks_for_id = call.api == "responses"

    async def run(self, keepalive: float) -> None:
        """Head at once, then event after event; the charge is made however it ends."""
        reader = reader_of(self.connection)
        await self.call.answer.head(self.connection.status, fit_for_client(self.connection))
        self.connection.beat_every(keepalive)
        try:
            while (data := await reader.read()) != b"":
                await self.pass_on(self.keep_alive() if data is None else self.events_in(data))
            await self.pass_on(self.filtered(self.splitter.rest()))
        except ClientGone:
            self.settle()
            raise
        except UpstreamError as error:
            await self.pass_on(self.error_event(error))
        self.settle()
        await self.call.answer.body(b"")

    async def pass_on(self, data: bytes) -> None:
        if data:
            await self.call.answer.body(data, more=True)

    def keep_alive(self) -> bytes:
        return sse.comment(b"keep-alive", self.splitter.eol)

    def events_in(self, data: bytes) -> bytes:
        whole = self.splitter.take(data)
        return self.filtered(whole) if whole else b""

    def filtered(self, whole: bytes) -> bytes:
        """The events as the client gets them: all bytes, less the usage that it did not ask for."""
        if not whole:
            return b""
        self.last = whole
        self.delivered += whole.count(b"data:")
        self.finished = self.finished or (b"data:" in whole and _FINISHED.search(whole) is not None)
        if self.new_model is None and not self._looks_for_id and b'"usage"' not in whole:
            return whole
        return b"".join(self.seen(event) for event in sse.split(whole))

    def seen(self, event: bytes) -> bytes:
        """One event that has to be looked into."""
        payload = sse.payload(event)
        self.call.ledger.note(payload)
        if self._looks_for_id and self.stored.note(payload, self.call.tenant.name, self.connection.origin):
            self._looks_for_id = False
        if self.is_hidden_usage(payload):
            return b""
        return event if self.new_model is None or payload is None else rename(event, self.new_model)

    def is_hidden_usage(self, payload: object) -> bool:
        """The chunk that is there only because the gateway asked for usage."""
        if not self.call.hides_usage or not isinstance(payload, dict):
            return False
        return bool(payload.get("usage")) and payload.get("choices") == []

    def settle(self) -> None:
        self.call.settle(partial=self.delivered)

    def error_event(self, error: UpstreamError) -> bytes:
        """What the SDKs raise on. A stream that had already said its end gets nothing more."""
        if self.finished:
            return b""
        return error_event(self.call.api, error, self.splitter.eol, self.next_sequence())

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
    return sse.event(json.dumps({"error": error_object(error.message, error.kind, code=error.code)}).encode(), eol)
