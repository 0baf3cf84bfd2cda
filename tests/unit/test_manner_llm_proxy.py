"""The gateway as sofatutor/llm-proxy speaks, from its source at 4ad75cc."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.unit.gateway_rig import Peer, Rig, rig_with

MAIN, OTHER = "sk-main000000000000000000", "sk-other00000000000000000"
MANAGER = {"authorization": "Bearer sk-admin"}
DAY = 24 * 60  # minutes


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    keys = {"sk-main": "main", MAIN: "main", OTHER: "other"}
    with rig_with(manner="llm-proxy", upstream_timeout=0.5, request_timeout=1.0, keys=keys) as rig:
        yield rig


@pytest.fixture
def rig(running: Rig) -> Rig:
    running.fresh()
    return running


def chat(rig: Rig, key: str = MAIN, **fields: Any) -> httpx.Response:
    return rig.post(key=key, messages=[{"role": "user", "content": "hello"}], **fields)


def manage(rig: Rig, method: str, path: str, said: dict[str, Any] | None = None) -> httpx.Response:
    return rig.client.request(method, f"/manage/{path}", json=said, headers=MANAGER)


def project(rig: Rig) -> str:
    made: str = manage(rig, "POST", "projects", {"name": "p", "api_key": "sk-provider-key-1234"}).json()["id"]
    return made


def token(rig: Rig, **said: Any) -> dict[str, Any]:
    given = {"project_id": project(rig), "duration_minutes": DAY} | said
    answer = manage(rig, "POST", "tokens", given)
    assert answer.status_code == 200
    made: dict[str, Any] = answer.json()
    return made


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/live", b"alive", "text/plain; charset=utf-8"),
        ("/ready", b"ready", "text/plain; charset=utf-8"),
        ("/nope", b"404 page not found\n", "text/plain; charset=utf-8"),
        ("/v1/responses", b'{"error":"Endpoint not found","code":"endpoint_not_found"}\n', "application/json"),
    ],
)
def test_what_is_answered_without_a_token(rig: Rig, path: str, body: bytes, kind: str) -> None:
    answer = rig.client.get(path)
    assert (answer.content, answer.headers["content-type"]) == (body, kind)


def test_health_tells_status_time_and_version(rig: Rig) -> None:
    assert rig.client.post("/health").json().keys() == {"status", "timestamp", "version"}


def test_a_method_is_refused_before_the_path_and_the_token_without_allow(rig: Rig) -> None:
    answer = rig.client.put("/v1/nope")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert ("allow" in answer.headers, "x-request-id" in answer.headers) == (False, True)


@pytest.mark.parametrize(
    ("headers", "error", "code"),
    [
        ({}, "Invalid token", "invalid_token"),
        ({"authorization": f"Basic {MAIN}"}, "Invalid token", "invalid_token"),
        ({"authorization": "Bearer sk-main"}, "Invalid token", "invalid_token"),
        ({"authorization": "Bearer sk-0000000000000000000000"}, "Token not found", "token_not_found"),
    ],
    ids=["none", "other-scheme", "other-form", "unknown"],
)
def test_a_401_is_flat_without_challenge_and_id(rig: Rig, headers: dict[str, str], error: str, code: str) -> None:
    answer = rig.client.post("/v1/chat/completions", json={}, headers=headers)
    assert (answer.status_code, answer.json()["error"], answer.json()["code"]) == (401, error, code)
    assert {"www-authenticate", "x-request-id"} & answer.headers.keys() == set()


def test_the_scheme_may_be_in_any_case(rig: Rig) -> None:
    answer = rig.client.post("/v1/embeddings", json={"model": "m"}, headers={"authorization": f"bEARER {MAIN}"})
    assert answer.status_code == 200


def test_bytes_go_through_both_ways(rig: Rig) -> None:
    body = b'{ "model" : "unknown", "user": "me", "model": "m" }'
    rig.a.script = lambda peer: peer.reply(b'{"any":  "bytes"}', extra="x-mock: a\r\n")
    answer = rig.client.post("/v1/chat/completions", content=body, headers={"authorization": f"Bearer {MAIN}"})
    assert (rig.a.last.body, rig.a.last.header("x-proxy")) == (body, "llm-proxy")
    assert (answer.content, answer.headers["x-mock"], answer.headers["x-proxy"]) == (
        b'{"any":  "bytes"}',
        "a",
        "llm-proxy",
    )


def test_a_path_may_begin_like_an_allowed_one(rig: Rig) -> None:
    rig.a.script = lambda peer: peer.reply(b"{}")
    rig.client.get("/v1/modelsXYZ", headers={"authorization": f"Bearer {MAIN}"})
    assert rig.a.last.line == "GET /v1/modelsXYZ HTTP/1.1"


def test_an_engines_error_goes_through_and_the_proxys_own_is_flat(rig: Rig) -> None:
    rig.a.script = lambda peer: peer.reply(b"<h1>no</h1>", status=503, kind="text/html")
    failing = chat(rig)
    rig.a.script = lambda peer: peer.cut()
    dead = chat(rig)
    rig.a.script = lambda peer: peer.wait_for_hang_up()
    silent = chat(rig)
    assert (failing.status_code, failing.text, failing.headers["content-type"]) == (503, "<h1>no</h1>", "text/html")
    assert (dead.status_code, dead.content) == (502, b'{"error":"Proxy error"}\n')
    assert (silent.status_code, silent.content) == (504, b'{"error":"Request timeout","code":"timeout"}\n')


def endless(peer: Peer) -> None:
    peer.stream_head()
    for _ in range(40):  # 2 s, twice the time that any answer may take
        try:
            peer.chunk(b'data: {"choices":[]}\n\n')
        except OSError:
            return
        peer.request.hung_up.wait(0.05)


def test_a_stream_is_cut_when_the_request_has_had_its_time(rig: Rig) -> None:
    rig.a.script = endless
    with pytest.raises(httpx.RemoteProtocolError):
        chat(rig, stream=True)


def test_a_stream_that_the_engine_cuts_is_cut(rig: Rig) -> None:
    def script(peer: Peer) -> None:
        peer.stream_head()
        peer.chunk(b"data: {}\n\n")
        peer.cut()

    rig.a.script = script
    with pytest.raises(httpx.RemoteProtocolError):
        chat(rig, stream=True)


def test_a_token_has_a_number_of_requests_for_life(rig: Rig) -> None:
    rig.a.script = lambda peer: peer.reply(b"{}")
    made = token(rig, max_requests=2)
    listing = rig.client.get("/v1/models", headers={"authorization": f"Bearer {made['token']}"})
    answers = [chat(rig, made["token"]) for _ in range(2)]
    assert [listing.status_code, *(each.status_code for each in answers)] == [200, 200, 429]
    assert answers[1].content == b'{"error":"Rate limit exceeded","code":"rate_limit_exceeded"}\n'
    assert {"retry-after", "x-request-id", "x-ratelimit-limit"} & answers[1].headers.keys() == set()
    assert manage(rig, "GET", f"tokens/{made['id']}").json()["request_count"] == 2


def test_a_reply_that_one_token_called_public_is_another_ones(rig: Rig) -> None:
    body, public = {"model": "m", "messages": [], "user": "cached"}, {"cache-control": "public, max-age=60"}
    first, second, third = (
        rig.client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"} | extra)
        for key, extra in ((MAIN, public), (OTHER, public), (OTHER, {}))
    )
    assert [each.headers["cache-status"] for each in (first, second, third)] == [
        "llm-proxy; stored",
        "llm-proxy; hit",
        "llm-proxy; bypass",
    ]
    assert (second.content, len(rig.a.requests)) == (first.content, 2)


def test_the_management_token_is_asked_for(rig: Rig) -> None:
    answer = rig.client.get("/manage/projects", headers={"authorization": f"Bearer {MAIN}"})
    assert (answer.status_code, answer.content) == (401, b'{"error":"invalid management token"}\n')
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_a_project_shows_its_key_when_it_is_made_and_is_never_deleted(rig: Rig) -> None:
    made = manage(rig, "POST", "projects", {"name": "p", "api_key": "sk-provider-key-1234"})
    assert (made.status_code, made.json()["api_key"]) == (201, "sk-provider-key-1234")
    one = f"projects/{made.json()['id']}"
    assert manage(rig, "GET", one).json()["api_key"] == "sk-provi...1234"
    refused = manage(rig, "DELETE", one)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, PATCH")


def test_a_token_of_a_project_that_is_off_is_still_served(rig: Rig) -> None:
    made = token(rig)
    name = manage(rig, "GET", f"tokens/{made['id']}").json()["project_id"]
    assert manage(rig, "PATCH", f"projects/{name}", {"is_active": False}).json()["is_active"] is False
    assert chat(rig, made["token"]).status_code == 200
    assert manage(rig, "POST", "tokens", {"project_id": name, "duration_minutes": 1}).status_code == 403


def test_a_token_is_changed_and_taken_back(rig: Rig) -> None:
    made = token(rig, max_requests=1)
    assert [chat(rig, made["token"]).status_code for _ in range(2)] == [200, 429]
    manage(rig, "PATCH", f"tokens/{made['id']}", {"max_requests": 2})
    assert chat(rig, made["token"]).status_code == 200
    assert manage(rig, "DELETE", f"tokens/{made['id']}").status_code == 204
    assert (chat(rig, made["token"]).status_code, chat(rig, made["token"]).json()["code"]) == (401, "token_inactive")


@pytest.mark.parametrize("said", [{"duration_minutes": 0}, {"duration_minutes": 525601}, {"max_requests": -1}])
def test_values_that_make_no_sense_are_400(rig: Rig, said: dict[str, int]) -> None:
    given = {"project_id": project(rig), "duration_minutes": DAY} | said
    assert manage(rig, "POST", "tokens", given).status_code == 400


def test_all_tokens_of_a_project_are_taken_back_at_once(rig: Rig) -> None:
    made = token(rig)
    name = manage(rig, "GET", f"tokens/{made['id']}").json()["project_id"]
    counted = manage(rig, "POST", f"projects/{name}/tokens/revoke").json()
    assert counted == {"revoked_count": 1, "already_revoked_count": 0, "total_tokens": 1}
    assert chat(rig, made["token"]).status_code == 401
