"""The gateway as TokenLabs' data path speaks: Envoy, Authorino, Limitador and the AI Gateway's processor."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from gateproof.errors import ConfigError
from gateproof.launch import reference
from gateproof.launch.from_target import from_target
from gateproof.stack import config
from gateproof.stack.gateway.manners.tokenlabs import NO_ROUTE, normalized, told_usage
from gateproof.stack.gateway.manners.tokenlabs_body import Malformed, model_in
from gateproof.stack.gateway.manners.tokenlabs_tenants import rights_of, tier_of
from gateproof.stack.kube.authorino import GROUPS, secret
from gateproof.targets.model import Target
from tests.unit.gateway_rig import USAGE, Peer, Rig, completion, eventually, rig_with

SPACE = "kuadrant-system"
SECRETS = f"/api/v1/namespaces/{SPACE}/secrets"
CLUSTER = {"authorization": "Bearer sk-admin"}
CHALLENGE = 'Bearer realm="api-key-tenants"'
HOUR = 3600  # s; no window of these tests ends while they run
TIERS = {
    "free": {"requests": [{"limit": 2, "window": HOUR}, {"limit": 20, "window": 24 * HOUR}]},
    "pro": {"tokens": {"limit": 2 * USAGE["total_tokens"], "window": HOUR}},
    "both": {
        "requests": {"limit": 3, "window": HOUR},
        "tokens": {"limit": USAGE["total_tokens"], "window": HOUR},
    },
    "internal": {},
}
NAMES = (f"user-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    with rig_with(
        manner="tokenlabs", tiers=TIERS, tenants={"other": {}}, upstream_timeout=0.5, max_body=10_000,
        models={"dead": {"backends": ["http://127.0.0.1:9"]}},
    ) as rig:  # fmt: skip
        yield rig


@pytest.fixture
def rig(running: Rig) -> Rig:
    running.fresh()
    return running


def chat(rig: Rig, key: str = "sk-main", **fields: Any) -> httpx.Response:
    return rig.post(key=key, messages=[{"role": "user", "content": "hello"}], **fields)


def statuses(rig: Rig, key: str, number: int, **fields: Any) -> list[int]:
    return [chat(rig, key, **fields).status_code for _ in range(number)]


def key_in(rig: Rig, tier: str, *, user: str | None = None) -> tuple[str, str]:
    """A new Secret's name, and the key in it."""
    name = next(NAMES)
    made = secret(name, f"tlabs_{name}", user=user or name, groups=tier)
    answer = rig.client.post(SECRETS, json=made, headers=CLUSTER)
    assert answer.status_code == 201
    return name, f"tlabs_{name}"


def move(rig: Rig, name: str, tier: str) -> None:
    changes = {"metadata": {"annotations": {GROUPS: tier}}}
    patched = {**CLUSTER, "content-type": "application/merge-patch+json"}
    assert rig.client.patch(f"{SECRETS}/{name}", content=json.dumps(changes), headers=patched).status_code == 200


