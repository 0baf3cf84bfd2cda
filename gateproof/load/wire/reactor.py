"""Every connection of one worker, drained in batches from one epoll set inside gevent's loop.

The set's own descriptor wakes the loop at once while little is going on; under load it is left alone for a tick, and
one drain serves what came meanwhile. The kernel stamps every arrival, so a later read costs no truth.
"""

from __future__ import annotations

import select
import socket
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

import gevent
from gevent.monkey import get_original

from gateproof.load.wire.answer import END, Answer
from gateproof.load.wire.call import Call, Failure, Origin
from gateproof.load.wire.clock import SO_TIMESTAMPNS, Clock
from gateproof.load.wire.connection import ANCILLARY, PIECE, READ, Connection

TICK = 0.001  # s between two drains under load; a stream's own gaps are longer
BATCH = 1024  # connections served by one drain
SLICE = 1_000_000  # ns that a drain may take: 200 streams that end at once would hold up what is due for 50 ms
SWEEP = 0.05  # s between two looks for what has taken too long; deadlines are that coarse
IDLE = 2.0  # s after which a parked connection is not used again: uvicorn and node close theirs after 5

Deliver = Callable[[Call, Answer], None]


class Reactor:
    """``start`` a call; ``deliver`` gets it back, ended one way or another, from within the loop: it must not block."""

    def __init__(self, deliver: Deliver, *, tick: float = TICK, idle: float = IDLE) -> None:
        self.deliver_to, self._tick, self._idle_ns = deliver, tick, int(idle * 1e9)
        self.new_socket: Callable[[int, int], socket.socket] = get_original("socket", "socket")
        self._epoll = get_original("select", "epoll")()
        self.clock = Clock()
        self.stamping = _kernel_stamps(self.new_socket)
        self._cut_short = False
        self._connections: dict[int, Connection] = {}
        self._parked: dict[Origin, deque[Connection]] = defaultdict(deque)
        loop = gevent.get_hub().loop
        self._io = loop.io(self._epoll.fileno(), 1)
        self._timer = loop.timer(tick, repeat=tick)
        self._at_once = loop.timer(0.0)
        self._sweeper = loop.timer(SWEEP, repeat=SWEEP)
        self._io.start(self._wake)
        self._sweeper.start(self._sweep)

    @property
    def in_flight(self) -> int:
        return sum(connection.call is not None for connection in self._connections.values())

    def start(self, call: Call, origin: Origin, *, reuse: bool = True) -> None:
        """Send now, on a parked connection if there is one."""
        call.dispatched = Clock.now()
        parked = self._parked[origin] if reuse else ()
        while parked:
            connection = parked.pop()
            if not connection.closed and call.dispatched - connection.idle_since < self._idle_ns:
                connection.serve(call)
                return
            connection.close()
        Connection(self, origin, call).open()

    def close(self) -> None:
        """Abandon what is under way and let everything go."""
        for connection in list(self._connections.values()):
            connection.fail(Failure.ABANDONED, "")
        for watcher in (self._io, self._timer, self._at_once, self._sweeper):
            watcher.stop()
            watcher.close()
        self._epoll.close()

    # --- called by connections ---

    def watch(self, connection: Connection, events: int, *, new: bool = False) -> None:
        if new:
            self._connections[connection.fd] = connection
            self._epoll.register(connection.fd, events)
        elif events != connection.mask:
            self._epoll.modify(connection.fd, events)
        connection.mask = events

    def forget(self, connection: Connection) -> None:
        if self._connections.pop(connection.fd, None) is not None:
            self._epoll.unregister(connection.fd)

    def park(self, connection: Connection) -> None:
        self._parked[connection.origin].append(connection)

    def deliver(self, call: Call, answer: Answer) -> None:
        self.deliver_to(call, answer)

    # --- called by the loop ---

    def _wake(self) -> None:
        """Something came while nobody was waiting for the tick: serve it, then leave the set alone for one."""
        self._io.stop()
        self._ticked()

    def _ticked(self) -> None:
        if self._drain():
            # not `start`: a timer that has fired would begin where it ended, and fire at once
            self._timer.again(self._ticked)
            if self._cut_short:
                self._at_once.start(self._ticked)  # others have their turn before
        else:
            self._timer.stop()
            self._io.start(self._wake)

    def _drain(self) -> int:
        """Serve connections that have something, for a slice of time at most; how many there were."""
        ready = self._epoll.poll(0, BATCH)
        now = Clock.now()
        until, self._cut_short = now + SLICE, False
        connections, just_in = self._connections, select.EPOLLIN
        for fd, events in ready:
            connection = connections.get(fd)
            if connection is None:
                continue
            if not connection.reading or events != just_in:
                connection.on_event(events)
                continue
            answer, call = connection.answer, connection.call
            try:
                data, ancillary, _, _ = connection.recvmsg(PIECE if answer.waits else READ, ANCILLARY)
            except BlockingIOError:
                continue
            except OSError:
                connection.on_event(events)
                continue
            stamp = ancillary[0][2] if ancillary else b""
            if (
                call
                and answer.waits
                and connection.plain
                and data[-len(END) :] != END
                and len(END) <= len(data) < answer.waits
            ):
                # the middle of a stream: what `took` would do with it, without the way there
                call.parts.append(data)
                call.stamps.append(stamp)
                call.reads.append(now)
                answer.waits -= len(data)
            else:
                connection.took(data, stamp, now)
                if Clock.now() > until:
                    self._cut_short = True
                    break
        return len(ready)

    def _sweep(self) -> None:
        self.clock.look()
        now = Clock.now()
        for connection in list(self._connections.values()):
            call = connection.call
            if call is None:
                if now - connection.idle_since > self._idle_ns:
                    connection.close()
            elif failure := overdue(call, now):
                connection.fail(failure, "")


def overdue(call: Call, now: int) -> Failure | None:
    """Which of its deadlines a call has missed, if any."""
    patience = call.patience
    if now - call.dispatched > patience.total * 1e9:
        return Failure.TIMEOUT
    if not call.connected and not call.reused:
        return Failure.CONNECT_TIMEOUT if now - call.dispatched > patience.connect * 1e9 else None
    last = call.reads[-1] if call.reads else call.sent
    return Failure.STALLED if last and now - last > patience.stall * 1e9 else None


def _kernel_stamps(new_socket: Callable[[int, int], Any]) -> bool:
    """Whether this kernel stamps what it receives."""
    with new_socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        except OSError:
            return False
    return True
