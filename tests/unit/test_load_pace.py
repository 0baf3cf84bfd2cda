"""What keeps a worker from being late itself: batches with a pause between, slices, a quiet collector."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Iterator

import pytest

from gateproof.load.engine import Engine, quiet_collector
from gateproof.load.histogram import Histogram
from gateproof.load.wire import reactor as reactors
from gateproof.load.wire.answer import Answer
from gateproof.load.wire.clock import Clock
from gateproof.load.wire.reactor import TICK, Reactor
from tests.unit.test_load_reactor import OK, Delivered, Server, a_call, answering, received

EVENT = b"5\r\ndata:\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
PIECES = 200
CONNECTING = 10  # drains around the stream itself


@pytest.fixture
def delivered() -> Delivered:
    return Delivered()


class Counting(Reactor):
    """Counts its drains, and what came with each."""

    def __init__(self, delivered: Delivered) -> None:
        self.drained: list[int] = []
        super().__init__(delivered.take)

    def _drain(self) -> int:
        served = super()._drain()
        self.drained.append(served)
        return served


@pytest.fixture
def counting(delivered: Delivered) -> Iterator[Counting]:
    reactor = Counting(delivered)
    yield reactor
    reactor.close()


def test_under_load_the_set_is_drained_once_a_tick(counting: Counting, delivered: Delivered) -> None:
    """And not as often as the loop turns: a timer that has fired begins anew."""

    pause = threading.Event()  # of the server's thread; nobody sets it

    def serve(stream: socket.socket) -> None:
        received(stream)
        stream.sendall(HEAD)
        for _ in range(PIECES):
            stream.sendall(EVENT)
            pause.wait(TICK / 4)
        stream.sendall(END)

    with Server(serve).running() as origin:
        counting.start(a_call(), origin)
        delivered.wait(1)
    call = delivered.calls[0]
    spent = (call.ended - call.dispatched) / 1e9

    assert len(counting.drained) <= spent / TICK + CONNECTING


def test_a_drain_that_has_had_its_slice_leaves_the_rest_for_later(
    counting: Counting, delivered: Delivered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And all the same serves all of them."""
    monkeypatch.setattr(reactors, "SLICE", -1)  # every piece is one too many
    with Server(answering(OK)).running() as origin:
        for _ in range(20):
            counting.start(a_call(), origin)
        delivered.wait(20)

    assert [call.failure for call in delivered.calls] == [None] * 20


def test_an_answer_lets_go_of_its_parser() -> None:
    """Each holds the other: without that, both would wait for the collector."""
    answer = Answer()
    answer.took([OK])
    assert "HttpResponseParser" in {type(each).__name__ for each in gc.get_referents(answer)}

    answer.release()

    assert "HttpResponseParser" not in {type(each).__name__ for each in gc.get_referents(answer)}
    assert answer.content() == b"ok"


def test_what_was_there_before_the_run_is_not_looked_at_again() -> None:
    before = gc.get_freeze_count()
    try:
        quiet_collector()

        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()


def test_a_pause_counts_for_every_look_that_it_has_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0]
    monkeypatch.setattr("gateproof.load.engine.Clock.now", lambda: now[0])

    def asleep(seconds: float) -> None:
        if len(looked) == 3:
            raise StopIteration
        looked.append(seconds)
        now[0] += int(seconds * 1e9) + (50_000_000 if len(looked) == 1 else 0)

    looked: list[float] = []
    monkeypatch.setattr("gateproof.load.engine.gevent.sleep", asleep)
    engine = Engine.__new__(Engine)
    engine.lag = Histogram()
    with pytest.raises(StopIteration):
        engine._look()

    assert (engine.lag.count, round(engine.lag.highest / 1e6)) == (3, 50)
    assert looked == [0.02, 0.0, 0.0]


def test_a_whole_answer_ended_when_its_last_piece_came(
    counting: Counting, delivered: Delivered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when it was read: a worker that is late says nothing of the target."""
    assert counting.stamping, "Linux stamps"
    monkeypatch.setattr(Clock, "look", lambda _: None)  # which moves the offset by what the clocks drift
    with Server(answering(OK)).running() as origin:
        counting.start(a_call(), origin)
        delivered.wait(1)
    call = delivered.calls[0]

    assert call.ended == counting.clock.of_stamp(call.stamps[-1]) <= call.reads[-1]