# Who is calling


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "credential not found"),
        ({"authorization": "Basic c2st"}, "credential not found"),
        ({"authorization": "bearer sk-main"}, "credential not found"),
        ({"authorization": "Bearer nobody"}, "the API Key provided is invalid"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/health", "/nope"])
def test_a_stranger_gets_an_empty_401_on_any_path(rig: Rig, path: str, headers: dict[str, str], reason: str) -> None:
    answer = rig.client.get(path, headers=headers)
    told = (answer.headers["www-authenticate"], answer.headers["x-ext-auth-reason"], answer.headers["server"])
    assert (answer.status_code, answer.content, told) == (401, b"", (CHALLENGE, reason, "envoy"))
    assert answer.headers.keys().isdisjoint({"content-type", "x-request-id"})


def test_options_is_no_exception(rig: Rig) -> None:
    assert rig.client.options("/v1/chat/completions").status_code == 401


def test_a_key_in_no_tier_gets_an_empty_403(rig: Rig) -> None:
    _, key = key_in(rig, "guests")
    answer = chat(rig, key)
    assert (answer.status_code, answer.content) == (403, b"")
    assert answer.headers["x-ext-auth-reason"] == "Unauthorized"
    assert not rig.a.requests


def test_another_host_is_an_empty_404(rig: Rig) -> None:
    answer = rig.client.get("/v1/models", headers={"host": "elsewhere.example"})
    assert (answer.status_code, answer.content) == (404, b"")


def test_field_names_with_underscores_are_refused(rig: Rig) -> None:
    answer = rig.client.get("/v1/models", headers={"x_y": "1"})
    assert (answer.status_code, answer.content) == (400, b"Bad Request")


# Secrets


def test_a_secret_is_a_key_from_its_making_to_its_end(rig: Rig) -> None:
    name, key = key_in(rig, "internal")
    before = chat(rig, key).status_code
    gone = rig.client.delete(f"{SECRETS}/{name}", headers=CLUSTER).json()["status"]
    assert (before, gone, chat(rig, key).status_code) == (200, "Success", 401)


def test_another_key_in_a_secret_is_another_key(rig: Rig) -> None:
    name, old = key_in(rig, "free")
    statuses(rig, old, 2)
    data = {"data": {"api_key": base64.b64encode(b"tlabs_rotated").decode()}}
    patched = {**CLUSTER, "content-type": "application/strategic-merge-patch+json"}
    rig.client.patch(f"{SECRETS}/{name}", content=json.dumps(data), headers=patched)
    assert [chat(rig, old).status_code, chat(rig, "tlabs_rotated").status_code] == [401, 429]


def test_the_configured_keys_are_secrets_and_the_api_wants_its_token(rig: Rig) -> None:
    listed = rig.client.get(SECRETS, headers=CLUSTER, params={"labelSelector": "app=token-labs"}).json()["items"]
    keys = {base64.b64decode(each["data"]["api_key"]).decode() for each in listed}
    assert {"sk-main", "sk-other"} <= keys
    refused = rig.client.get(SECRETS, headers={"authorization": "Bearer sk-main"})
    assert (refused.status_code, refused.json()["reason"]) == (401, "Unauthorized")


def test_all_keys_of_a_user_in_one_tier_share_its_counters(rig: Rig) -> None:
    user = next(NAMES)
    (_, one), (_, two) = key_in(rig, "free", user=user), key_in(rig, "free", user=user)
    assert [*statuses(rig, one, 1), *statuses(rig, two, 2)] == [200, 200, 429]


def test_who_comes_back_to_a_tier_finds_the_counters_as_they_were(rig: Rig) -> None:
    name, key = key_in(rig, "free")
    seen = statuses(rig, key, 3)
    move(rig, name, "internal")
    seen += statuses(rig, key, 3)
    move(rig, name, "free")
    assert [*seen, *statuses(rig, key, 1)] == [200, 200, 429, 200, 200, 200, 429]


def test_who_is_in_two_tiers_is_held_to_both() -> None:
    tiers = {name: config.tenant_from(terms) for name, terms in TIERS.items()}
    rights = rights_of(("free", "both", "guests"), tiers)
    assert [each.limit for each in (*rights.requests, *rights.tokens)] == [2, 20, 3, USAGE["total_tokens"]]


def test_a_configured_tenant_needs_a_tier_that_allows_the_same() -> None:
    tiers = {name: config.tenant_from(terms) for name, terms in TIERS.items()}
    assert tier_of("t", config.tenant_from(TIERS["pro"]), tiers) == "pro"
    with pytest.raises(ConfigError, match="no tier"):
        tier_of("t", config.Tenant(parallel=1), tiers)


# Limits


def test_what_is_over_a_limit_gets_a_line_of_text(rig: Rig) -> None:
    _, key = key_in(rig, "free")
    *_, refused = (chat(rig, key) for _ in range(3))
    kind = refused.headers["content-type"]
    assert (refused.status_code, refused.content, kind) == (429, b"Too Many Requests\n", "text/plain")
    assert not [name for name in refused.headers if name == "retry-after" or "ratelimit" in name]


def test_only_what_is_posted_counts_whatever_becomes_of_it(rig: Rig) -> None:
    _, key = key_in(rig, "free")
    authorized = {"authorization": f"Bearer {key}"}
    for method, path in (("GET", "/v1/models"), ("GET", "/v1/chat/completions"), ("PUT", "/nope"), ("OPTIONS", "/")):
        rig.client.request(method, path, headers=authorized)
    posted = [rig.client.post(path, content=b"{", headers=authorized) for path in ("/nope", "/v1/embeddings", "/nope")]
    assert [each.status_code for each in posted] == [404, 500, 429]


def test_the_request_that_crosses_the_quota_is_served(rig: Rig) -> None:
    _, key = key_in(rig, "pro")
    assert statuses(rig, key, 3) == [200, 200, 429]


def test_tokens_are_for_the_bare_path_of_chats_only(rig: Rig) -> None:
    _, key = key_in(rig, "pro")
    free = [rig.post("/v1/chat/completions?x=1", key=key), rig.post("/v1/completions", key=key, prompt="x")]
    assert [each.status_code for each in free] + statuses(rig, key, 3) == [200, 200, 200, 200, 429]


def test_what_is_refused_for_its_tokens_has_been_counted_as_a_request(rig: Rig) -> None:
    _, key = key_in(rig, "both")
    chats = statuses(rig, key, 3)
    assert (chats, rig.post("/v1/embeddings", key=key, input="x").status_code) == ([200, 429, 429], 429)


def test_who_hangs_up_is_charged_nothing(rig: Rig) -> None:
    def script(peer: Peer) -> None:
        peer.stream_head()
        peer.chunk(b'data: {"choices": []}\n\n')
        peer.wait_for_hang_up()

    _, key = key_in(rig, "both")
    rig.a.script = script
    with rig.open({"model": "m", "messages": [], "stream": True}, key=key) as sock:
        assert sock.recv(100)
    assert eventually(rig.a.last.hung_up.is_set)
    rig.a.script = completion
    assert chat(rig, key).status_code == 200


USED = b'data: {"usage": {"total_tokens": 8}}\n\n'
EMPTY = b'data: {"usage": null}\n\n'
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("stream", "told"),
    [
        (EMPTY + USED + DONE, True),
        (EMPTY + USED + b": end\n\n" + DONE, True),
        ((EMPTY + USED + DONE).replace(b"\n", b"\r\n"), True),
        (USED + EMPTY + DONE, False),
        (USED + DONE + b"event: close\ndata: {}\n\n", False),
        (USED, False),
        (b"", False),
    ],
)
def test_of_a_stream_only_the_last_event_but_one_is_read(stream: bytes, told: bool) -> None:
    seen = told_usage([(b"content-type", b"text/event-stream; charset=utf-8")], stream)
    assert bool(seen and seen["usage"]) is told


