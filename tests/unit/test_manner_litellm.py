"""The gateway as LiteLLM 1.106.2 speaks: statuses, header fields and bodies as its transcripts have them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.unit.gateway_rig import USAGE, Peer, Rig, eventually, rig_with

MASTER = {"authorization": "Bearer sk-admin"}
GUARDS = {
    "vary": "Origin",
    "x-frame-options": "DENY",
    "content-security-policy": "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}
WINDOW = 60  # s; LiteLLM's own


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    prices = {"m": {"input": 0.0, "output": 0.01}}
    with rig_with(manner="litellm", upstream_timeout=0.5, prices=prices) as rig:
        yield rig


@pytest.fixture
def rig(running: Rig) -> Rig:
    running.fresh()
    return running


def error_of(answer: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    return error


def ask(rig: Rig, path: str, said: dict[str, Any] | None = None) -> httpx.Response:
    return rig.client.get(path, headers=MASTER) if said is None else rig.client.post(path, json=said, headers=MASTER)


def chat(rig: Rig, key: str = "sk-main", **fields: Any) -> httpx.Response:
    return rig.post(key=key, messages=[{"role": "user", "content": "hello"}], **fields)


def made(rig: Rig, **said: Any) -> str:
    key: str = ask(rig, "/key/generate", said).json()["key"]
    return key


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/v1/nope", 404, {"detail": "Not Found"}),
        ("/V1/chat/completions", 404, {"detail": "Not Found"}),
        ("/v1/chat/completions", 405, {"detail": "Method Not Allowed"}),
        ("/health/liveliness", 200, "I'm alive!"),
        ("/health/readiness", 200, {"status": "healthy", "db": "connected"}),
    ],
)
def test_what_is_open_is_answered_as_fastapi_does(rig: Rig, path: str, status: int, body: object) -> None:
    answer = rig.client.get(path)
    assert (answer.status_code, answer.json()) == (status, body)
    assert {name: answer.headers.get(name) for name in GUARDS} == GUARDS


def test_the_router_matches_decoded_paths_and_redirects_a_slash_too_many(rig: Rig) -> None:
    headers = {"authorization": "Bearer sk-main"}
    decoded = rig.client.post("/%761/chat/completions", json={"model": "m", "messages": []}, headers=headers)
    slash = rig.client.post("/v1/chat/completions/", json={}, headers=headers)
    assert (decoded.status_code, rig.a.last.line) == (200, "POST /v1/chat/completions HTTP/1.1")
    assert (slash.status_code, slash.headers["location"]) == (307, "/v1/chat/completions")


def test_a_wrong_method_tells_the_right_one_alone(rig: Rig) -> None:
    assert rig.client.get("/v1/chat/completions").headers["allow"] == "POST"
    assert rig.client.head("/health/liveliness").headers["allow"] == "GET"


NO_KEY = "Authentication Error, No api key passed in."
MALFORMED = "Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix."
NOT_VIRTUAL = "LiteLLM Virtual Key expected. Received=****, expected to start with 'sk-'."


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, NO_KEY),
        ({"authorization": "sk-main"}, MALFORMED),
        ({"authorization": "BEARER sk-main"}, MALFORMED),
        ({"authorization": "Bearer abc"}, NOT_VIRTUAL),
    ],
    ids=["none", "no-scheme", "other-case", "other-form"],
)
def test_401_has_no_challenge_and_a_code_of_text(rig: Rig, headers: dict[str, str], message: str) -> None:
    answer = rig.client.post("/v1/chat/completions", json={"model": "m", "messages": []}, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"error": {"message": message, "type": "auth_error", "param": "None", "code": "401"}}
    assert "www-authenticate" not in answer.headers
    assert "x-litellm-call-id" not in answer.headers


def test_an_unknown_key_is_told_by_its_hash(rig: Rig) -> None:
    error = error_of(chat(rig, "sk-wrong"))
    assert (error["type"], error["param"], error["code"]) == ("token_not_found_in_db", "key", "401")
    assert hashlib.sha256(b"sk-wrong").hexdigest() in error["message"]


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "x-litellm-api-key"])
def test_a_key_may_come_in_several_headers(rig: Rig, header: str) -> None:
    body = {"model": "m", "messages": []}
    assert rig.client.post("/chat/completions", json=body, headers={header: "sk-main"}).status_code == 200


def test_the_body_is_read_before_the_key(rig: Rig) -> None:
    answer = rig.client.post("/v1/chat/completions", content=b'{"model": ')
    assert (answer.status_code, error_of(answer)["type"]) == (400, "invalid_request_error")
    assert error_of(answer)["param"] == "request_body"
    assert error_of(answer)["message"].startswith("Invalid JSON payload: ")


def test_an_array_crashes_the_error_handler(rig: Rig) -> None:
    answer = rig.client.post("/v1/chat/completions", content=b"[]")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(("model", "told"), [("nope", "nope"), (None, "None")])
def test_an_unknown_model_is_400_said_twice(rig: Rig, model: str | None, told: str) -> None:
    answer = rig.client.post(
        "/v1/chat/completions",
        json={"messages": []} | ({"model": model} if model else {}),
        headers={"authorization": "Bearer sk-main"},
    )
    message = (
        f"/chat/completions: Invalid model name passed in model={told}. "
        "Call `/v1/models` to view available models for your key."
    )
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": "400"}
    assert (answer.status_code, answer.json()) == (
        400,
        {"error": error | {"provider_specific_fields": {"error": message}}},
    )
    assert "x-litellm-call-id" in answer.headers


def test_missing_messages_are_named(rig: Rig) -> None:
    error = error_of(rig.post())
    message = "/chat/completions: Missing required parameter: 'messages'."
    assert error == {"message": message, "type": "invalid_request_error", "param": "messages", "code": "400"}


def test_a_model_that_the_key_may_not_use_is_403(rig: Rig) -> None:
    answer = chat(rig, "sk-other", model="alias")
    assert (answer.status_code, error_of(answer)["type"]) == (403, "key_model_access_denied")
    assert (error_of(answer)["param"], "x-litellm-call-id" in answer.headers) == ("model", False)


def test_models_have_a_constant_age(rig: Rig) -> None:
    answer = rig.client.get("/v1/models", headers={"authorization": "Bearer sk-other"})
    card = {"id": "m", "object": "model", "created": 1677610602, "owned_by": "openai"}
    assert answer.json() == {"data": [card], "object": "list"}


def test_a_served_call_tells_where_it_went_and_what_the_engine_said(rig: Rig) -> None:
    def script(peer: Peer) -> None:
        peer.reply(b'{"id": "c", "object": "chat.completion", "choices": []}', extra="x-mock: a\r\n")

    rig.a.script = script
    headers = chat(rig).headers
    assert headers["x-litellm-model-api-base"] == f"{rig.a.url}/v1"
    assert (headers["x-litellm-version"], headers["x-litellm-model-group"]) == ("1.106.2", "m")
    assert (headers["llm_provider-x-mock"], headers.get("x-mock")) == ("a", None)


def test_a_key_has_the_limits_it_was_made_with_and_429_tells_the_whole_window(rig: Rig) -> None:
    key = made(rig, key_alias="t-rpm", rpm_limit=2)
    first, second, third = (chat(rig, key) for _ in range(3))
    assert [first.status_code, second.status_code, third.status_code] == [200, 200, 429]
    assert first.headers["x-ratelimit-api_key-remaining-requests"] == "1"
    assert (first.headers["x-ratelimit-api_key-limit-requests"], first.headers["x-litellm-key-rpm-limit"]) == ("2", "2")
    assert (third.headers["retry-after"], third.headers["rate_limit_type"]) == (str(WINDOW), "requests")
    said = rf"Rate limit exceeded for api_key: {hashlib.sha256(key.encode()).hexdigest()}\. Limit type: requests\. "
    said += r"Current limit: 2, Remaining: 0\. Limit resets at: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    assert re.fullmatch(said, error_of(third)["message"]), error_of(third)["message"]
    assert (error_of(third)["type"], error_of(third)["code"]) == ("throttling_error", "429")


def test_tokens_are_reserved_before_the_call(rig: Rig) -> None:
    key = made(rig, tpm_limit=30)
    refused = chat(rig, key, max_tokens=40)
    assert (refused.status_code, refused.headers["rate_limit_type"], rig.a.requests) == (429, "tokens", [])
    assert chat(rig, key, max_tokens=4).status_code == 200


def test_a_request_refused_for_its_tokens_counts_all_the_same(rig: Rig) -> None:
    """https://github.com/BerriAI/litellm/issues/39309"""
    key = made(rig, tpm_limit=30, rpm_limit=2)
    assert [chat(rig, key, max_tokens=40).status_code for _ in range(2)] == [429, 429]
    assert chat(rig, key, max_tokens=4).headers["rate_limit_type"] == "requests"


