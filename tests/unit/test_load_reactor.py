"""Connections under load, against a server of this test's own: what is sent, what comes back, what goes wrong."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import gevent
import pytest
import trustme

from gateproof.load.wire.answer import Answer
from gateproof.load.wire.call import Call, Failure, Origin, Patience
from gateproof.load.wire.reactor import Reactor

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
SOON = 5.0  # s; a hang guard
Serve = Callable[[socket.socket], None]


@dataclass
class Server:
    """One thread per connection; ``serve`` does as the test wants."""

    serve: Serve
    tls: ssl.SSLContext | None = None
    accepted: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[Origin]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            yield Origin(listener.getsockname(), socket.AF_INET)
            self.over.set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        try:
            with connection if self.tls is None else self.tls.wrap_socket(connection, server_side=True) as stream:
                self.serve(stream)
        except OSError:
            return


@dataclass
class Delivered:
    calls: list[Call] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def take(self, call: Call, answer: Answer) -> None:
        self.calls.append(call)
        self.answers.append(answer)

    def wait(self, number: int) -> None:
        until = time.monotonic() + SOON
        while len(self.calls) < number:
            assert time.monotonic() < until, f"{len(self.calls)} of {number} calls came back"
            gevent.sleep(0.005)


@pytest.fixture
def delivered() -> Delivered:
    return Delivered()


@pytest.fixture
def reactor(delivered: Delivered) -> Iterator[Reactor]:
    reactor = Reactor(delivered.take, idle=0.3)
    yield reactor
    reactor.close()


def a_call(request: bytes = REQUEST, **patience: float) -> Call:
    return Call(request, streamed=False, patience=Patience(**patience))


def answering(*answers: bytes) -> Serve:
    """One answer for each request on a connection, then the end."""

    def serve(stream: socket.socket) -> None:
        for answer in answers:
            if not received(stream):
                return
            stream.sendall(answer)

    return serve


def received(stream: socket.socket) -> bytes:
    """A whole request, or nothing at the end."""
    data = b""
    while not data.endswith(b"{}") and (piece := stream.recv(65536)):
        data += piece
    return data


def test_a_call_comes_back_with_its_answer_and_its_instants(reactor: Reactor, delivered: Delivered) -> None:
    with Server(answering(OK)).running() as origin:
        reactor.start(a_call(), origin)
        delivered.wait(1)
    call, answer = delivered.calls[0], delivered.answers[0]
    assert (call.failure, answer.status, answer.content()) == (None, 200, b"ok")
    assert call.dispatched <= call.connected <= call.sent <= call.ended


def test_an_answer_that_overtakes_our_own_send_came_after_it(reactor: Reactor, delivered: Delivered) -> None:
    class Held(socket.socket):
        """Its ``send`` comes back when the answer has long arrived, as on a busy machine."""

        def send(self, *args: Any) -> int:
            number = super().send(*args)
            select.select([self], [], [], SOON)
            return number

    reactor.new_socket = Held
    with Server(answering(OK)).running() as origin:
        reactor.start(a_call(), origin)
        delivered.wait(1)
    call = delivered.calls[0]
    assert call.dispatched <= call.connected <= call.sent <= call.ended


def test_a_parked_connection_serves_again(reactor: Reactor, delivered: Delivered) -> None:
    server = Server(answering(OK, OK, OK))
    with server.running() as origin:
        for number in range(1, 4):
            reactor.start(a_call(), origin)
            delivered.wait(number)
    assert (server.accepted, [call.reused for call in delivered.calls]) == (1, [False, True, True])


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["told to close", "HTTP/1.0"],
)
def test_a_connection_that_will_close_is_not_used_again(reactor: Reactor, delivered: Delivered, answer: bytes) -> None:
    server = Server(answering(answer, answer))
    with server.running() as origin:
        for number in (1, 2):
            reactor.start(a_call(), origin)
            delivered.wait(number)
    assert (server.accepted, [call.failure for call in delivered.calls]) == (2, [None, None])


def test_a_connection_that_has_been_idle_too_long_is_not_used_again(reactor: Reactor, delivered: Delivered) -> None:
    server = Server(answering(OK, OK))
    with server.running() as origin:
        reactor.start(a_call(), origin)
        delivered.wait(1)
        gevent.sleep(0.5)  # longer than the reactor's idle time
        reactor.start(a_call(), origin)
        delivered.wait(2)
    assert server.accepted == 2


def test_a_body_that_ends_with_the_connection_is_whole(reactor: Reactor, delivered: Delivered) -> None:
    with Server(answering(b"HTTP/1.1 200 OK\r\n\r\nall of it")).running() as origin:
        reactor.start(a_call(), origin)
        delivered.wait(1)
    assert (delivered.calls[0].failure, delivered.answers[0].content()) == (None, b"all of it")


def test_an_interim_answer_is_not_the_answer(reactor: Reactor, delivered: Delivered) -> None:
    with Server(answering(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK)).running() as origin:
        reactor.start(a_call(), origin)
        delivered.wait(1)
    assert (delivered.answers[0].status, delivered.answers[0].content()) == (200, b"ok")


def stalling(first: bytes) -> Serve:
    def serve(stream: socket.socket) -> None:
        received(stream)
        stream.sendall(first)
        stream.recv(1)  # until the other side gives up

    return serve


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal"


@pytest.mark.parametrize(
    ("serve", "patience", "failure"),
    [
        (answering(HALF), {}, Failure.CUT),
        (answering(b""), {}, Failure.CUT),
        (answering(b"SSH-2.0-nonsense\r\n\r\n"), {}, Failure.PROTOCOL),
        (stalling(HALF), {"stall": 0.2}, Failure.STALLED),
        (stalling(b""), {"stall": 0.2}, Failure.STALLED),
        (stalling(HALF), {"total": 0.2}, Failure.TIMEOUT),
    ],
    ids=["cut", "no answer", "not HTTP", "stalled", "never answered", "too long"],
)
def test_what_goes_wrong_has_a_name(
    reactor: Reactor, delivered: Delivered, serve: Serve, patience: dict[str, float], failure: Failure
) -> None:
    with Server(serve).running() as origin:
        reactor.start(a_call(**patience), origin)
        delivered.wait(1)
    assert delivered.calls[0].failure is failure


def test_a_refused_connection_is_told(reactor: Reactor, delivered: Delivered) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = Origin(listener.getsockname(), socket.AF_INET)
    reactor.start(a_call(), origin)
    delivered.wait(1)
    assert (delivered.calls[0].failure, delivered.calls[0].detail) == (Failure.CONNECT, "ECONNREFUSED")


def test_a_connection_that_nobody_accepts_times_out(reactor: Reactor, delivered: Delivered) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        reactor.start(a_call(connect=0.2), Origin(listener.getsockname(), socket.AF_INET))
        delivered.wait(1)
        for filler in fillers:
            filler.close()
    assert delivered.calls[0].failure is Failure.CONNECT_TIMEOUT


def test_a_large_request_is_sent_whole_to_a_slow_reader(reactor: Reactor, delivered: Delivered) -> None:
    size, seen = 8 * 1024 * 1024, []

    def serve(stream: socket.socket) -> None:
        seen.append(len(received(stream)))
        stream.sendall(OK)

    request = b"POST / HTTP/1.1\r\nHost: x\r\n\r\n" + b"x" * size + b"{}"
    with Server(serve).running() as origin:
        reactor.start(a_call(request), origin)
        delivered.wait(1)
    assert (seen, delivered.calls[0].failure) == ([len(request)], None)


def test_tls_is_read_with_the_same_instants(reactor: Reactor, delivered: Delivered) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    server = Server(answering(OK, OK), context)
    with server.running() as plain:
        origin = Origin(plain.address, socket.AF_INET, client, "localhost")
        for number in (1, 2):
            reactor.start(a_call(), origin)
            delivered.wait(number)
    call = delivered.calls[0]
    assert [answer.content() for answer in delivered.answers] == [b"ok", b"ok"]
    assert (server.accepted, call.connected <= call.secured <= call.sent, bool(call.stamps[-1])) == (1, True, True)


def test_a_certificate_for_another_name_is_refused(reactor: Reactor, delivered: Delivered) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    with Server(answering(OK), context).running() as plain:
        reactor.start(a_call(), Origin(plain.address, socket.AF_INET, client, "localhost"))
        delivered.wait(1)
    assert delivered.calls[0].failure is Failure.TLS


def test_what_is_under_way_at_the_end_is_given_back(delivered: Delivered) -> None:
    reactor = Reactor(delivered.take)
    with Server(stalling(HALF)).running() as origin:
        reactor.start(a_call(), origin)
        gevent.sleep(0.1)
        reactor.close()
    assert [call.failure for call in delivered.calls] == [Failure.ABANDONED]


def test_many_at_once_all_come_back(reactor: Reactor, delivered: Delivered) -> None:
    number = 100
    with Server(answering(OK)).running() as origin:
        for _ in range(number):
            reactor.start(a_call(), origin, reuse=False)
        delivered.wait(number)
    assert {call.failure for call in delivered.calls} == {None}
    assert reactor.in_flight == 0
