"""What passes through the gateway, byte for byte, and what happens when one of the two ends goes away."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.unit.gateway_rig import PATIENCE, USAGE, Peer, Rig, Script, eventually, rig_with

KEEPALIVE, TIMEOUT = 0.15, 0.6  # s; short, so that the tests are
TEXT = "你好🌍é\u2028"
HANG_GUARD = 2.0  # s; "at once" on a machine that is busy with something else


@pytest.fixture(scope="module")
def one_rig() -> Iterator[Rig]:
    models = {
        "safe": {"backends": ["a"], "fallback": ["b"]},
        "dead": {"backends": ["http://127.0.0.1:9"]},
        "renamed": {"backends": [{"engine": "a", "model": "m-internal"}]},
        "as-asked": {"alias_of": "m", "reply_model": "requested"},
        "split": {
            "backends": [{"engine": "a", "weight": 3}, {"engine": "b", "weight": 1}, {"engine": "a", "weight": 0}]
        },
    }
    with rig_with(models=models, keepalive=KEEPALIVE, upstream_timeout=TIMEOUT) as rig:
        yield rig


@pytest.fixture
def rig(one_rig: Rig) -> Rig:
    one_rig.fresh()
    return one_rig


def chunk(**more: object) -> bytes:
    delta = {"index": 0, "delta": {"content": TEXT}}
    payload = {"id": "s", "object": "chat.completion.chunk", "model": "m", "choices": [delta], **more}
    return json.dumps(payload, ensure_ascii=False).encode()


def stream_of(*events: bytes, size: int | None = None) -> Script:
    def script(peer: Peer) -> None:
        peer.stream_head()
        for event in events:
            for at in range(0, len(event), size or len(event)):
                peer.chunk(event[at : at + (size or len(event))])
        peer.end()

    return script


@pytest.mark.parametrize("eol", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("size", [1, 7, None], ids=["bytewise", "pieces", "whole"])
def test_a_stream_passes_byte_for_byte(rig: Rig, eol: bytes, size: int | None) -> None:
    lines = [b": ping", b"data:" + chunk(), b"event: x" + eol + b"data: " + chunk(usage=None), b"data: [DONE]"]
    events = [line + eol + eol for line in lines]
    rig.a.script = stream_of(*events, size=size)
    reply = rig.post(stream=True)
    assert reply.content == b"".join(events)
    assert reply.headers["content-type"] == "text/event-stream"


def test_large_events_and_many_events_pass(rig: Rig) -> None:
    events = [b"data: " + json.dumps({"x": "y" * 262_144}).encode() + b"\n\n", *[b"data: {}\n\n"] * 5000]
    rig.a.script = stream_of(*events, size=16_384)
    assert rig.post(stream=True).content == b"".join(events)


@pytest.mark.parametrize("place", ["last", "last but one", "after done", "twice"])
def test_usage_that_nobody_asked_for_is_taken_out(rig: Rig, place: str) -> None:
    usage = b"data: " + json.dumps({"id": "s", "choices": [], "usage": USAGE}).encode() + b"\n\n"
    content, extra, done = b"data: " + chunk() + b"\n\n", b"data: {}\n\n", b"data: [DONE]\n\n"
    layouts = {
        "last": [content, usage, done],
        "last but one": [content, usage, extra, done],
        "after done": [content, done, usage],
        "twice": [usage, content, usage, done],
    }
    rig.a.script = stream_of(*layouts[place])
    reply = rig.post(stream=True)
    assert reply.content == b"".join(event for event in layouts[place] if event is not usage)
    assert json.loads(rig.a.last.body)["stream_options"] == {"include_usage": True}


def test_usage_that_was_asked_for_stays(rig: Rig) -> None:
    usage = b"data: " + json.dumps({"id": "s", "choices": [], "usage": USAGE}).encode() + b"\n\n"
    rig.a.script = stream_of(usage, b"data: [DONE]\n\n")
    assert usage in rig.post(stream=True, stream_options={"include_usage": True}).content


def test_the_body_reaches_the_upstream_unchanged(rig: Rig) -> None:
    body = b'{ "x":1e400, "u":"\\u00e9\\ud800", "d":1, "d":2,\n"messages":[], "model" :"m"}'
    headers = {"authorization": "Bearer sk-main", "content-type": "application/json"}
    rig.client.post("/v1/chat/completions?q=%41", content=body, headers=headers)
    assert rig.a.last.body == body
    assert rig.a.last.line == "POST /v1/chat/completions?q=%41 HTTP/1.1"


def test_the_reply_body_is_not_touched(rig: Rig) -> None:
    body = b'{ "x":1.50,\n "usage": {"total_tokens": 3}, "model":"anything" }'
    rig.a.script = lambda peer: peer.reply(body, extra="x-vendor: 1\r\nx-envoy-upstream: 2\r\nserver: engine/1\r\n")
    reply = rig.post()
    assert reply.content == body
    assert reply.headers["x-vendor"] == "1"
    assert not {"x-envoy-upstream", "server"} & set(reply.headers)


def test_a_compressed_reply_is_counted_and_readable(rig: Rig) -> None:
    body = gzip.compress(json.dumps({"model": "m", "usage": USAGE}).encode())
    rig.a.script = lambda peer: peer.reply(body, extra="content-encoding: gzip\r\n")
    assert rig.post().json()["usage"] == USAGE
    assert rig.a.last.header("accept-encoding") == "identity"


def test_private_headers_do_not_pass(rig: Rig) -> None:
    headers = {
        "authorization": "Bearer sk-main",
        "x-ai-eg-model": "other",
        "x-gateway-destination-endpoint": "10.0.0.1:80",
        "x-forwarded-for": "1.2.3.4",
        "connection": "x-listed",
        "x-listed": "1",
        "te": "trailers",
        "cookie": "a=b",
        "x-vendor": "kept",
        "traceparent": "00-1-2-01",
    }
    rig.client.post("/v1/chat/completions", json={"model": "m"}, headers=headers)
    seen = {name for name, _ in rig.a.last.headers}
    assert not seen & (headers.keys() - {"x-vendor", "traceparent"})
    assert {"x-vendor", "traceparent"} <= seen
    assert "sk-main" not in str(rig.a.last.headers)


def test_an_alias_goes_out_under_its_targets_name(rig: Rig) -> None:
    assert rig.post(model="alias").json()["model"] == "m"
    assert json.loads(rig.a.last.body)["model"] == "m"


def test_an_alias_can_answer_under_its_own_name(rig: Rig) -> None:
    assert rig.post(model="as-asked").json()["model"] == "as-asked"


def test_an_upstream_name_does_not_show(rig: Rig) -> None:
    assert rig.post(model="renamed").json()["model"] == "renamed"
    rig.a.script = stream_of(b"data: " + chunk(model="m-internal") + b"\n\n", b"data: [DONE]\n\n")
    reply = rig.post(model="renamed", stream=True)
    assert b"m-internal" not in reply.content
    assert TEXT.encode() in reply.content


def test_a_split_follows_the_weights(rig: Rig) -> None:
    for _ in range(200):
        rig.post(model="split")
    # p = 0.75 of 200: six standard deviations are 37
    assert abs(len(rig.a.requests) - 150) < 37


def test_duplicate_model_keys_never_split_the_brain(rig: Rig) -> None:
    headers = {"authorization": "Bearer sk-main", "content-type": "application/json"}
    reply = rig.client.post("/v1/chat/completions", content=b'{"model":"m","model":"alias"}', headers=headers)
    assert reply.status_code == 400
    assert not rig.a.requests


# Failures of the upstream


def status(code: int, kind: str = "application/json") -> Script:
    body = json.dumps({"error": {"message": "no", "type": "x", "param": None, "code": None}}).encode()
    return lambda peer: peer.reply(body if kind == "application/json" else b"<h1>10.0.0.1</h1>", status=code, kind=kind)


def hang(peer: Peer) -> None:
    peer.wait_for_hang_up()


def cut(peer: Peer) -> None:
    peer.cut()


@pytest.mark.parametrize(
    "failure", [status(500), status(503, "text/html"), hang, cut], ids=["500", "html", "hang", "cut"]
)
def test_a_fallback_answers_for_a_failing_backend(rig: Rig, failure: Script) -> None:
    rig.a.script = failure
    assert rig.post(model="safe").status_code == 200
    assert (len(rig.a.requests), len(rig.b.requests)) == (1, 1)


@pytest.mark.parametrize("code", [400, 401, 404, 422, 429])
def test_there_is_no_fallback_on_the_clients_fault(rig: Rig, code: int) -> None:
    rig.a.script = status(code)
    reply = rig.post(model="safe")
    assert (reply.status_code, len(rig.b.requests)) == (code, 0)
    assert reply.json()["error"]["message"] == "no"


def test_there_is_no_fallback_after_the_first_byte(rig: Rig) -> None:
    def script(peer: Peer) -> None:
        peer.stream_head()
        peer.chunk(b"data: " + chunk() + b"\n\n")
        peer.chunk(b"data: {half")
        peer.cut()

    rig.a.script = script
    reply = rig.post(model="safe", stream=True)
    assert not rig.b.requests
    events = reply.text.split("\n\n")
    assert json.loads(events[1].removeprefix("data: "))["error"]["type"] == "server_error"
    assert "[DONE]" not in reply.text
    assert "half" not in reply.text


def test_a_stalled_stream_ends_with_an_error(rig: Rig) -> None:
    def script(peer: Peer) -> None:
        peer.stream_head()
        peer.chunk(b"data: " + chunk() + b"\n\n")
        peer.wait_for_hang_up()

    rig.a.script = script
    reply = rig.post(stream=True)
    assert '"code": "upstream_timeout"' in reply.text
    assert ": keep-alive\n\n" in reply.text
    assert rig.a.last.hung_up.wait(PATIENCE)


def test_a_silent_stream_is_kept_alive_between_events(rig: Rig) -> None:
    def script(peer: Peer) -> None:
        peer.stream_head()
        peer.chunk(b"data: {\r\ndata: ")
        time.sleep(2.5 * KEEPALIVE)
        peer.chunk(b"}\r\n\r\n")
        time.sleep(2.5 * KEEPALIVE)
        peer.chunk(b"data: [DONE]\r\n\r\n")
        peer.end()

    rig.a.script = script
    alive = ": keep-alive\r\n\r\n"
    text = rig.post(stream=True).text
    assert text.replace(": keep-alive\n\n", "").replace(alive, "") == "data: {\r\ndata: }\r\n\r\ndata: [DONE]\r\n\r\n"
    assert text.count(alive) >= 2


@pytest.mark.parametrize(
    ("script", "code"),
    [(status(503, "text/html"), 503), (status(500, "text/plain"), 500), (hang, 504), (cut, 502), (status(302), 502)],
    ids=["html", "text", "hang", "cut", "redirect"],
)
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_upstream_failures_come_in_the_envelope(rig: Rig, script: Script, code: int, stream: bool) -> None:
    rig.a.script = script
    reply = rig.post(stream=stream)
    assert reply.status_code == code
    assert reply.headers["content-type"] == "application/json"
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
    assert "10.0.0.1" not in reply.text


def test_a_refused_connection_is_told_at_once(rig: Rig) -> None:
    started = time.monotonic()
    assert rig.post(model="dead").status_code == 503
    assert time.monotonic() - started < HANG_GUARD


def test_a_truncated_reply_is_no_answer(rig: Rig) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{")
        peer.cut()

    rig.a.script = script
    assert rig.post().status_code == 502


# The client goes away


def stream_then_wait(peer: Peer) -> None:
    peer.stream_head()
    peer.chunk(b"data: " + chunk() + b"\n\n")
    peer.wait_for_hang_up()


def head_then_wait(peer: Peer) -> None:
    peer.stream_head()
    peer.wait_for_hang_up()


@pytest.mark.parametrize(
    "script", [stream_then_wait, head_then_wait, hang], ids=["mid-stream", "before token", "unary"]
)
def test_a_hang_up_cancels_the_upstream_at_once(rig: Rig, script: Script) -> None:
    rig.a.script = script
    sock = rig.open({"model": "m", "stream": script is not hang})
    assert eventually(lambda: bool(rig.a.requests))
    if script is not hang:
        sock.recv(65536)
    started = time.monotonic()
    sock.close()
    assert rig.a.last.hung_up.wait(PATIENCE)
    assert time.monotonic() - started < HANG_GUARD


def test_a_slow_reader_slows_the_upstream_and_loses_nothing(rig: Rig) -> None:
    event, count = b"data: " + b"x" * 8192 + b"\n\n", 2000
    sent = threading.Event()

    def script(peer: Peer) -> None:
        stream_of(*[event] * count)(peer)
        sent.set()

    rig.a.script = script
    with rig.open({"model": "m", "stream": True}) as sock:
        assert not sent.wait(0.4), "16 MB went somewhere while nobody read"
        assert httpx.get(f"{rig.url}/health/live", trust_env=False).status_code == 200
        got = b""
        while not got.endswith(b"0\r\n\r\n"):
            got += sock.recv(1 << 20)
    assert got.count(event) == count


def test_streams_do_not_cross(rig: Rig) -> None:
    def script(peer: Peer) -> None:
        nonce = json.loads(peer.request.body)["nonce"]
        stream_of(*[b'data: {"n":%d}\n\n' % nonce] * 30, size=5)(peer)

    rig.a.script = script
    replies: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda n=n: replies.update({n: rig.post(stream=True, nonce=n).text})) for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(text == f'data: {{"n":{n}}}\n\n' * 30 for n, text in replies.items())
    assert len(replies) == 20


def test_two_requests_in_one_segment_are_answered_in_order(rig: Rig) -> None:
    rig.a.script = lambda peer: peer.json({"n": json.loads(peer.request.body)["n"]})
    host, port = rig.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as sock:
        for n in (1, 2, 3):
            body = json.dumps({"model": "m", "n": n}).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer sk-main\r\n"
            sock.sendall(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        got = b""
        with contextlib.suppress(TimeoutError):
            while got.count(b'{"n": ') < 3:
                got += sock.recv(65536)
    assert [got.index(b'{"n": %d}' % n) for n in (1, 2, 3)] == sorted(got.index(b'{"n": %d}' % n) for n in (1, 2, 3))