def test_a_coded_answer_is_not_read() -> None:
    assert told_usage([(b"content-type", b"application/json"), (b"content-encoding", b"gzip")], b"\x1f\x8b") is None


# Which model


@pytest.mark.parametrize("fields", [{"model": "nope"}, {"model": None}, {"model": ""}, {"model": "M"}])
def test_a_model_that_is_not_known_has_no_route(rig: Rig, fields: dict[str, Any]) -> None:
    answer = chat(rig, **fields)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (404, NO_ROUTE, "text/plain")


def test_an_unknown_path_is_told_with_its_query(rig: Rig) -> None:
    answer = rig.client.get("/v1/nope?x=1", headers={"authorization": "Bearer sk-main"})
    assert (answer.status_code, answer.text) == (404, "unsupported path: /v1/nope?x=1")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"m"', b'{"model": 7}', b'{"model": "m", "stream": "yes"}', b'{"model": "a\\nb"}']
)
def test_what_cannot_be_decoded_ends_in_an_empty_500(rig: Rig, body: bytes) -> None:
    answer = rig.client.post("/v1/chat/completions", content=body, headers={"authorization": "Bearer sk-main"})
    assert (answer.status_code, answer.content, len(rig.a.requests)) == (500, b"", 0)


def test_a_body_that_is_too_large_is_413_in_text(rig: Rig) -> None:
    answer = chat(rig, user="x" * 10_000)
    assert (answer.status_code, answer.content) == (413, b"Payload Too Large")


@pytest.mark.parametrize(
    ("body", "chat", "model"),
    [
        ('{"model": "m", "temperature": 1, "n": null}', True, "m"),
        ("null", True, ""),
        ("{}", True, ""),
        ('{"model": "m", "temperature": "1"}', False, "m"),
    ],
)
def test_the_model_of_a_body_that_go_can_decode(body: str, chat: bool, model: str) -> None:
    assert model_in(body.encode(), chat=chat) == model


@pytest.mark.parametrize(
    "body", ['{"n": 1.5}', '{"n": true}', '{"stream": 1}', '{"messages": ["x"]}', '{"stream_options": []}', "\xff"]
)
def test_another_type_than_gos_fails_the_whole_body(body: str) -> None:
    with pytest.raises(Malformed):
        model_in(body.encode("latin-1"), chat=True)


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/v1/models", "/v1/models"),
        ("//v1///models", "/v1/models"),
        ("/v1/x/../models", "/v1/models"),
        ("/v1/%2e/mod%65ls", "/v1/models"),
        ("/v1\\models", "/v1/models"),
        ("/v1/models/", "/v1/models/"),
        ("/v1/%20", "/v1/%20"),
        ("/../..", "/"),
        ("/", "/"),
    ],
)
def test_paths_are_normalized_before_anything_looks_at_them(path: str, seen: str) -> None:
    assert normalized(path) == seen


