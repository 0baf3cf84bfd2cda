"""The client sends what it was told, byte for byte, and stamps every instant."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib

import httpx
import pytest

from gateproof.wire.client import Client, Limits
from gateproof.wire.exchange import BadEncoding, Exchange, NotJson
from gateproof.wire.redact import Redactor
from gateproof.wire.transport import Transport
from tests.unit.wire_server import Server, answer, serving, until_gone

CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
KEY = "sk-test-0123456789abcdefghij"


@pytest.fixture
def echo():
    with serving(answer(b'{"ok":true}', "content-type: application/json; charset=utf-8")) as server:
        yield server


def head(server: Server) -> list[str]:
    return server.requests[-1].partition(b"\r\n\r\n")[0].decode().split("\r\n")


def body(server: Server) -> bytes:
    return server.requests[-1].partition(b"\r\n\r\n")[2]


def stream(*pieces: bytes, gap: float = 0.0, hold: threading.Event | None = None):
    def handler(sock: socket.socket, request: bytes) -> None:
        sock.sendall(CHUNKED)
        for piece in pieces:
            time.sleep(gap)
            sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        if hold is None:
            sock.sendall(b"0\r\n\r\n")
        else:
            until_gone(sock)
            hold.set()

    return handler


def test_json_is_compact_utf8(echo: Server) -> None:
    exchange = Client(echo.url).send("POST", "/v1/x", json={"a": "é", "b": None})
    assert body(echo) == exchange.sent_body == '{"a":"é","b":null}'.encode()
    assert "content-type: application/json" in map(str.lower, head(echo))
    assert exchange.json() == {"ok": True}
    assert exchange.content_type == "application/json"


def test_json_none_is_null_and_nothing_is_nothing(echo: Server) -> None:
    client = Client(echo.url)
    client.send("POST", "/", json=None)
    assert body(echo) == b"null"
    client.send("POST", "/")
    assert body(echo) == b""
    with pytest.raises(ValueError, match="either"):
        client.send("POST", "/", json={}, content=b"")


def test_callers_headers_win_repeat_and_vanish(echo: Server) -> None:
    client = Client(echo.url, headers={"authorization": f"Bearer {KEY}", "x-a": "1"})
    client.send("POST", "/", headers=[("X-A", "2"), ("x-a", "3"), ("Content-Type", "text/x")], json={})
    lines = [line.lower() for line in head(echo)]
    assert [line for line in lines if line.startswith("x-a")] == ["x-a: 2", "x-a: 3"]
    assert [line for line in lines if line.startswith("content-type")] == ["content-type: text/x"]
    client.send("GET", "/", headers={"Authorization": None, "x-name": "é"})
    assert not any("authorization" in line.lower() for line in head(echo))
    assert "x-name: é" in head(echo)


def test_no_coding_is_asked_for_unless_told(echo: Server) -> None:
    Client(echo.url).send("GET", "/")
    assert "accept-encoding: identity" in map(str.lower, head(echo))
    Client(echo.url).send("GET", "/", headers={"accept-encoding": "gzip"})
    assert "accept-encoding: gzip" in map(str.lower, head(echo))


@pytest.mark.parametrize("path", ["//v1/./x%2e/../y", "/v1/%2e%2e/metrics", "/a?b=c", "/v1;x"])
def test_raw_path_goes_out_as_given(echo: Server, path: str) -> None:
    exchange = Client(echo.url).send("GET", path, raw_path=True)
    assert head(echo)[0] == f"GET {path} HTTP/1.1"
    assert exchange.path == path
    assert "--path-as-is" in exchange.curl()


def test_plain_path_is_quoted_and_query_appended(echo: Server) -> None:
    Client(echo.url + "/ignored").send("GET", "/v1/models/a b", query="x=1&x=%20")
    assert head(echo)[0] == "GET /v1/models/a%20b?x=1&x=%20 HTTP/1.1"


@pytest.mark.parametrize("method", ["get", "PROPFIND", "M-SEARCH", "TRACE"])
def test_any_method_token(echo: Server, method: str) -> None:
    Client(echo.url).send(method, "/")
    assert head(echo)[0].startswith(f"{method} / ")


@pytest.mark.parametrize("wrong", [{"method": "GE T"}, {"path": "/a b"}, {"headers": {"x": "a\r\nb"}}])
def test_what_is_not_http_is_the_callers_mistake(echo: Server, wrong: dict) -> None:
    with pytest.raises(ValueError, match="raw_exchange"):
        Client(echo.url).send(**{"method": "GET", "path": "/", "raw_path": True, **wrong})


def test_iterable_content_goes_out_chunked(echo: Server) -> None:
    exchange = Client(echo.url).send("POST", "/", content=iter([b"ab", b"cd"]))
    assert "transfer-encoding: chunked" in map(str.lower, head(echo))
    assert body(echo) == b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"
    assert exchange.sent_body == b"abcd"


def test_host_and_address_are_apart(echo: Server) -> None:
    client = Client("http://api.example.test", host="other.test", connect_to=("127.0.0.1", echo.port))
    exchange = client.send("GET", "/")
    assert "host: other.test" in map(str.lower, head(echo))
    assert f"--connect-to ::127.0.0.1:{echo.port}" in exchange.curl()
    assert "-H 'host: other.test'" in exchange.curl()


def test_instants_are_in_order_and_chunks_carry_theirs() -> None:
    with serving(stream(b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n", gap=0.05)) as server:
        exchange = Client(server.url).send("POST", "/", json={})
    assert exchange.complete
    instants = [exchange.started, exchange.sent, exchange.first_byte, exchange.head, exchange.ended]
    assert instants == sorted(instants)  # type: ignore[type-var]  # None would fail, as it should
    arrivals = [chunk.at for chunk in exchange.chunks]
    assert len(arrivals) == 3
    assert arrivals[-1] - arrivals[0] > 0.08
    assert b"".join(chunk.data for chunk in exchange.chunks) == exchange.body


def test_hanging_up_when_the_body_says_so_closes_the_connection() -> None:
    gone = threading.Event()
    with serving(stream(b"data: 1\n\n", b"data: 2\n\n", gap=0.02, hold=gone)) as server:
        exchange = Client(server.url).send("GET", "/", hang_up_when=lambda so_far: b"data: 2" in so_far)
        assert gone.wait(2)
    assert exchange.hung_up
    assert not exchange.complete
    assert exchange.body == b"data: 1\n\ndata: 2\n\n"
    assert "hung_up" in repr(exchange)


def test_hanging_up_after_a_while_works_before_the_head_too() -> None:
    with serving(lambda sock, request: until_gone(sock)) as server:
        exchange = Client(server.url).send("GET", "/", hang_up_after=0.1)
    assert exchange.hung_up
    assert exchange.duration == pytest.approx(0.1, abs=0.08)


def test_slow_reader_holds_the_sender_back() -> None:
    sent = []

    def handler(sock: socket.socket, request: bytes) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        for _ in range(1000):
            sock.sendall(b"x" * 1000)
            sent.append(1000)

    with serving(handler) as server:
        exchange = Client(server.url).send("GET", "/", slow_read=20_000, limits=Limits(total=0.6))
    assert exchange.failure is not None
    assert exchange.failure.kind == "timeout"
    assert len(exchange.body) < 16_000
    assert sum(sent) < 200_000


def test_thirty_at_once_share_a_client(echo: Server) -> None:
    client, done = Client(echo.url), []
    threads = [threading.Thread(target=lambda: done.append(client.send("GET", "/").status)) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [200] * 30


def test_observer_sees_every_exchange(echo: Server) -> None:
    seen: list[Exchange] = []
    exchange = Client(echo.url, observe=seen.append).send("GET", "/")
    assert seen == [exchange]
    assert exchange.ended is not None


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", lambda data: zlib.compress(data)[2:-4])],
    ids=["gzip", "deflate", "raw-deflate"],
)
def test_codings_are_undone_for_text_but_not_for_body(coding: str, pack) -> None:
    packed = pack(b'{"a":1}')
    with serving(answer(packed, f"content-encoding: {coding}")) as server:
        exchange = Client(server.url).send("GET", "/")
    assert exchange.body == packed
    assert exchange.json() == {"a": 1}


@pytest.mark.parametrize(
    ("coding", "data"),
    [("gzip", b"plain"), ("br", b"x"), ("gzip", gzip.compress(b"\0" * (65 << 20), 1))],
    ids=["not-gzip", "unknown", "bomb"],
)
def test_bad_codings_are_told(coding: str, data: bytes) -> None:
    with serving(answer(data, f"content-encoding: {coding}")) as server:
        exchange = Client(server.url).send("GET", "/")
    with pytest.raises(BadEncoding):
        exchange.json()
    assert exchange.evidence()


@pytest.mark.parametrize("data", [b"", b"<html>", b"NaN", b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_shown_in_part(data: bytes) -> None:
    with serving(answer(data)) as server:
        exchange = Client(server.url).send("GET", "/")
    with pytest.raises(NotJson) as error:
        exchange.json()
    assert len(str(error.value)) < 1000


def test_the_environments_proxy_is_not_used(echo: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert Client(echo.url).send("GET", "/").status == 200


def test_transport_serves_a_plain_httpx_client_too(echo: Server) -> None:
    with httpx.Client(transport=Transport(limits=Limits(total=1)), trust_env=False) as client:
        assert client.get(echo.url).json() == {"ok": True}


def test_known_keys_are_masked_but_the_body_stays_true() -> None:
    redactor = Redactor([KEY])
    with serving(answer(f"you sent {KEY}".encode(), f"x-echo: {KEY}")) as server:
        client = Client(server.url, headers={"x-api-key": "another-key"}, redactor=redactor)
        exchange = client.send("POST", f"/{KEY}", headers={"Authorization": f"Bearer {KEY}"}, json={"key": KEY})
    assert KEY in exchange.text
    for shown in (exchange.evidence(), exchange.curl(), repr(exchange), str(exchange.sent_headers)):
        assert KEY not in shown
        assert "another-key" not in shown
    with pytest.raises(NotJson) as error:
        exchange.json()
    assert KEY not in str(error.value)
