"""The Secrets API and Authorino's answers as they stand on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from gateproof.stack.kube.api import SecretsApi
from gateproof.stack.kube.authorino import Authorino, secret
from gateproof.stack.kube.ext_authz import ExtAuthz
from gateproof.stack.kube.store import SecretStore

SPACE, TOKEN = "kuadrant-system", "cluster-token"
SECRETS = f"/api/v1/namespaces/{SPACE}/secrets"
GROUPS = ("free", "pro", "enterprise")
MERGE = "application/merge-patch+json"


@pytest.fixture(name="store")
def _store() -> SecretStore:
    store = SecretStore()
    store.create(SPACE, secret("alice", "tlabs_alice", user="u-1", groups="free"))
    store.create(SPACE, secret("bob", "tlabs_bob", user="u-2", groups="guests, nobody"))
    return store


def call(app: Any, method: str, path: str, headers: Mapping[str, str], content: bytes = b"") -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.request(method, path, headers=headers, content=content)

    return asyncio.run(ask())


def kube(store: SecretStore, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    sent = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    content = b"" if body is None else json.dumps(body).encode()
    return call(SecretsApi(store, namespace=SPACE, token=TOKEN), method, path, sent, content)


def test_a_secret_is_made_read_changed_and_deleted(store: SecretStore) -> None:
    made = kube(store, "POST", SECRETS, secret("carol", "tlabs_carol", user="u-3", groups="pro"))
    read = kube(store, "GET", f"{SECRETS}/carol")
    changed = kube(store, "PATCH", f"{SECRETS}/carol", {"metadata": {"annotations": {"kuadrant.io/groups": "free"}}},
                   content_type=MERGE)  # fmt: skip
    gone = kube(store, "DELETE", f"{SECRETS}/carol")

    assert [each.status_code for each in (made, read, changed, gone)] == [201, 200, 200, 200]
    assert made.json() == read.json()
    assert changed.json()["metadata"]["annotations"]["kuadrant.io/groups"] == "free"
    assert (gone.json()["kind"], gone.json()["status"]) == ("Status", "Success")
    assert kube(store, "GET", f"{SECRETS}/carol").json()["reason"] == "NotFound"


def test_a_list_is_chosen_by_labels(store: SecretStore) -> None:
    listed = kube(store, "GET", f"{SECRETS}?labelSelector=app%3Dtoken-labs").json()

    assert (listed["kind"], [each["metadata"]["name"] for each in listed["items"]]) == ("SecretList", ["alice", "bob"])
    assert kube(store, "GET", f"{SECRETS}?labelSelector=app%3Dother").json()["items"] == []


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "reason"),
    [
        ("GET", SECRETS, {"authorization": "Bearer wrong"}, 401, "Unauthorized"),
        ("GET", SECRETS, {"authorization": ""}, 401, "Unauthorized"),
        ("GET", "/api/v1/namespaces/default/secrets", {}, 403, "Forbidden"),
        ("GET", "/api/v1/namespaces/default/secrets/alice", {}, 403, "Forbidden"),
        ("GET", "/api/v1/pods", {}, 404, "NotFound"),
        ("PUT", f"{SECRETS}/alice", {}, 405, "MethodNotAllowed"),
        ("PATCH", f"{SECRETS}/alice", {"content_type": "application/json-patch+json"}, 415, "UnsupportedMediaType"),
        ("POST", SECRETS, {}, 400, "BadRequest"),
        ("GET", f"{SECRETS}?watch=true", {}, 400, "BadRequest"),
    ],
)
def test_a_refusal_is_a_status_object(
    store: SecretStore, method: str, path: str, headers: dict[str, str], status: int, reason: str
) -> None:
    refused = kube(store, method, path, **headers)

    body = refused.json()
    assert (refused.status_code, body["code"], body["reason"]) == (status, status, reason)
    assert (body["kind"], body["status"]) == ("Status", "Failure")


def authz(store: SecretStore, **headers: str) -> httpx.Response:
    return call(ExtAuthz(Authorino(store, GROUPS)), "POST", "/v1/chat/completions", headers)


def test_a_key_of_an_allowed_group_passes_and_says_whose_it_is(store: SecretStore) -> None:
    passed = authz(store, authorization="Bearer tlabs_alice")

    assert (passed.status_code, passed.content) == (200, b"")
    assert (passed.headers["x-user"], passed.headers["x-groups"]) == ("u-1", "free")


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, "credential not found"),
        ("Basic dGxhYnM6", "credential not found"),
        ("bearer tlabs_alice", "credential not found"),
        ("Bearer", "credential not found"),
        ("Bearer  tlabs_alice", "the API Key provided is invalid"),
        ("Bearer tlabs_nobody", "the API Key provided is invalid"),
        ("Bearer ", "the API Key provided is invalid"),
    ],
)
def test_who_is_not_known_gets_an_empty_401_with_a_challenge(
    store: SecretStore, authorization: str | None, reason: str
) -> None:
    refused = authz(store, **({} if authorization is None else {"authorization": authorization}))

    assert (refused.status_code, refused.content) == (401, b"")
    assert refused.headers["www-authenticate"] == 'Bearer realm="api-key-tenants"'
    assert refused.headers["x-ext-auth-reason"] == reason


def test_a_key_without_an_allowed_group_gets_an_empty_403(store: SecretStore) -> None:
    refused = authz(store, authorization="Bearer tlabs_bob")

    assert (refused.status_code, refused.content) == (403, b"")
    assert refused.headers["x-ext-auth-reason"] == "Unauthorized"
    assert "www-authenticate" not in refused.headers


def test_a_change_counts_from_the_next_request_on(store: SecretStore) -> None:
    authorino = Authorino(store, GROUPS)
    before = authorino.decide("Bearer tlabs_alice")
    store.patch(SPACE, "alice", {"metadata": {"annotations": {"kuadrant.io/groups": "pro"}}})
    after = authorino.decide("Bearer tlabs_alice")
    store.delete(SPACE, "alice")

    assert (before.groups, after.groups) == (("free",), ("pro",))
    assert authorino.decide("Bearer tlabs_alice").status == 401


def test_a_secret_without_the_labels_is_no_key(store: SecretStore) -> None:
    store.create(SPACE, {**secret("dave", "tlabs_dave", user="u", groups="free"), "metadata": {"name": "dave"}})

    assert authz(store, authorization="Bearer tlabs_dave").status_code == 401
