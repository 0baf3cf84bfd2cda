"""From the engine's answer to the client's: errors into the envelope, JSON whole, streams as they come."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from typing import Protocol

from gateproof.stack.faults import worn
from gateproof.stack.gateway import altered, leaky, miscount, splice
from gateproof.stack.gateway.auth import REALM
from gateproof.stack.gateway.call import Call
from gateproof.stack.gateway.errors import Cut, Refusal, UpstreamError, is_envelope
from gateproof.stack.gateway.headers import Pairs, media_type, to_client, value_of
from gateproof.stack.gateway.manner import JSON_TYPE
from gateproof.stack.gateway.upstream import Connection
from gateproof.stack.gateway.usage import parsed

_CODINGS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}  # zlib's wbits for each
_MESSAGES = {429: "The model is overloaded at the moment.", 503: "The model is overloaded at the moment."}


class Reader(Protocol):
    """Bytes of a reply as they come: b"" at the end, None for a silence."""

    async def read(self) -> bytes | None: ...


@dataclass(slots=True)
class Inflated:
    """A reply that came compressed although nobody asked for it, read as plain bytes."""

    connection: Connection
    inflater: zlib._Decompress

    async def read(self) -> bytes | None:
        while True:
            data = await self.connection.read()
            if not data:
                return data
            try:
                plain = self.inflater.decompress(data)
            except zlib.error:
                raise UpstreamError(502, "The model's answer cannot be decoded.", code="upstream_error") from None
            if plain:
                return plain


def reader_of(connection: Connection) -> Reader:
    coding = value_of(connection.headers, b"content-encoding").strip().lower()
    if coding in {b"", b"identity"}:
        return connection
    if coding not in _CODINGS:
        raise UpstreamError(502, "The model's answer cannot be decoded.", code="upstream_error")
    return Inflated(connection, zlib.decompressobj(_CODINGS[coding]))


def is_coded(connection: Connection) -> bool:
    return bool(value_of(connection.headers, b"content-encoding"))


async def read_all(reader: Reader) -> bytes:
    parts = []
    while data := await reader.read():
        parts.append(data)
    return b"".join(parts)


def fit_for_client(connection: Connection) -> Pairs:
    return to_client(connection.headers)


async def relay_error(call: Call, connection: Connection) -> None:
    """An engine's refusal: as it is when it is in the envelope, else in an envelope with its status."""
    body = leaky.refused_key(call, connection.status, await read_all(reader_of(connection)))
    status = connection.status if connection.status >= 400 else 502
    if status >= 500:
        miscount.failed(call)
    headers = fit_for_client(connection)
    if call.manner.upstream_error is not None:
        await call.answer.reply(call.manner.upstream_error(call, status, headers, body))
        return
    if status == 401 and not value_of(headers, b"www-authenticate"):
        headers.append((b"www-authenticate", REALM))
    if call.api == "chat" and call.streams and status == 400 and worn("refusals_inside_streams"):
        await call.answer.whole(200, [(b"content-type", b"text/event-stream")], b"data: " + body + b"\n\n")
        return
    if status == connection.status and is_envelope(call.api, body):
        await call.answer.whole(status, _as_json(headers), body)
        return
    if media_type(value_of(headers, b"content-type")) == b"text/html" and worn("upstream_page_passed_on"):
        await call.answer.whole(status, headers, body)
        return
    refusal = Refusal(status, told(status, body), code="upstream_error", headers=_retry_after(headers))
    await call.answer.refuse(refusal)


def told(status: int, body: bytes) -> str:
    """What to say for an engine: its own words where it tells the client's mistake, never those of a failure."""
    if status >= 500:
        return _MESSAGES.get(status, "The model failed to answer.")
    value = parsed(body)
    error = value.get("error") if isinstance(value, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else _MESSAGES.get(status, "The model refused the request.")


def _as_json(headers: Pairs) -> Pairs:
    return [(b"content-type", JSON_TYPE), *(pair for pair in headers if pair[0] != b"content-type")]


def _retry_after(headers: Pairs) -> Pairs:
    return [pair for pair in headers if pair[0] in {b"retry-after", b"www-authenticate"}]


async def relay_json(call: Call, connection: Connection, new_model: str | None) -> object:
    """A JSON reply: read whole, charged, then sent, so that the limit headers are true. Gives its value."""
    body = await read_all(reader_of(connection))
    value = parsed(body)
    call.ledger.note(value)
    call.unread = is_coded(connection) and miscount.compressed(call)
    call.settle()
    if new_model is not None:
        body = rename(body, new_model)
    headers = fit_for_client(connection)
    if call.api == "chat":
        body = altered.reply(body, value)
        headers = altered.reply_headers(headers, call.headers.get(b"accept-encoding"), len(body))
    if call.manner.reply is not None:
        body = call.manner.reply(call, body, value)
    leaky.keep(call, body)
    await call.answer.whole(connection.status, headers, leaky.of_the_last(call, body))
    return value


async def relay_bytes(call: Call, connection: Connection) -> None:
    """Anything else, such as audio: passed on as it comes."""
    reader = reader_of(connection)
    await call.answer.head(connection.status, fit_for_client(connection) + _length(connection))
    while data := await reader.read():
        await call.answer.body(data, more=True)
    call.settle(partial=0 if call.api in {"chat", "completions", "responses", "messages"} else None)
    await call.answer.body(b"")


async def pass_through(call: Call, connection: Connection, longest: float) -> None:
    """Any reply as it comes, for at most `longest` seconds since the request: then its connection is closed."""
    parts: list[bytes] = []
    told_usage = call.manner.told_usage if call.admission is not None and call.admission.tokens else None
    kept = call.cache is not None or told_usage is not None
    await call.answer.head(connection.status, fit_for_client(connection) + _length(connection))
    while data := await connection.read():
        if time.monotonic() > call.answer.began + longest:
            raise Cut
        if kept:
            parts.append(data)
        await call.answer.body(data, more=True)
    if call.cache is not None:
        call.cache.keep(call, connection.status, connection.headers, b"".join(parts))
    if told_usage is not None:
        call.ledger.note(told_usage(connection.headers, b"".join(parts)))
        call.settle()
    await call.answer.body(b"")


def _length(connection: Connection) -> Pairs:
    length = value_of(connection.headers, b"content-length")
    plain = not value_of(connection.headers, b"content-encoding")
    return [(b"content-length", length)] if length and plain else []


def kind_of(connection: Connection) -> str:
    if connection.status >= 300:
        return "error"
    kind = media_type(value_of(connection.headers, b"content-type"))
    return {b"text/event-stream": "stream", JSON_TYPE: "json"}.get(kind, "bytes")


def rename(body: bytes, model: str) -> bytes:
    """The reply with its `model` replaced, at the top or one object deep; unchanged when there is none."""
    text = body.decode("utf-8", "surrogateescape")
    try:
        return splice.put_model(text, text.index("{"), model).encode("utf-8", "surrogateescape")
    except (ValueError, IndexError, RecursionError):
        return body
