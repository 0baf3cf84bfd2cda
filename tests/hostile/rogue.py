"""A gateway that answers the preflight like any other, and each check with the misbehaviour that it came for.

The User-Agent of a check names its requirement: the rogue looks there to know what to do.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.plugin.toy import KEY, USAGE
from tests.unit.wire_server import Server, answer, serving, until_gone, writes

Handler = Callable[[socket.socket, bytes], None]

EVENT_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = EVENT_STREAM + b"transfer-encoding: chunked\r\n\r\n"
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
GIB = 1 << 30
MIB = 1 << 20
PACE = 0.02  # s between two events of a drip

_REQUIREMENT = re.compile(rb"^user-agent: [^\r]*\(([A-Z]+-\d{3});", re.IGNORECASE | re.MULTILINE)


def event(content: str) -> bytes:
    chunk = {"id": "1", "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def in_chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


GOOD_STREAM = event("pong") + b"data: [DONE]\n\n"
GOOD_REPLY = {
    "id": "1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}],
    "usage": USAGE,
}


def polite(sock: socket.socket, request: bytes) -> None:
    if b'"stream":true' in request:
        answer(GOOD_STREAM, "content-type: text/event-stream")(sock, request)
    else:
        answer(json.dumps(GOOD_REPLY).encode(), "content-type: application/json")(sock, request)


def streamed(data: bytes) -> Handler:
    return answer(data, "content-type: text/event-stream")


def said(data: bytes, *headers: str) -> Handler:
    return answer(data, "content-type: application/json", *headers)


def stalls_after(data: bytes) -> Handler:
    def handler(sock: socket.socket, request: bytes) -> None:
        sock.sendall(data)
        until_gone(sock)

    return handler


def for_ever(head: bytes, piece: bytes, pace: float = 0.0) -> Handler:
    def handler(sock: socket.socket, request: bytes) -> None:
        sock.sendall(head)
        while True:
            sock.sendall(piece)
            time.sleep(pace)

    return handler


def resets(sock: socket.socket, request: bytes) -> None:
    sock.sendall(CHUNKED + in_chunk(event("pong")))
    time.sleep(PACE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def bomb() -> bytes:
    return gzip.compress(bytes(GIB // 8))


def reply_saying(text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps({**GOOD_REPLY, "choices": [choice]}).encode()


@dataclass(frozen=True)
class Misbehaviour:
    """What the rogue does, and words that the verdict of either check must contain."""

    name: str
    handler: Handler
    unary: str
    stream: str
    lasts: float = 0.0  # s that it may hold a client with the timeouts of the project


CONNECT, READ, TOTAL = 1.0, 1.0, 2.0
TIMEOUTS = f", timeouts: {{connect: {CONNECT}s, read: {READ}s, total: {TOTAL}s}}"

MISBEHAVIOURS = (
    Misbehaviour(
        "streams for ever", for_ever(CHUNKED, in_chunk(event("x")), PACE), "total of 2 s", "total of 2 s", TOTAL
    ),
    Misbehaviour(
        "one line of a gibibyte",
        for_ever(EVENT_STREAM + f"content-length: {GIB}\r\n\r\ndata: ".encode(), b"x" * 65536),
        "too_large",
        "too_large",
        TOTAL,
    ),
    Misbehaviour("stalls after the headers", stalls_after(CHUNKED), "for 1 s without", "for 1 s without", READ),
    Misbehaviour(
        "stalls in the body",
        stalls_after(CHUNKED + in_chunk(event("pong"))),
        "for 1 s without",
        "for 1 s without",
        READ,
    ),
    Misbehaviour(
        "says nothing at all", stalls_after(b""), "waiting for the response", "waiting for the response", READ
    ),
    Misbehaviour("invalid UTF-8", streamed(b'data: {"a": "\xff\xfe"}\n\n'), "utf-8", "utf8"),
    Misbehaviour("closes in the body", writes(CHUNKED + in_chunk(event("pong")) + b"ff\r\n"), "cut:", "cut:"),
    Misbehaviour("resets in the body", resets, "cut:", "cut:"),
    Misbehaviour("closes without a word", writes(), "closed without any answer", "closed without any answer"),
    Misbehaviour(
        "answers HTML",
        answer(b"<html><title>Sign in</title></html>", "content-type: text/html"),
        "<title>Sign in",
        "Sign in",
    ),
    Misbehaviour(
        "a mebibyte of headers",
        writes(JSON_HEAD + b"".join(b"x-%d: %s\r\n" % (number, b"a" * 1000) for number in range(1024)) + b"\r\n"),
        "protocol:",
        "protocol:",
    ),
    Misbehaviour("one header without end", for_ever(JSON_HEAD + b"x-long: ", b"a" * 65536), "protocol:", "protocol:"),
    Misbehaviour("an empty body", said(b""), "not JSON", "no event in ''"),
    Misbehaviour(
        "garbage for HTTP", writes(b"SSH-2.0-OpenSSH_9.9\r\n\r\n" + bytes(range(256))), "protocol:", "protocol:"
    ),
    Misbehaviour("JSON of a gibibyte in gzip", said(bomb(), "content-encoding: gzip"), "unpacks to", "unpacks to"),
    Misbehaviour("an unknown coding", said(b"{}", "content-encoding: zstd"), "zstd", "zstd"),
    Misbehaviour("JSON a million deep", said(b"[" * MIB), "not JSON", "[[[["),
    Misbehaviour("an integer of a million digits", said(b'{"usage": ' + b"1" * MIB + b"}"), "not JSON", "1111"),
    Misbehaviour("JSON that is null", said(b"null"), "no choices, but None", "null"),
    Misbehaviour("JSON that is a list", said(b"[1, 2]"), "no choices, but [1, 2]", "[1, 2]"),
    Misbehaviour("JSON without what was asked", said(b'{"choices": []}'), "no choices.0, but []", "choices"),
    Misbehaviour("half a character", said(reply_saying("\ud800pong")), "ud800", "ud800"),
    Misbehaviour("a terminal's commands", said(reply_saying("\x1b]0;owned\x07")), "owned", "owned"),
    Misbehaviour("a mebibyte of lines", said(reply_saying("pong\n" * (MIB // 5))), "pong", "pong"),
    Misbehaviour("fifty thousand empty events", streamed(b"data: {}\n\n" * 50_000), "not JSON", "([], [])"),
    Misbehaviour("a hundred thousand wrong lines", streamed(b"nonsense\n" * 100_000), "not JSON", "nonsense"),
    Misbehaviour("the key, over and over", said(reply_saying(f"{KEY} " * 5000)), "redacted", "redacted"),
    Misbehaviour("the key in odd places", said(f"x{KEY * 9}".encode() * 500), "redacted", "redacted"),
)


def requirement_of(request: bytes) -> str | None:
    """The requirement whose check sent this request; None for the preflight."""
    found = _REQUIREMENT.search(request)
    return found[1].decode() if found else None


@contextlib.contextmanager
def rogue(behaviour: Callable[[str], Handler]) -> Iterator[Server]:
    """Does to the check of each requirement as told, and to everybody else what a gateway should."""

    def handler(sock: socket.socket, request: bytes) -> None:
        requirement = requirement_of(request)
        (behaviour(requirement) if requirement else polite)(sock, request)

    with serving(handler) as server:
        yield server
