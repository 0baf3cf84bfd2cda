"""One connection: it connects, shakes hands, sends, reads, and may serve again. Never blocks, never waits."""

from __future__ import annotations

import errno
import select
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateproof.load.wire.answer import Answer, NotHttp, TooLarge
from gateproof.load.wire.call import Call, Failure, Origin
from gateproof.load.wire.clock import SO_TIMESTAMPNS, STAMP, Clock

if TYPE_CHECKING:
    from gateproof.load.wire.reactor import Reactor

READ = 16 * 1024  # bytes in one read: a segment or a few; what is left comes with the next drain
PIECE = 4 * 1024  # of an event stream, whose events are small: a tenth of all CPU goes into room that is not used
ANCILLARY = socket.CMSG_SPACE(STAMP.size)
ERRORS = select.EPOLLERR | select.EPOLLHUP


class Connection:
    """A socket in one of four states, told by ``on_event``; ``reading`` marks the one that the hot loop serves."""

    __slots__ = (
        "_incoming",
        "_outgoing",
        "_pending",
        "_reactor",
        "_tls",
        "answer",
        "call",
        "closed",
        "fd",
        "idle_since",
        "mask",
        "on_event",
        "origin",
        "plain",
        "reading",
        "recvmsg",
        "sock",
    )

    def __init__(self, reactor: Reactor, origin: Origin, call: Call) -> None:
        self._reactor, self.origin = reactor, origin
        self.sock = reactor.new_socket(origin.family, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if reactor.stamping:
            self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.recvmsg = self.sock.recvmsg
        self.fd = self.sock.fileno()
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._pending = memoryview(b"")
        self.call: Call | None = call
        self.answer = Answer()
        self.idle_since = self.mask = 0
        self.plain = origin.tls is None
        self.reading = self.closed = False
        self.on_event: Callable[[int], None] = self._on_connect

    def open(self) -> None:
        """Begin to connect."""
        self._reactor.watch(self, select.EPOLLOUT, new=True)
        code = self.sock.connect_ex(self.origin.address)
        if code not in (0, errno.EINPROGRESS):
            self.fail(Failure.CONNECT, errno.errorcode.get(code, str(code)))

    def serve(self, call: Call) -> None:
        """Another call on a connection that has served before."""
        self.call, self.answer = call, Answer()
        call.reused = True
        self._send(call)

    # --- connecting ---

    def _on_connect(self, _events: int) -> None:
        assert self.call is not None
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self.fail(Failure.CONNECT, errno.errorcode.get(code, str(code)))
            return
        self.call.connected = Clock.now()
        if self.origin.tls is None:
            self._send(self.call)
            return
        self._tls = self.origin.tls.wrap_bio(self._incoming, self._outgoing, server_hostname=self.origin.server_name)
        self.on_event = self._on_handshake
        self._reactor.watch(self, select.EPOLLIN)
        self._on_handshake(0)

    def _on_handshake(self, events: int) -> None:
        assert self._tls is not None
        assert self.call is not None
        if events and not self._receive_encrypted():
            return
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush_handshake()
            return
        except ssl.SSLError as error:
            why = getattr(error, "verify_message", None) or error.reason or type(error).__name__
            self.fail(Failure.TLS, why)
            return
        if not self._flush_handshake():
            return
        self.call.secured = Clock.now()
        self._send(self.call)

    def _receive_encrypted(self) -> bool:
        try:
            data = self.sock.recv(READ)
        except BlockingIOError:
            return True
        except OSError as error:
            self.fail(Failure.TLS, errno.errorcode.get(error.errno or 0, str(error)))
            return False
        if not data:
            self.fail(Failure.TLS, "closed during the handshake")
            return False
        self._incoming.write(data)
        return True

    def _flush_handshake(self) -> bool:
        # a flight of the handshake fits into any socket buffer
        try:
            if data := self._outgoing.read():
                self.sock.send(data)
        except OSError as error:
            self.fail(Failure.TLS, errno.errorcode.get(error.errno or 0, str(error)))
            return False
        return True

    # --- sending ---

    def _send(self, call: Call) -> None:
        data = call.request
        if self._tls is not None:
            self._tls.write(data)
            data = self._outgoing.read()
        self._pending = memoryview(data)
        self.on_event, self.reading = self._on_writable, False
        self._on_writable(0)

    def _on_writable(self, _events: int) -> None:
        # read before the bytes go: the answer may come while `send` is still on its way back to us
        handed_over = Clock.now()
        try:
            self._pending = self._pending[self.sock.send(self._pending) :]
        except BlockingIOError:
            pass
        except OSError as error:
            self.fail(Failure.SEND, errno.errorcode.get(error.errno or 0, str(error)))
            return
        if self._pending:
            self._reactor.watch(self, select.EPOLLOUT | select.EPOLLIN)
            return
        assert self.call is not None
        self.call.sent = handed_over
        self.on_event, self.reading = self._on_readable, True
        self._reactor.watch(self, select.EPOLLIN)

    # --- reading ---

    def _on_readable(self, _events: int) -> None:
        """The slow way to read, for what the hot loop hands over: errors, hang-ups, TLS."""
        try:
            data, ancillary, _, _ = self.recvmsg(READ, ANCILLARY)
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(Failure.CUT, errno.errorcode.get(error.errno or 0, str(error)))
            return
        self.took(data, ancillary[0][2] if ancillary else b"", Clock.now())

    def took(self, data: bytes, stamp: bytes, read: int) -> None:
        """What one read brought."""
        call = self.call
        if call is None:
            self.close()  # an idle connection that ends, or speaks unasked
            return
        if not data:
            self._over(call)
            return
        if self._tls is not None:
            data = self._decrypted(data)
            if not data:
                return
        call.parts.append(data)
        call.stamps.append(stamp)
        call.reads.append(read)
        try:
            complete = self.answer.took(call.parts)
        except NotHttp as error:
            self.fail(Failure.PROTOCOL, str(error))
        except TooLarge:
            self.fail(Failure.TOO_LARGE, "")
        else:
            if complete:
                self._finish(call, self._reactor.clock.of_stamp(stamp) if stamp else read)

    def _decrypted(self, data: bytes) -> bytes:
        assert self._tls is not None
        self._incoming.write(data)
        pieces = []
        try:
            while piece := self._tls.read(READ):
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.fail(Failure.CUT, error.reason or type(error).__name__)
            return b""
        return b"".join(pieces)

    def _over(self, call: Call) -> None:
        """The other side has closed."""
        try:
            self.answer.parse(call.parts)
        except (NotHttp, TooLarge):
            self.fail(Failure.PROTOCOL, "cut in mid-syntax")
            return
        if self.answer.ended():
            self._finish(call, Clock.now())
        else:
            self.fail(Failure.CUT, "closed" if call.parts else "closed without an answer")

    def _finish(self, call: Call, ended: int) -> None:
        call.ended = ended
        self.call, self.reading = None, False
        if self.answer.reusable and self._tls_is_quiet():
            self.idle_since = call.ended
            self._reactor.park(self)
        else:
            self.close()
        self._reactor.deliver(call, self.answer)

    def _tls_is_quiet(self) -> bool:
        return self._incoming.pending == 0

    # --- ending ---

    def fail(self, failure: Failure, detail: str) -> None:
        """Give the call back without a whole answer."""
        call, self.call = self.call, None
        self.close()
        if call is not None:
            call.ended, call.failure, call.detail = Clock.now(), failure, detail
            self._reactor.deliver(call, self.answer)

    def close(self) -> None:
        if not self.closed:
            self.closed, self.reading = True, False
            self._reactor.forget(self)
            self.sock.close()
