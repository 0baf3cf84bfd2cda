"""Whatever a server does, an exchange ends within its limits and says truly what happened."""

from __future__ import annotations

import socket
import ssl
import time

import pytest
import trustme

from gateproof.wire.chat import ChatStream
from gateproof.wire.client import Client, Limits, Tls
from gateproof.wire.exchange import Exchange, NoAnswer, NotText
from tests.ports import refusing_port
from tests.unit.wire_server import answer, serving, until_gone, writes

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
SHORT = Limits(connect=0.5, read=0.3, total=0.5)
# What an exchange may take on top of its limit on a busy machine, in seconds.
SLACK = 1.0
HANG_GUARD = 1.5  # s; well above what is allowed, well below what would be waited for without a limit


def get(url: str, limits: Limits = SHORT) -> Exchange:
    started = time.monotonic()
    exchange = Client(url, limits=limits).send("GET", "/")
    assert time.monotonic() - started < limits.total + SLACK
    assert exchange.ended is not None
    return exchange


def kind(exchange: Exchange) -> str | None:
    return exchange.failure and exchange.failure.kind


def drip(head: bytes, piece: bytes):
    def handler(sock: socket.socket, request: bytes) -> None:
        sock.sendall(head)
        while True:
            sock.sendall(piece)
            time.sleep(0.02)

    return handler


def test_refused_connection_is_no_answer() -> None:
    with refusing_port() as port:
        exchange = get(f"http://127.0.0.1:{port}")
    assert kind(exchange) == "refused"
    with pytest.raises(NoAnswer, match="refused"):
        _ = exchange.status
    with pytest.raises(NoAnswer, match="refused"):
        _ = exchange.body