def test_an_unknown_model_counts_because_limits_come_first(rig: Rig) -> None:
    key = made(rig, rpm_limit=1)
    assert [chat(rig, key, model="nope").status_code, chat(rig, key).status_code] == [400, 429]


def test_a_spent_budget_is_422_before_the_call_has_an_id(rig: Rig) -> None:
    key = made(rig, max_budget=0.02)
    first, second = chat(rig, key), chat(rig, key)  # 5 tokens of 0.01 each
    assert (first.headers["x-litellm-key-max-budget"], first.headers["x-litellm-key-spend"]) == ("0.02", "0.05")
    message = f"Budget has been exceeded! Key=key (sk-...{key[-4:]}) Current cost: 0.05, Max budget: 0.02"
    error = {"message": message, "type": "budget_exceeded", "param": None, "code": "422"}
    assert (second.status_code, second.json()) == (422, {"error": error})
    assert "x-litellm-call-id" not in second.headers
    assert ask(rig, f"/key/info?key={key}").json()["info"]["spend"] == 0.05


def test_the_metrics_want_a_key_and_count_tokens_by_alias(rig: Rig) -> None:
    key = made(rig, key_alias="counted")
    chat(rig, key)
    text = rig.client.get("/metrics/", headers={"authorization": f"Bearer {key}"}).text
    row = 'litellm_total_tokens_metric_total{api_key_alias="counted",requested_model="m"} 8.0'
    assert (row in text.splitlines(), rig.client.get("/metrics/").status_code) == (True, 401)
    assert rig.client.get("/metrics").headers["location"] == "/metrics/"


