"""Raw bytes go out as they are; what comes back is told apart as far as it can be."""

from __future__ import annotations

import socket
import time

import pytest

from gateproof.wire.raw import parse_responses, raw_exchange
from gateproof.wire.redact import Redactor
from tests.ports import refusing_port
from tests.unit.wire_server import answer, serving, until_gone

REQUEST = b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"
ONE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
TWO = b"HTTP/1.1 400 Bad Request\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"


def test_bytes_go_out_untouched_and_closing_is_seen() -> None:
    with serving(answer(b"no", status="400 Bad Request")) as server:
        reply = raw_exchange("127.0.0.1", server.port, REQUEST, timeout=2)
    assert server.requests == [REQUEST]
    assert (reply.status, reply.closed, reply.failure) == (400, True, None)
    assert reply.headers["content-length"] == "2"
    assert repr(reply).startswith("raw → 400, closed in ")


def test_a_kept_connection_is_left_after_a_moment() -> None:
    def handler(sock: socket.socket, request: bytes) -> None:
        sock.sendall(ONE)
        until_gone(sock)

    with serving(handler) as server:
        reply = raw_exchange("127.0.0.1", server.port, REQUEST, timeout=5)
    assert (reply.status, reply.closed, reply.failure) == (200, False, None)
    assert reply.elapsed < 1


def test_two_answers_are_waited_for() -> None:
    def handler(sock: socket.socket, request: bytes) -> None:
        sock.sendall(ONE)
        time.sleep(0.3)
        sock.sendall(TWO)

    with serving(handler) as server:
        reply = raw_exchange("127.0.0.1", server.port, REQUEST * 2, timeout=5, expect=2)
    assert [response.status for response in reply.responses] == [200, 400]


def test_silence_ends_at_the_timeout() -> None:
    with serving(lambda sock, request: until_gone(sock)) as server:
        reply = raw_exchange("127.0.0.1", server.port, REQUEST, timeout=0.3)
    assert (reply.status, reply.closed) == (None, False)
    assert reply.failure is not None
    assert reply.failure.kind == "timeout"
    assert reply.elapsed < 1


def test_pauses_between_pieces() -> None:
    with serving(answer(b"hi")) as server:
        reply = raw_exchange("127.0.0.1", server.port, [REQUEST[:10], 0.1, REQUEST[10:]], timeout=2)
    assert reply.status == 200
    assert reply.elapsed > 0.1
    assert server.requests == [REQUEST]


def test_nobody_there_is_told() -> None:
    with refusing_port() as port:
        reply = raw_exchange("127.0.0.1", port, REQUEST, timeout=1)
    assert reply.failure is not None
    assert reply.failure.kind == "refused"
    assert "refused" in reply.evidence()


def test_evidence_hides_keys() -> None:
    with serving(answer(b"sk-0123456789abcdefghij\x1b[2J")) as server:
        redactor = Redactor(["sk-0123456789abcdefghij"])
        request = REQUEST[:-2] + b"authorization: Bearer sk-0123456789abcdefghij\r\n\r\n"
        shown = raw_exchange("127.0.0.1", server.port, request, timeout=2, redactor=redactor).evidence()
    assert "sk-0123" not in shown
    assert "\x1b" not in shown
    assert "> host: b" in shown


@pytest.mark.parametrize(
    ("data", "closed", "expected"),
    [
        (ONE + TWO, False, [(200, b"hi", True), (400, b"abc", True)]),
        (ONE[:-1], False, [(200, b"h", False)]),
        (TWO[:-5], False, [(400, b"abc", False)]),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + ONE, False, [(100, b"", True), (200, b"hi", True)]),
        (b"HTTP/1.1 204 No Content\r\n\r\n" + ONE, False, [(204, b"", True), (200, b"hi", True)]),
        (b"HTTP/1.0 400 Bad\r\n\r\nrest", True, [(400, b"rest", True)]),
        (b"HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", False, [(200, b"", True)]),
        (b"garbage", True, []),
        (b"HTTP/1.1 x\r\n\r\n", True, []),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", True, [(200, b"", False)]),
    ],
)
def test_responses_are_told_apart(data: bytes, closed: bool, expected: list) -> None:
    assert [(part.status, part.body, part.complete) for part in parse_responses(data, closed)] == expected
