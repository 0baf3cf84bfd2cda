"""TLS through a memory BIO: the kernel's stamps hold, and whatever fails is an outcome with a name."""

from __future__ import annotations

import errno
import socket
import ssl
import struct
import time

import pytest
import trustme

from gateproof.load.wire.call import Call, Failure, Origin
from gateproof.load.wire.clock import Clock
from gateproof.load.wire.outcome import Outcome
from gateproof.load.wire.reactor import Reactor
from gateproof.load.wire.reading import read
from tests.unit.test_load_reactor import (
    Delivered,
    Server,
    a_call,
    answering,
    delivered,
    reactor,
    received,
)

__all__ = ["delivered", "reactor"]  # fixtures

GAP = 0.02  # s between two pieces of a stream
EVENTS = [
    b'data: {"choices": [{"index": 0, "delta": {"role": "assistant"}}]}\n\n',
    b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n',
    b'data: {"choices": [{"index": 0, "delta": {"content": "b"}}]}\n\n',
    b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n',
]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def contexts(authority: trustme.CA, name: str = "localhost") -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's, and that of a client which trusts its authority."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


def streaming(stream: socket.socket) -> None:
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    received(stream)
    stream.sendall(HEAD)
    for event in EVENTS:
        stream.sendall(event)
        time.sleep(GAP)


def test_a_stream_is_stamped_by_the_kernel(reactor: Reactor, delivered: Delivered, authority: trustme.CA) -> None:
    server, client = contexts(authority)
    with Server(streaming, server).running() as plain:
        reactor.start(Call(a_call().request, streamed=True), Origin(plain.address, socket.AF_INET, client, "localhost"))
        delivered.wait(1)
    call = delivered.calls[0]
    reading = read(call, delivered.answers[0], "chat", Clock())
    assert (reading.outcome, reading.events, len(reading.token_times)) == (Outcome.OK, 4, 2)
    assert reactor.stamping
    assert all(call.stamps), "every piece has the stamp of the segment that completed it"
    assert call.dispatched <= call.connected <= call.secured <= call.sent
    # `sent` is noted when we have sent, by when a machine that is busy may have the answer
    assert call.secured <= reading.first_byte <= reading.first_event < reading.first_token < reading.last_token
    assert reading.first_token <= reading.read_first_token
    assert reading.last_token - reading.first_token >= GAP * 1e9 * 0.5
    assert reading.first_token - reading.first_event >= GAP * 1e9 * 0.5


def test_an_unknown_authority_is_told(reactor: Reactor, delivered: Delivered, authority: trustme.CA) -> None:
    server, _ = contexts(authority)
    _, client = contexts(trustme.CA())
    with Server(answering(), server).running() as plain:
        reactor.start(a_call(), Origin(plain.address, socket.AF_INET, client, "localhost"))
        delivered.wait(1)
    call = delivered.calls[0]
    assert call.failure is Failure.TLS
    assert "unable to get local issuer certificate" in call.detail


def test_another_name_is_told(reactor: Reactor, delivered: Delivered, authority: trustme.CA) -> None:
    server, client = contexts(authority, "elsewhere.example")
    with Server(answering(), server).running() as plain:
        reactor.start(a_call(), Origin(plain.address, socket.AF_INET, client, "localhost"))
        delivered.wait(1)
    assert "certificate is not valid for 'localhost'" in delivered.calls[0].detail


def test_a_server_without_tls_is_told(reactor: Reactor, delivered: Delivered, authority: trustme.CA) -> None:
    _, client = contexts(authority)

    def plainly(stream: socket.socket) -> None:
        stream.recv(1)
        stream.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with Server(plainly).running() as plain:
        reactor.start(a_call(), Origin(plain.address, socket.AF_INET, client, "localhost"))
        delivered.wait(1)
    assert (delivered.calls[0].failure, delivered.calls[0].detail) == (Failure.TLS, "WRONG_VERSION_NUMBER")


def test_a_reset_in_the_handshake_is_told(reactor: Reactor, delivered: Delivered, authority: trustme.CA) -> None:
    _, client = contexts(authority)

    def resetting(stream: socket.socket) -> None:
        stream.recv(1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with Server(resetting).running() as plain:
        reactor.start(a_call(), Origin(plain.address, socket.AF_INET, client, "localhost"))
        delivered.wait(1)
    assert (delivered.calls[0].failure, delivered.calls[0].detail) == (Failure.TLS, "ECONNRESET")


class Unsendable(socket.socket):
    """Reset before our first word."""

    def send(self, *_: object) -> int:
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")


def test_a_reset_before_the_handshake_is_told(reactor: Reactor, delivered: Delivered, authority: trustme.CA) -> None:
    server, client = contexts(authority)
    reactor.new_socket = Unsendable
    with Server(answering(), server).running() as plain:
        reactor.start(a_call(), Origin(plain.address, socket.AF_INET, client, "localhost"))
        delivered.wait(1)
    assert (delivered.calls[0].failure, delivered.calls[0].detail) == (Failure.TLS, "ECONNRESET")