def test_escaped_slashes_are_redirected_before_the_key(rig: Rig) -> None:
    answer = rig.client.post("/v1/chat%2Fcompletions")
    assert (answer.status_code, answer.headers["location"]) == (307, "/v1/chat/completions")


def test_the_list_of_models_comes_whatever_the_method(rig: Rig) -> None:
    answers = [rig.client.request(each, "/v1/models", headers={"authorization": "Bearer sk-main"}) for each in
               ("GET", "DELETE")]  # fmt: skip
    assert {each.content for each in answers} == {answers[0].content}
    told = answers[0].json()
    assert {(card["object"], card["owned_by"]) for card in told["data"]} == {("model", "Envoy AI Gateway")}
    assert (told["object"], "m" in [card["id"] for card in told["data"]]) == ("list", True)


# The engine, and what it says


def test_the_engine_gets_the_key_and_the_gateways_word_on_routing(rig: Rig) -> None:
    sent = {"authorization": "Bearer sk-main", "x-ai-eg-model": "chat-only", "x-forwarded-for": "9.9.9.9"}
    rig.client.post("/v1/chat/completions?q=1", json={"model": "m"}, headers=sent)
    got = rig.a.last
    assert [got.header(name) for name in ("authorization", "x-ai-eg-model", "x-ai-eg-original-path")] == [
        "Bearer sk-main", "m", "/v1/chat/completions?q=1",
    ]  # fmt: skip
    assert (got.line, got.header("x-forwarded-for")) == ("POST /v1/chat/completions?q=1 HTTP/1.1", "9.9.9.9,127.0.0.1")


def test_the_engines_fields_pass_and_nothing_but_the_server_is_added(rig: Rig) -> None:
    rig.a.script = lambda peer: peer.reply(b"{ }", extra="x-request-id: req-a\r\nserver: uvicorn\r\nx-mock: a\r\n")
    answer = chat(rig)
    assert answer.content == b"{ }"
    assert dict(answer.headers) | {"date": ""} == {
        "content-length": "3", "content-type": "application/json", "date": "", "server": "envoy", "x-mock": "a",
        "x-request-id": "req-a",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "said", "body"),
    [
        ("application/json; charset=utf-8", b'{"error": {"x": 1}}', b'{"error": {"x": 1}}'),
        (
            "text/html", b"<p>gone",
            b'{"type":"error","error":{"type":"OpenAIBackendError","message":"<p>gone","code":"502"}}',
        ),
    ],
)  # fmt: skip
def test_an_engines_error_is_wrapped_unless_it_is_json(rig: Rig, kind: str, said: bytes, body: bytes) -> None:
    rig.a.script = lambda peer: peer.reply(said, status=502, kind=kind)
    answer = chat(rig)
    wrapped = "application/json" if kind == "text/html" else kind
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (502, body, wrapped)


def test_a_refused_connection_is_503_in_text(rig: Rig) -> None:
    answer = chat(rig, model="dead")
    text = "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure"
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (503, text, "text/plain")


def test_an_engine_that_hangs_up_is_503_in_text(rig: Rig) -> None:
    rig.a.script = Peer.cut
    assert (chat(rig).status_code, chat(rig).text.rpartition(": ")[2]) == (503, "connection termination")


def test_a_silent_engine_is_504_in_text(rig: Rig) -> None:
    rig.a.script = Peer.wait_for_hang_up
    answer = chat(rig)
    assert (answer.status_code, answer.content) == (504, b"upstream request timeout")


def test_an_engine_that_breaks_off_breaks_off_the_answer(rig: Rig) -> None:
    def script(peer: Peer) -> None:
        peer.stream_head()
        peer.chunk(b"data: {}\n\n")
        peer.cut()

    rig.a.script = script
    with pytest.raises(httpx.RemoteProtocolError):
        chat(rig, stream=True)


# The target


def test_a_target_tells_the_tiers_and_the_namespace_once() -> None:
    target = {
        "name": "sample", "stack": "tokenlabs", "launch": "reference", "models": {"chat": "chat-a"},
        "kubernetes": {"namespace": SPACE}, "mint": {"tiers": {"free": {"requests": {"limit": 2, "window": "1h"}}}},
    }  # fmt: skip
    settings = reference.gateway(from_target(Target.model_validate(yaml.safe_load(json.dumps(target)))))
    gateway = config.gateway_from({**settings, "engines": dict.fromkeys("ab", "http://127.0.0.1:9")})
    assert [(limit.limit, limit.window) for limit in gateway.tiers["free"].requests] == [(2, HOUR)]
    assert (gateway.manner, gateway.namespace) == ("tokenlabs", SPACE)
