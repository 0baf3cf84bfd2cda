"""The engine's side of ASGI: one request with its body, and answers that notice when the client goes away."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateproof.stack.engine.ledger import RAW_LIMIT, Ledger, Seen

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
JSON_TYPE = "application/json"
GZIP = {"content-encoding": "gzip"}


class Refused(Exception):
    """An error answer in the envelope of the OpenAI API."""

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param

    @property
    def body(self) -> dict[str, Any]:
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


def unknown_model(name: str) -> Refused:
    return Refused(404, f"The model `{name}` does not exist.", code="model_not_found", param="model")


class ClientGone(Exception):
    """The client closed the connection before the answer was complete."""


class Cut(Exception):
    """The connection is to be cut without an ending."""


class Call:
    """One request being answered."""

    def __init__(self, scope: Message, receive: Receive, send: Send, ledger: Ledger) -> None:
        self.scope, self._receive, self._send, self.ledger = scope, receive, send, ledger
        self.headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            # RFC 9110 §5.3: several fields of one name are one list
            key, text = name.decode("latin-1"), value.decode("latin-1")
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text
        self.content = b""
        self.head_sent = False
        self.seen: Seen | None = None
        self._gone: asyncio.Task[None] | None = None
        self._packer: zlib._Compress | None = None

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def path(self) -> str:
        return str(self.scope["path"])

    async def read(self) -> bytes:
        parts, more = [], True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        self.content = b"".join(parts)
        return self.content

    def note(self, body: dict[str, Any], nonce: str) -> Seen:
        """Enter this request in the ledger, so that it can be found while it still runs."""
        self.seen = self.ledger.begin(
            Seen(
                engine=self.ledger.name,
                method=self.method,
                path=self.path,
                query=self.scope["query_string"].decode("latin-1"),
                headers=self.headers,
                body=body,
                raw=self.content[:RAW_LIMIT].decode("utf-8", "replace"),
                nonce=nonce,
            )
        )
        model = body.get("model")
        if self.ledger.models and isinstance(model, str) and model and model not in self.ledger.models:
            raise unknown_model(model)
        return self.seen

    async def sleep(self, seconds: float) -> None:
        """Wait, unless the client goes away first."""
        if seconds <= 0:
            return
        done, _ = await asyncio.wait([self.watch()], timeout=seconds)
        if done:
            raise ClientGone

    def watch(self) -> asyncio.Task[None]:
        """Ends when the client has gone."""
        if self._gone is None:
            self._gone = asyncio.ensure_future(self._until_gone())
        return self._gone

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def head(self, status: int, content_type: str, headers: dict[str, str] | None = None) -> None:
        fields = {"content-type": content_type, **(GZIP if self._packer else {}), **(headers or {})}
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields.items()]
        self.head_sent = True
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    def check(self) -> None:
        if self._gone is not None and self._gone.done():
            raise ClientGone

    async def write(self, data: bytes) -> None:
        self.check()
        if self._packer is not None:
            data = self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def compress(self) -> None:
        """Answer with gzip from now on, as caches and proxies do, too, whatever the request accepts."""
        self._packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)

    async def finish(self, data: bytes = b"") -> None:
        self.check()
        if self._packer is not None:
            data = self._packer.compress(data) + self._packer.flush()
        await self._send({"type": "http.response.body", "body": data})

    async def whole(self, status: int, data: bytes, content_type: str, headers: dict[str, str] | None = None) -> None:
        length = {} if self._packer else {"content-length": str(len(data))}
        await self.head(status, content_type, {**length, **(headers or {})})
        await self.finish(data if self.method != "HEAD" else b"")

    async def json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        await self.whole(status, json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), JSON_TYPE, headers)

    def close(self) -> None:
        if self._gone is not None:
            self._gone.cancel()
