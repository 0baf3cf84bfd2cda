"""Who gets in, what the refusals look like, and how much each may use."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.unit.gateway_rig import PATIENCE, USAGE, Peer, Rig, eventually, rig_with

CHAT = "/v1/chat/completions"
LIMIT, WINDOW = 5, 1.0
TOKENS = USAGE["total_tokens"]


@pytest.fixture(scope="module")
def one_rig() -> Iterator[Rig]:
    window = {"limit": LIMIT, "window": WINDOW}
    tenants = {
        "fixed": {"requests": window},
        "sliding": {"requests": {**window, "algorithm": "sliding"}},
        "single": {"parallel": 1},
        "quota": {"tokens": {"limit": 2 * TOKENS, "window": 60}},
        "reserve": {"tokens": {"limit": 100, "window": 60, "mode": "reserve"}},
    }
    keys = {f"sk-{name}": name for name in tenants}
    with rig_with(tenants=tenants, keys=keys, upstream_timeout=0.5, max_body=4096, cors=["https://a.example"]) as rig:
        yield rig


@pytest.fixture
def rig(one_rig: Rig) -> Rig:
    one_rig.fresh()
    return one_rig


@pytest.mark.parametrize(
    ("headers", "token_sent"),
    [
        ([], False),
        ([("authorization", "")], False),
        ([("authorization", "sk-main")], False),
        ([("authorization", "Bearer")], False),
        ([("authorization", "Bearer  sk-main")], False),
        ([("authorization", "Basic c2stbWFpbg==")], False),
        ([("authorization", "Bearer sk-main"), ("authorization", "Bearer sk-wrong")], False),
        ([("authorization", "Bearer sk-wrong"), ("authorization", "Bearer sk-main")], False),
        ([("authorization", "Bearer sk-mai")], True),
        ([("authorization", "Bearer sk-main2")], True),
        ([("authorization", "Bearer SK-MAIN")], True),
        ([("x-api-key", "sk-main")], False),
        ([("api-key", "sk-main")], False),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_does_not_get_in(rig: Rig, headers: list[tuple[str, str]], token_sent: bool) -> None:
    reply = rig.client.post(CHAT, json={"model": "m"}, headers=headers, params={"api_key": "sk-main"})
    assert reply.status_code == 401
    challenge = reply.headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="')
    assert ('error="invalid_token"' in challenge) == token_sent
    assert "sk-main" not in reply.text
    assert not rig.a.requests


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_has_no_case(rig: Rig, scheme: str) -> None:
    assert rig.client.post(CHAT, json={"model": "m"}, headers={"authorization": f"{scheme} sk-main"}).status_code == 200


def test_an_endless_token_is_refused(rig: Rig) -> None:
    assert rig.post(key="a" * 65_536).status_code == 431


def test_messages_take_x_api_key(rig: Rig) -> None:
    reply = rig.client.post("/v1/messages", json={"model": "m"}, headers={"x-api-key": "sk-main"})
    assert reply.status_code == 200
    refused = rig.client.post("/v1/messages", json={"model": "m"}, headers={"x-api-key": "no"})
    assert (refused.json()["type"], refused.json()["error"]["type"]) == ("error", "authentication_error")


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/v1/nope", b"{}", 404),
        ("POST", "//v1/chat/completions", b"{}", 404),
        ("POST", "/v1/chat/completions/", b"{}", 404),
        ("POST", "/v1/%63hat/completions", b"{}", 404),
        ("POST", "/V1/chat/completions", b"{}", 404),
        ("GET", CHAT, b"", 405),
        ("PUT", CHAT, b"{}", 405),
        ("POST", "/v1/models", b"{}", 405),
        ("POST", CHAT, b"{", 400),
        ("POST", CHAT, b"[]", 400),
        ("POST", CHAT, b'{"model":null}', 400),
        ("POST", CHAT, b'{"model":7}', 400),
        ("POST", CHAT, b'{"model":""}', 400),
        ("POST", CHAT, b'{"model":"' + b"m" * 2000 + b'"}', 400),
        ("POST", CHAT, b'{"model":"M"}', 404),
        ("POST", CHAT, b'{"model":"m "}', 404),
        ("POST", CHAT, '{"model":"\u217f"}'.encode(), 404),
        ("POST", CHAT, b'{"model":"m\\r\\nx: y"}', 404),
        ("POST", CHAT, b'{"x":"' + b"x" * 4096 + b'"}', 413),
        ("POST", "/v1/embeddings", b'{"model":"chat-only"}', 400),
        ("GET", "/v1/models/nope", b"", 404),
        ("GET", "/v1/responses/resp_1", b"", 404),
    ],
)
def test_refusals_come_in_the_envelope(rig: Rig, method: str, path: str, content: bytes, status: int) -> None:
    headers = {"authorization": "Bearer sk-main", "content-type": "application/json"}
    reply = rig.client.request(method, httpx.URL(rig.url + path), content=content, headers=headers)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/json"
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
    assert ("allow" in reply.headers) == (status == 405)
    assert not rig.a.requests


def test_a_body_that_is_no_json_is_a_415(rig: Rig) -> None:
    headers = {"authorization": "Bearer sk-main", "content-type": "text/plain"}
    assert rig.client.post(CHAT, content=b'{"model":"m"}', headers=headers).status_code == 415


def test_every_response_has_an_id_of_its_own(rig: Rig) -> None:
    replies = [rig.post(), rig.post(key="no"), rig.post("/nope"), rig.client.get("/health/live"), rig.post()]
    assert len({reply.headers["x-request-id"] for reply in replies}) == len(replies)


def test_a_tenant_sees_and_uses_only_its_models(rig: Rig) -> None:
    listed = rig.client.get("/v1/models", headers={"authorization": "Bearer sk-other"}).json()["data"]
    assert [card["id"] for card in listed] == ["m"]
    assert rig.post(key="sk-other", model="alias").json()["error"]["code"] == "model_not_found"


def test_another_host_is_not_served(rig: Rig) -> None:
    headers = {"authorization": "Bearer sk-main", "host": "evil.example"}
    assert rig.client.post(CHAT, json={"model": "m"}, headers=headers).status_code == 421


@pytest.mark.parametrize(("origin", "allowed"), [("https://a.example", True), ("https://b.example", False)])
def test_cors_names_only_known_origins(rig: Rig, origin: str, allowed: bool) -> None:
    headers = {"origin": origin, "access-control-request-method": "POST"}
    reply = rig.client.options(CHAT, headers=headers)
    assert (reply.headers.get("access-control-allow-origin") == origin) == allowed
    assert ("access-control-allow-methods" in reply.headers) == allowed


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_probes_need_no_key_and_are_not_kept(rig: Rig, path: str) -> None:
    got, head = rig.client.get(path), rig.client.head(path)
    assert (got.status_code, head.status_code, head.content) == (200, 200, b"")
    assert got.headers["cache-control"] == "no-store"
    assert got.headers["content-length"] == head.headers["content-length"]


def burst(rig: Rig, key: str, size: int, **body: Any) -> list[httpx.Response]:
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(lambda _: rig.post(key=key, **body), range(size)))


@pytest.mark.parametrize("tenant", ["fixed", "sliding"])
def test_a_burst_admits_exactly_the_limit(rig: Rig, tenant: str) -> None:
    replies = burst(rig, f"sk-{tenant}", 3 * LIMIT)
    refused = [reply for reply in replies if reply.status_code == 429]
    assert len(refused) == 2 * LIMIT
    assert len(rig.a.requests) == LIMIT
    for reply in refused:
        assert reply.json()["error"]["code"] == "rate_limit_exceeded"
        assert (reply.headers["retry-after"], reply.headers["cache-control"]) == ("1", "no-store")
        assert reply.headers["x-ratelimit-limit"] == f"{LIMIT}, {LIMIT};w=1"


def test_what_remains_falls_by_one_per_admitted_request(rig: Rig) -> None:
    replies = [rig.post(key="sk-sliding") for _ in range(LIMIT + 1)]
    assert [reply.headers["x-ratelimit-remaining"] for reply in replies] == ["4", "3", "2", "1", "0", "0"]


@pytest.mark.parametrize("tenant", ["fixed", "sliding"])
def test_refusals_do_not_extend_the_window(rig: Rig, tenant: str) -> None:
    started = time.monotonic()
    burst(rig, f"sk-{tenant}", LIMIT)
    while rig.post(key=f"sk-{tenant}").status_code == 429:
        assert time.monotonic() - started < WINDOW + 0.5
    assert time.monotonic() - started >= WINDOW


def test_what_is_refused_before_admission_costs_nothing(rig: Rig) -> None:
    for _ in range(2 * LIMIT):
        assert rig.post(key="sk-fixed", model="nope").status_code == 404
    assert [rig.post(key="sk-fixed").status_code for _ in range(LIMIT + 1)] == [200] * LIMIT + [429]


def test_a_slot_is_free_again_however_its_request_ends(rig: Rig) -> None:
    rig.a.script = lambda peer: peer.wait_for_hang_up()
    sock = rig.open({"model": "m"}, key="sk-single")
    assert eventually(lambda: bool(rig.a.requests))
    assert rig.post(key="sk-single").status_code == 429
    sock.close()
    assert rig.a.last.hung_up.wait(PATIENCE)
    assert eventually(lambda: rig.post(key="sk-single").status_code == 504)
    rig.fresh()
    assert rig.post(key="sk-single").status_code == 200


def usage_stream(peer: Peer) -> None:
    peer.stream_head()
    peer.chunk(b'data: {"choices":[{"delta":{"content":"\\"usage\\": 999"}}]}\n\n')
    if "include_usage" in peer.request.body.decode():
        peer.chunk(b"data: " + json.dumps({"choices": [], "usage": USAGE}).encode() + b"\n\n")
    peer.chunk(b"data: [DONE]\n\n")
    peer.end()


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_a_quota_is_charged_to_the_token(rig: Rig, stream: bool) -> None:
    if stream:
        rig.a.script = usage_stream
    replies = [rig.post(key="sk-quota", stream=stream) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[2].json()["error"]["code"] == "insufficient_quota"
    assert replies[2].headers["x-ratelimit-remaining-tokens"] == "0"


def test_a_broken_off_stream_is_not_free(rig: Rig) -> None:
    def script(peer: Peer) -> None:
        peer.stream_head()
        for _ in range(30):
            peer.chunk(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
        peer.wait_for_hang_up()

    rig.a.script = script
    with rig.open({"model": "m", "stream": True}, key="sk-quota") as sock:
        got = b""
        while got.count(b"data:") < 30:
            got += sock.recv(65536)
    assert eventually(lambda: rig.post(key="sk-quota", stream=True).status_code == 429)


def test_upstream_errors_cost_no_tokens(rig: Rig) -> None:
    rig.a.script = lambda peer: peer.json({"error": {"message": "x", "type": "x"}}, status=500)
    for _ in range(5):
        rig.post(key="sk-quota")
    models = rig.client.get("/v1/models", headers={"authorization": "Bearer sk-quota"})
    assert models.headers["x-ratelimit-remaining-tokens"] == str(2 * TOKENS)


def test_a_reservation_refuses_up_front_and_is_settled(rig: Rig) -> None:
    messages = [{"role": "user", "content": "abcd"}]
    assert rig.post(key="sk-reserve", messages=messages, max_tokens=97).json()["error"]["code"] == "insufficient_quota"
    assert not rig.a.requests
    replies = burst(rig, "sk-reserve", 4, messages=messages, max_tokens=40)
    assert sum(reply.status_code == 200 for reply in replies) >= 2
    models = rig.client.get("/v1/models", headers={"authorization": "Bearer sk-reserve"})
    used = TOKENS * len(rig.a.requests)
    assert models.headers["x-ratelimit-remaining-tokens"] == str(100 - used)


# Minting

ADMIN = {"authorization": "Bearer sk-admin"}


def test_a_minted_key_works_at_once_and_not_after_it_is_revoked(rig: Rig) -> None:
    made = rig.client.post("/admin/keys", json={"requests": {"limit": 2, "window": "1h"}}, headers=ADMIN).json()
    assert [rig.post(key=made["key"]).status_code for _ in range(3)] == [200, 200, 429]
    better = {"tenant": made["tenant"], "requests": {"limit": 3, "window": "1h"}}
    second = rig.client.post("/admin/keys", json=better, headers=ADMIN).json()
    assert [rig.post(key=key).status_code for key in (second["key"], made["key"])] == [200, 429]
    listing = rig.client.get("/admin/keys", headers=ADMIN)
    assert made["key"] not in listing.text
    assert made["id"] in listing.text
    for name in (made["id"], second["key"]):
        assert rig.client.delete(f"/admin/keys/{name}", headers=ADMIN).json() == {"deleted": True}
    assert [rig.post(key=key).status_code for key in (second["key"], made["key"])] == [401, 401]


def test_a_key_can_expire(rig: Rig) -> None:
    made = rig.client.post("/admin/keys", json={"expires_in": 0.2}, headers=ADMIN).json()
    assert rig.post(key=made["key"]).status_code == 200
    assert eventually(lambda: rig.post(key=made["key"]).status_code == 401)


@pytest.mark.parametrize("key", ["sk-main", "no"])
def test_only_the_admin_mints(rig: Rig, key: str) -> None:
    reply = rig.client.post("/admin/keys", json={}, headers={"authorization": f"Bearer {key}"})
    assert reply.status_code == 401


def test_metrics_follow_the_ledger_and_name_no_key(rig: Rig) -> None:
    made = rig.client.post("/admin/keys", json={"tenant": "counted"}, headers=ADMIN).json()
    for _ in range(3):
        rig.post(key=made["key"])
    text = rig.client.get("/metrics", headers={"authorization": f"Bearer {made['key']}"}).text
    assert 'gateproof_tokens_total{tenant="counted",model="m",type="output"} 15' in text
    assert 'gateproof_requests_total{tenant="counted",model="m",api="chat",code="200"} 3' in text
    assert "sk-" not in text
    assert "main" not in text
    assert rig.client.get("/metrics").status_code == 401
