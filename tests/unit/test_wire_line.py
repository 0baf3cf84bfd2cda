"""A line keeps its connection while the peer does, and counts the ones it had to open."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from gateproof.wire.client import Client, Limits, Line

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n%s\r\nok"


class Peer:
    """Answers on each connection as often as told, then closes it; ``ports`` holds the client's of each request."""

    def __init__(self, answers: int, extra: bytes = b"") -> None:
        self.answers, self.extra = answers, extra
        self.ports: list[int] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, address = self.listener.accept()
            except OSError:
                return
            with sock:
                for _ in range(self.answers):
                    if not sock.recv(65536):
                        break
                    self.ports.append(address[1])
                    sock.sendall(ANSWER % self.extra)


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    peer = Peer(*request.param)
    yield peer
    peer.listener.shutdown(socket.SHUT_RDWR)
    peer.listener.close()


def statuses(client: Client, line: Line | None, times: int) -> list[int]:
    return [client.send("GET", "/", line=line).status for _ in range(times)]


@pytest.mark.parametrize("peer", [(9,)], indirect=True, ids=["keeps"])
def test_one_connection_serves_many_exchanges(peer: Peer) -> None:
    with Line() as line:
        assert statuses(Client(peer.url), line, 3) == [200, 200, 200]
        assert line.opened == len(set(peer.ports)) == 1


@pytest.mark.parametrize("peer", [(9,)], indirect=True, ids=["keeps"])
def test_without_a_line_each_exchange_has_its_own(peer: Peer) -> None:
    statuses(Client(peer.url), None, 3)
    assert len(set(peer.ports)) == 3


@pytest.mark.parametrize("peer", [(9, b"connection: close\r\n")], indirect=True, ids=["says that it closes"])
def test_a_closed_connection_is_opened_anew_and_counted(peer: Peer) -> None:
    with Line() as line:
        assert statuses(Client(peer.url), line, 3) == [200, 200, 200]
        assert line.opened == len(set(peer.ports)) == 3


@pytest.mark.parametrize("peer", [(9,)], indirect=True, ids=["keeps"])
def test_each_exchange_on_a_line_has_instants_and_limits_of_its_own(peer: Peer) -> None:
    client = Client(peer.url)
    with Line() as line:
        first = client.send("GET", "/", line=line)
        second = client.send("GET", "/", line=line, limits=Limits(total=5.0))
    assert first.ended is not None
    assert second.first_byte is not None
    assert first.first_byte is not None
    assert first.first_byte <= first.ended <= second.started <= second.first_byte


@pytest.mark.parametrize("peer", [(1,)], indirect=True, ids=["closes in silence"])
def test_a_connection_that_the_peer_closed_while_idle_is_not_used(peer: Peer) -> None:
    with Line() as line:
        client = Client(peer.url)
        assert client.send("GET", "/", line=line).status == 200
        kept = line._connection
        assert kept is not None
        for _ in range(200):  # the close is on its way
            if kept.has_expired():
                break
            threading.Event().wait(0.01)
        assert client.send("GET", "/", line=line).status == 200
        assert line.opened == 2
