"""The gateway as TokenVisor is thought to speak: what JamAIBase, by the same team, does on the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.unit.gateway_rig import Peer, Rig, rig_with

MAIN = {"authorization": "Bearer sk-main", "x-project-id": "proj_main"}
CHAT = "/api/v1/chat/completions"
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    with rig_with(manner="tokenvisor", upstream_timeout=0.5) as rig:
        yield rig


@pytest.fixture
def rig(running: Rig) -> Rig:
    running.fresh()
    return running


def chat(rig: Rig, headers: dict[str, str] = MAIN, **fields: Any) -> httpx.Response:
    return rig.client.post(CHAT, json=ASKED | fields, headers=headers)


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_paths_begin_with_api_v1(rig: Rig) -> None:
    assert chat(rig).status_code == 200
    assert rig.a.last.line == "POST /v1/chat/completions HTTP/1.1"
    unknown = rig.client.post("/v1/chat/completions", json=ASKED, headers=MAIN)
    assert (told(unknown), unknown.json()["message"]) == (
        (404, "http_error"),
        "The path '/v1/chat/completions' was not found.",
    )


def test_one_static_probe_is_open(rig: Rig) -> None:
    answer = rig.client.get("/api/health")
    assert (answer.status_code, answer.json()) == (200, {"is_oss": False})
    assert rig.client.head("/api/health").status_code == 405


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (401, "unauthorized")),
        ({"x-project-id": "proj_main"}, (401, "unauthorized")),
        ({"authorization": "Bearer sk-main"}, (401, "unauthorized")),
        ({"authorization": "Bearer sk-main", "x-project-id": "nobody's"}, (401, "unauthorized")),
        ({"authorization": "Bearer sk-main", "x-project-id": "proj_other"}, (403, "forbidden")),
    ],
    ids=["nothing", "no-token", "no-project", "unknown-project", "another's-project"],
)
def test_a_token_goes_with_its_project(rig: Rig, headers: dict[str, str], expected: tuple[int, str]) -> None:
    answer = chat(rig, headers)
    assert (told(answer), "www-authenticate" in answer.headers) == (expected, False)


def test_an_error_gives_back_the_request_with_only_authorization_masked(rig: Rig) -> None:
    answer = chat(rig, MAIN | {"x-project-id": "x", "cookie": "secret=1", "x-request-id": "mine"})
    body = answer.json()
    assert (body["object"], body["exception"]) == ("error", "AuthorizationError")
    assert (body["request_headers"]["cookie"], body["request_headers"]["authorization"]) == ("secret=1", "***")
    assert answer.headers["x-request-id"] == "mine"
    assert "sk-main" not in answer.text


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"model": "m"}', b'{"model": 7, "messages": []}', b'{"messages": "x"}'],
    ids=["malformed", "array", "no-messages", "model-number", "messages-text"],
)
def test_what_is_not_valid_is_422_with_a_list_of_details(rig: Rig, body: bytes) -> None:
    answer = rig.client.post(CHAT, content=body, headers=MAIN | {"content-type": "application/json"})
    assert (told(answer), isinstance(answer.json()["detail"], list)) == ((422, "validation_error"), True)


def test_the_json_is_read_before_the_token(rig: Rig) -> None:
    assert told(rig.client.post(CHAT, content=b"{")) == (422, "validation_error")


def test_without_a_model_one_is_chosen_and_an_unknown_one_is_not_found(rig: Rig) -> None:
    missing = rig.client.post(CHAT, json={"messages": []}, headers=MAIN)
    assert (missing.status_code, json.loads(rig.a.last.body)["model"]) == (200, "m")
    assert told(chat(rig, model="nope")) == (404, "resource_not_found")


def test_models_are_infos_and_their_ids_a_bare_array(rig: Rig) -> None:
    listed = rig.client.get("/api/v1/models", headers=MAIN).json()
    assert (listed["object"], [each["id"] for each in listed["data"]]) == ("models.info", ["m", "alias", "chat-only"])
    assert rig.client.get("/api/v1/models/ids", headers=MAIN).json() == ["m", "alias", "chat-only"]


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (400, b'{"error": {"message": "no"}}', (422, "bad_input")),
        (400, b'{"error": {"code": "context_length_exceeded"}}', (422, "context_overflow")),
        (401, b"{}", (401, "external_authentication_failed")),
        (404, b"{}", (503, "busy")),
        (429, b"{}", (429, "rate_limit_exceeded")),
        (500, b"{}", (503, "busy")),
    ],
)
def test_what_a_provider_says_is_mapped(rig: Rig, status: int, said: bytes, expected: tuple[int, str]) -> None:
    rig.a.script = lambda peer: peer.reply(said, status=status)
    answer = chat(rig)
    assert (told(answer), answer.headers.get("retry-after")) == (expected, "30" if expected[0] in {429, 503} else None)


def test_a_silent_provider_is_busy(rig: Rig) -> None:
    rig.a.script = lambda peer: peer.wait_for_hang_up()
    assert told(chat(rig)) == (503, "busy")


def test_a_stream_is_dumped_without_what_is_unset(rig: Rig) -> None:
    def script(peer: Peer) -> None:
        peer.stream_head()
        choice = {"index": 0, "delta": {"content": "hi"}, "finish_reason": None}
        peer.chunk(b": note\n\ndata: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n")
        peer.chunk(b"data: [DONE]\n\n")
        peer.end()

    rig.a.script = script
    answer = chat(rig, stream=True)
    chunk = '{"id":"c","choices":[{"index":0,"delta":{"content":"hi"}}]}'
    assert (answer.text, answer.headers["x-accel-buffering"]) == (f"data: {chunk}\n\ndata: [DONE]\n\n", "no")


def test_a_stream_that_breaks_is_cut(rig: Rig) -> None:
    def script(peer: Peer) -> None:
        peer.stream_head()
        peer.chunk(b'data: {"id": "c", "choices": []}\n\n')
        peer.cut()

    rig.a.script = script
    with pytest.raises(httpx.RemoteProtocolError):
        chat(rig, stream=True)