@pytest.mark.parametrize(
    ("status", "kind", "name"),
    [
        (400, "invalid_request_error", "BadRequestError"),
        (404, "invalid_request_error", "NotFoundError"),
        (429, "throttling_error", "RateLimitError"),
        (500, "internal_server_error", "InternalServerError"),
    ],
)
def test_an_engines_error_is_told_within_litellms(rig: Rig, status: int, kind: str, name: str) -> None:
    rig.a.script = lambda peer: peer.reply(b'{"error":{"message":"no"}}', status=status, extra="retry-after: 7\r\n")
    answer = chat(rig)
    message = f'litellm.{name}: Hosted_vllmException - {{"error":{{"message":"no"}}}}'
    assert (answer.status_code, error_of(answer)["type"]) == (status, kind)
    assert error_of(answer)["message"].startswith(f"{message}\n\nLiteLLM: model group 'm' failed")
    assert (answer.headers.get("retry-after"), answer.headers["llm_provider-retry-after"]) == (None, "7")


def test_an_engine_that_says_too_much_is_redacted(rig: Rig) -> None:
    said = b"boom at http://10.1.2.3:8000 in /srv/engine/worker.py with sk-upstream-0123456789abcdef"
    rig.a.script = lambda peer: peer.reply(said, status=500, kind="text/plain")
    told = error_of(chat(rig))["message"]
    assert "boom at http://REDACTED:8000 in REDACTED with REDACTED" in told


def test_a_silent_engine_is_408_and_a_dead_one_500(rig: Rig) -> None:
    rig.a.script = lambda peer: peer.wait_for_hang_up()
    silent = chat(rig)
    rig.a.script = lambda peer: peer.cut()
    assert (silent.status_code, error_of(silent)["type"]) == (408, "invalid_request_error")
    assert (chat(rig).status_code, error_of(chat(rig))["type"]) == (500, "internal_server_error")


def test_user_never_reaches_the_engine(rig: Rig) -> None:
    chat(rig, user="me", seed=9007199254740993, x_mine={"a": 1})
    sent = json.loads(rig.a.last.body)
    assert ("user" in sent, sent["seed"], sent["x_mine"]) == (False, 9007199254740993, {"a": 1})


def test_a_cached_reply_is_anybodys_who_asks_for_one(rig: Rig) -> None:
    """https://github.com/BerriAI/litellm/issues/29955"""
    asked = {"model": "m", "cache": {"use-cache": True}, "temperature": 0}
    first, second = (chat(rig, key, **asked) for key in ("sk-main", "sk-other"))
    assert (second.content, len(rig.a.requests)) == (first.content, 1)
    assert ("x-litellm-cache-key" in second.headers, "cache" in json.loads(rig.a.last.body)) == (True, False)
    chat(rig, "sk-other", temperature=0)
    assert len(rig.a.requests) == 2


def test_a_stored_response_is_anybodys_who_knows_its_id(rig: Rig) -> None:
    """https://github.com/BerriAI/litellm/issues/35536"""
    rig.a.script = lambda peer: peer.json({"id": "resp_1", "object": "response", "model": "m"})
    rig.post("/v1/responses", input="hello")
    answer = rig.client.get("/v1/responses/resp_1", headers={"authorization": "Bearer sk-other"})
    assert (answer.status_code, answer.json()["id"]) == (200, "resp_1")


