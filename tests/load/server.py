"""A chat server that may die: ``python -m tests.load.server well|drip|slow [CERTIFICATE_AND_KEY]``.

It prints its port, a line for each stream that it begins, and serves until its standard input ends. ``well`` streams
four tokens, ``slow`` the same after a pause, ``drip`` never stops.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import Iterator
from typing import Any

GAP = 0.01  # s between two tokens
DRIP = 0.1  # s between two comments
SLOW = 0.5  # s before the first token
TOKENS = 4
USAGE = {"prompt_tokens": 8, "completion_tokens": TOKENS, "total_tokens": 8 + TOKENS}
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


async def serve(mode: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, until it ends."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            body = json.loads(await reader.readexactly(_length(head)) or b"{}")
            await _answer(mode, head, body, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _length(head: bytes) -> int:
    lines = [line.partition(b":") for line in head.lower().split(b"\r\n")]
    return next((int(value) for name, _, value in lines if name == b"content-length"), 0)


async def _answer(mode: str, head: bytes, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    if head.startswith(b"GET /v1/models"):
        _whole(writer, "200 OK", {"object": "list", "data": [{"id": "m", "object": "model"}]})
    elif not head.startswith(b"POST /v1/chat"):
        _whole(writer, "404 Not Found", {"error": {"message": "no such path"}})
    elif not body.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}
        _whole(writer, "200 OK", {"choices": [choice], "usage": USAGE})
    else:
        await _stream(mode, writer)
    await writer.drain()


def _whole(writer: asyncio.StreamWriter, status: str, value: dict[str, Any]) -> None:
    data = json.dumps(value).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)


async def _stream(mode: str, writer: asyncio.StreamWriter) -> None:
    print("a stream", flush=True)
    writer.write(STREAM)
    while mode == "drip":
        _chunk(writer, b": still here\n\n")
        await writer.drain()
        await asyncio.sleep(DRIP)
    if mode == "slow":
        await writer.drain()
        await asyncio.sleep(SLOW)
    for event in _events():
        _chunk(writer, b"data: " + json.dumps(event).encode() + b"\n\n")
        await writer.drain()
        await asyncio.sleep(GAP)
    _chunk(writer, b"data: [DONE]\n\n")
    _chunk(writer, b"")


def _events() -> Iterator[dict[str, Any]]:
    for delta in ({"role": "assistant"}, *[{"content": "a"}] * TOKENS):
        yield {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    yield {"choices": [], "usage": USAGE}


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


async def main(mode: str, certificate: str | None = None) -> None:
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(mode, reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