def test_unknown_name_is_a_resolve_failure() -> None:
    assert kind(get("http://gateproof.invalid", Limits(connect=2, total=2))) in {"resolve", "timeout"}


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def hang(*args, flags: int = 0, **options):
        if not flags:
            time.sleep(2)
        return real(*args, flags=flags, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    exchange = get("http://localhost:1")
    assert kind(exchange) == "timeout"
    assert exchange.duration is not None
    assert exchange.duration < HANG_GUARD


def test_backlog_that_never_accepts_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        exchange = get(f"http://127.0.0.1:{listener.getsockname()[1]}")
    assert kind(exchange) == "timeout"
    assert exchange.sent is not None
    assert exchange.first_byte is None


def test_headers_that_drip_for_ever_end_at_the_total() -> None:
    with serving(drip(b"HTTP/1.1 200 OK\r\nx-long: ", b"a")) as server:
        exchange = get(server.url)
    assert kind(exchange) == "timeout"
    assert exchange.answer is None


def test_body_that_drips_for_ever_ends_at_the_total() -> None:
    with serving(drip(CHUNKED, b"6\r\n: hi\n\n\r\n")) as server:
        exchange = get(server.url)
    assert kind(exchange) == "timeout"
    assert "0.5 s" in str(exchange.failure)
    assert exchange.status == 200
    assert not exchange.complete
    assert exchange.body.startswith(b": hi\n\n: hi")


def test_interim_responses_for_ever_end_at_the_total() -> None:
    with serving(drip(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")) as server:
        assert kind(get(server.url)) == "timeout"


def test_stall_after_the_headers_ends_at_the_read_limit() -> None:
    def handler(sock: socket.socket, request: bytes) -> None:
        sock.sendall(CHUNKED)
        until_gone(sock)

    with serving(handler) as server:
        exchange = get(server.url)
    assert kind(exchange) == "timeout"
    assert exchange.status == 200
    assert exchange.duration is not None
    assert exchange.duration < HANG_GUARD


def test_endless_line_stops_at_the_largest_body() -> None:
    def handler(sock: socket.socket, request: bytes) -> None:
        sock.sendall(HEAD + f"content-length: {1 << 30}\r\n\r\ndata: ".encode())
        while True:
            sock.sendall(b"x" * 65536)

    with serving(handler) as server:
        exchange = get(server.url, Limits(total=5, max_body=1 << 20))
    assert kind(exchange) == "too_large"
    assert 1 << 20 < len(exchange.body) < 2 << 20
    assert [violation.kind for violation in ChatStream.of(exchange).violations] == ["unterminated"]
    assert len(exchange.evidence()) < 6 * 1024


def test_headers_without_end_are_a_protocol_failure() -> None:
    with serving(writes(b"HTTP/1.1 200 OK\r\n" + b"x-a: " + b"a" * 300_000)) as server:
        assert kind(get(server.url)) == "protocol"


@pytest.mark.parametrize(
    "reply",
    [b"SSH-2.0-OpenSSH_9.9\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", CHUNKED + b"zz\r\n", HEAD + b"bad header\r\n\r\n"],
    ids=["ssh", "status", "chunk-size", "header"],
)
def test_what_is_not_http_is_a_protocol_failure(reply: bytes) -> None:
    with serving(writes(reply)) as server:
        assert kind(get(server.url)) == "protocol"


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (CHUNKED + b"5\r\nhello\r\n", b"hello"),
        (CHUNKED + b"9\r\nhello", b"hello"),
        (HEAD + b"content-length: 10\r\n\r\nhello", b"hello"),
    ],
    ids=["between-chunks", "in-a-chunk", "content-length"],
)
def test_cut_body_keeps_what_came(reply: bytes, body: bytes) -> None:
    with serving(writes(reply)) as server:
        exchange = get(server.url)
    assert kind(exchange) == "cut"
    assert (exchange.status, exchange.body, exchange.complete) == (200, body, False)


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200 OK\r\nconte"], ids=["nothing", "half-a-head"])
def test_closed_before_the_head_is_cut(reply: bytes) -> None:
    with serving(writes(reply)) as server:
        exchange = get(server.url)
    assert kind(exchange) == "cut"
    assert exchange.answer is None
    assert "closed" in str(exchange.failure)


def test_reset_is_cut() -> None:
    def handler(sock: socket.socket, request: bytes) -> None:
        sock.sendall(CHUNKED + b"5\r\nhello\r\n")
        time.sleep(0.05)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    with serving(handler) as server:
        exchange = get(server.url)
    assert kind(exchange) == "cut"
    assert exchange.body == b"hello"


def test_invalid_utf8_is_kept_and_reported() -> None:
    with serving(answer(b"ok \xff\xfe")) as server:
        exchange = get(server.url)
    assert exchange.body == b"ok \xff\xfe"
    with pytest.raises(NotText, match="byte 3 is not utf-8"):
        _ = exchange.text
    assert "ok \ufffd" in exchange.evidence()


def test_redirect_is_not_followed_and_no_cookie_kept() -> None:
    with (
        serving(answer(b"stolen")) as thief,
        serving(answer(b"", f"location: {thief.url}/", "set-cookie: a=b; path=/", status="302 Found")) as server,
    ):
        client = Client(server.url, headers={"authorization": "Bearer sk-0123456789abcdef"}, limits=SHORT)
        assert [client.send("GET", "/").status for _ in range(2)] == [302, 302]
    assert thief.requests == []
    assert all(b"cookie" not in request for request in server.requests)


def test_early_refusal_of_a_large_upload_is_read() -> None:
    def handler(sock: socket.socket, request: bytes) -> None:
        answer(b"too big", status="413 Content Too Large")(sock, request)
        until_gone(sock)

    with serving(handler, read_body=False) as server:
        exchange = Client(server.url, limits=SHORT).send("POST", "/", content=b"x" * (64 << 20))
    assert exchange.status == 413
    assert exchange.body == b"too big"


def test_peer_that_reads_nothing_ends_the_upload() -> None:
    with serving(lambda sock, request: time.sleep(0.5), read_body=False) as server:
        exchange = Client(server.url, limits=SHORT).send("POST", "/", content=b"x" * (64 << 20))
    assert kind(exchange) == "timeout"
    assert "sending the request" in str(exchange.failure)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_unknown_authority_is_a_tls_failure(authority: trustme.CA) -> None:
    with serving(answer(b"secret"), tls=server_context(authority, "gateway.test")) as server:
        client = Client("https://gateway.test", connect_to=("127.0.0.1", server.port), limits=SHORT)
        exchange = client.send("GET", "/")
    assert kind(exchange) == "tls"
    assert "certificate" in str(exchange.failure)
    assert server.requests == []


def test_wrong_name_is_a_tls_failure_and_the_right_one_is_not(authority: trustme.CA, tmp_path) -> None:
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    with serving(answer(b"hi"), tls=server_context(authority, "gateway.test")) as server:

        def ask(name: str, tls: Tls, host: str | None = None) -> Exchange:
            client = Client(f"https://{name}", tls=tls, host=host, connect_to=("127.0.0.1", server.port), limits=SHORT)
            return client.send("GET", "/")

        assert kind(ask("other.test", Tls(ca=ca))) == "tls"
        assert ask("gateway.test", Tls(ca=ca)).text == "hi"
        assert ask("other.test", Tls(verify=False)).text == "hi"
        assert ask("other.test", Tls(ca=ca), host="gateway.test").text == "hi"
        assert ask("other.test", Tls(ca=ca, server_name="gateway.test")).text == "hi"
    assert b"host: other.test\r\n" in server.requests[-1].lower()


def test_handshake_that_stalls_ends_at_the_connect_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        exchange = get(f"https://127.0.0.1:{listener.getsockname()[1]}")
    assert kind(exchange) == "timeout"
    assert "TLS" in str(exchange.failure)


def test_plain_http_where_tls_was_asked_is_a_tls_failure() -> None:
    # The hello of the client holds no blank line: this server answers after its first bytes.
    with serving(answer(b"hi"), first_bytes_only=True) as server:
        assert kind(get(server.url.replace("http:", "https:"))) == "tls"