def test_a_unary_call_goes_on_after_its_client_has_gone(rig: Rig) -> None:
    rig.a.script = lambda peer: peer.wait_for_hang_up()
    sock = rig.open({"model": "m", "messages": []})
    assert eventually(lambda: bool(rig.a.requests))
    sock.close()
    assert not rig.a.last.hung_up.wait(0.2)


def stream(peer: Peer) -> None:
    peer.stream_head()
    for delta, finish in (({"role": "assistant", "content": ""}, None), ({"content": "hi"}, None), ({}, "stop")):
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        peer.chunk(b"data: " + json.dumps({"id": "c", "choices": [choice], "usage": None}).encode() + b"\n\n")
    peer.chunk(b": comment\n\ndata: " + json.dumps({"id": "c", "choices": [], "usage": USAGE}).encode() + b"\n\n")
    peer.chunk(b"data: [DONE]\n\n")
    peer.end()


def test_a_stream_is_written_anew(rig: Rig) -> None:
    rig.a.script = stream
    answer = chat(rig, stream=True, stream_options={"include_usage": True})
    events = answer.text.removesuffix("\n\n").split("\n\n")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-1]]
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert chunks[1] == {"id": "c", "choices": [{"index": 0, "delta": {"content": "hi"}}]}
    assert chunks[-1]["choices"] == [{"index": 0, "delta": {}}]
    assert (events[-1], ": comment" in answer.text) == ("data: [DONE]", False)


def test_a_stream_that_breaks_ends_with_an_error_and_without_done(rig: Rig) -> None:
    def script(peer: Peer) -> None:
        peer.stream_head()
        peer.chunk(b'data: {"id": "c", "choices": []}\n\n')
        peer.cut()

    rig.a.script = script
    last = chat(rig, stream=True).text.removesuffix("\n\n").split("\n\n")[-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "500"


def test_only_the_master_key_makes_keys(rig: Rig) -> None:
    answer = rig.client.post("/key/generate", json={}, headers={"authorization": "Bearer sk-main"})
    assert (answer.status_code, error_of(answer)["type"]) == (401, "auth_error")
    assert "Only proxy admin can be used to generate" in error_of(answer)["message"]


def test_a_key_lives_from_generate_to_delete(rig: Rig) -> None:
    key = made(rig, key_alias="alive", duration="1h", models=["m"])
    listed = ask(rig, "/key/list?return_full_object=true&size=100").json()["keys"]
    row = next(each for each in listed if each["key_alias"] == "alive")
    assert (row["token"], row["models"]) == (hashlib.sha256(key.encode()).hexdigest(), ["m"])
    assert chat(rig, key).status_code == 200
    assert ask(rig, f"/key/info?key={key}").json()["info"]["key_name"] == f"sk-...{key[-4:]}"
    assert ask(rig, "/key/delete", {"keys": [row["token"]]}).json() == {"deleted_keys": [row["token"]]}
    assert chat(rig, key).status_code == 401
    assert ask(rig, "/key/delete", {"keys": [key]}).status_code == 404


def test_an_alias_is_used_once(rig: Rig) -> None:
    made(rig, key_alias="once")
    assert ask(rig, "/key/generate", {"key_alias": "once"}).status_code == 400


def test_a_key_is_updated_blocked_and_unblocked(rig: Rig) -> None:
    key = made(rig, rpm_limit=1)
    assert [chat(rig, key).status_code for _ in range(2)] == [200, 429]
    ask(rig, "/key/update", {"key": key, "rpm_limit": 2})
    assert [chat(rig, key).status_code for _ in range(2)] == [429, 429]  # the refused one was counted
    ask(rig, "/key/update", {"key": key, "rpm_limit": 100})
    ask(rig, "/key/block", {"key": key})
    assert chat(rig, key).status_code == 401
    ask(rig, "/key/unblock", {"key": key})
    assert chat(rig, key).status_code == 200


def test_keys_of_a_team_share_its_limits_and_end_with_it(rig: Rig) -> None:
    team = ask(rig, "/team/new", {"team_alias": "t", "rpm_limit": 2}).json()["team_id"]
    first, second = (made(rig, team_id=team) for _ in range(2))
    assert [chat(rig, key).status_code for key in (first, second, first)] == [200, 200, 429]
    ask(rig, "/team/delete", {"team_ids": [team]})
    assert chat(rig, second).status_code == 401
