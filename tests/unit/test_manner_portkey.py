"""The gateway as Portkey 2.x speaks, from its public branch and from what the real 1.15.2 was seen to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateproof.stack.gateway.manners.portkey import clamped, doubles
from tests.unit.gateway_rig import Peer, Rig, rig_with

CONFIG = {"x-portkey-config": "pc-test"}
ADMIN = {"x-portkey-api-key": "sk-admin"}


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    with rig_with(manner="portkey-2", upstream_timeout=0.5) as rig:
        yield rig


@pytest.fixture
def rig(running: Rig) -> Rig:
    running.fresh()
    return running


def chat(rig: Rig, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
    said = {"authorization": "Bearer sk-main"} | CONFIG | (headers or {})
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]} | fields
    return rig.client.post("/v1/chat/completions", json=body, headers=said)


def key_with(rig: Rig, **said: Any) -> str:
    order = {"name": "k", "workspace_id": "ws", **said}
    made: str = rig.client.post("/v1/api-keys/workspace/service", json=order, headers=ADMIN).json()["key"]
    return made


def test_health_is_open_static_and_tells_the_version(rig: Rig) -> None:
    told = rig.client.get("/v1/health").json()
    assert told == {"status": "success", "message": "Server is healthy", "version": "2.2.3"}


@pytest.mark.parametrize(
    "headers", [{"authorization": ""}, {"authorization": "Bearer no"}, {"authorization": "bearer sk-main"}]
)
def test_a_refused_key_is_told_in_the_gateways_own_form(rig: Rig, headers: dict[str, str]) -> None:
    answer = chat(rig, headers)
    text = "Portkey Error: Invalid API Key. Error Code: 03"
    assert (answer.status_code, answer.json()) == (
        401,
        {"status": "failure", "message": text, "error": {"message": text, "code": "03"}},
    )
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"


@pytest.mark.parametrize(
    "headers", [{"authorization": "sk-main"}, {"authorization": "", "x-portkey-api-key": "sk-main"}]
)
def test_a_key_may_come_bare_or_in_a_field_of_its_own(rig: Rig, headers: dict[str, str]) -> None:
    assert chat(rig, headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"x-portkey-config": ""}, "Either x-portkey-config or x-portkey-provider header is required"),
        ({"x-portkey-config": "{oops"}, "Invalid config passed. You need to pass a valid json"),
        ({"content-type": "text/plain"}, "Invalid content type passed"),
    ],
)
def test_what_the_gateway_itself_refuses(rig: Rig, headers: dict[str, str], message: str) -> None:
    answer = chat(rig, headers)
    assert (answer.status_code, answer.json()) == (400, {"status": "failure", "message": message})


def test_who_has_a_key_is_told_what_does_not_exist(rig: Rig) -> None:
    known = {"authorization": "Bearer sk-main"} | CONFIG
    answers = [rig.client.post("/nope", json={}, headers=headers) for headers in ({}, known)]
    assert [answer.status_code for answer in answers] == [401, 404]
    assert answers[1].json() == {"message": "Not Found", "ok": False}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            b'{"error": {"message": "no such thing", "type": "t", "param": null, "code": "c"}}',
            {
                "error": {"message": "openai error: no such thing", "type": "t", "param": None, "code": "c"},
                "provider": "openai",
            },
        ),
        (b"<html>down</html>", {"html-message": "<html>down</html>"}),
        (b'{"detail": "as it was"}', {"detail": "as it was"}),
    ],
    ids=["an OpenAI error", "a page", "other JSON"],
)
def test_what_the_provider_says_comes_in_three_ways(rig: Rig, body: bytes, told: dict[str, Any]) -> None:
    def fail(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 503 Down\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    rig.a.script = fail
    answer = chat(rig)
    assert (answer.status_code, answer.json()) == (503, told)


def test_a_silent_provider_is_the_clients_timeout(rig: Rig) -> None:
    rig.a.script = Peer.wait_for_hang_up
    answer = chat(rig)
    assert (answer.status_code, answer.json()["error"]["type"]) == (408, "timeout_error")


@pytest.mark.parametrize(
    ("unit", "kind"), [("rpm", "requests"), ("rph", "requests"), ("rpm", "tokens")], ids=["minute", "hour", "tokens"]
)
def test_a_limit_refuses_with_its_typo_and_without_a_word_on_when(rig: Rig, unit: str, kind: str) -> None:
    key = key_with(rig, rate_limits=[{"type": kind, "unit": unit, "value": 1}])
    headers = {"authorization": f"Bearer {key}"}
    answers = [chat(rig, headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].json()["error"] == {
        "message": f"Portkey Error: apikey {key[:4]}***{key[-4:]} rate limit exceded. Error Code: 05",
        "code": "05",
    }
    assert "retry-after" not in answers[1].headers


def test_the_control_plane_shows_what_it_made_and_takes_it_back(rig: Rig) -> None:
    limits = [{"type": "requests", "unit": "rpm", "value": 7}]
    key = key_with(rig, rate_limits=limits)
    rows = [row for row in rig.client.get("/v1/api-keys", headers=ADMIN).json()["data"] if row["rate_limits"] == limits]
    path = f"/v1/api-keys/{rows[-1]['id']}"
    assert rig.client.get(path, headers=ADMIN).json()["key"] == f"{key[:4]}...{key[-4:]}"
    assert rig.client.delete(path, headers=ADMIN).status_code == 200
    assert chat(rig, {"authorization": f"Bearer {key}"}).status_code == 401
    assert rig.client.get("/v1/api-keys").status_code == 401


def test_an_engine_gets_the_body_as_javascript_writes_it() -> None:
    body = doubles({"seed": 2**53 + 1, "stop": ["x"], "n": 1, "stream": True})
    assert json.dumps(body) == '{"seed": 9007199254740992, "stop": ["x"], "n": 1, "stream": true}'
    assert [clamped("temperature", value) for value in (3, -1, 1.5, "hot")] == [2, 0, 1.5, "hot"]
