"""Secrets as core/v1 keeps them: what a client gets back, and how it is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gateproof.stack.kube.problem import Problem
from gateproof.stack.kube.store import SecretStore, annotations_of, labels_of, value_of

SPACE = "tenants"


def manifest(name: str = "alice", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}, "stringData": {"api_key": f"key-of-{name}"}}


def refusal(call: Any, *arguments: Any) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        call(*arguments)
    return caught.value.code, caught.value.reason


def test_what_is_created_is_completed_and_encoded() -> None:
    made = SecretStore(clock=lambda: 0.0).create(SPACE, manifest(labels={"app": "x"}))

    assert made["data"] == {"api_key": base64.b64encode(b"key-of-alice").decode()}
    assert "stringData" not in made
    assert (made["kind"], made["apiVersion"], made["type"]) == ("Secret", "v1", "Opaque")
    assert made["metadata"]["namespace"] == SPACE
    assert made["metadata"]["creationTimestamp"] == "1970-01-01T00:00:00Z"
    assert made["metadata"]["resourceVersion"] == "1"
    assert value_of(made, "api_key") == "key-of-alice"


def test_a_generated_name_begins_as_asked_and_is_new_each_time() -> None:
    store = SecretStore()
    names = {store.create(SPACE, {"metadata": {"generateName": "key-"}})["metadata"]["name"] for _ in range(5)}

    assert len(names) == 5
    assert all(name.startswith("key-") and len(name) > len("key-") for name in names)


def test_what_comes_back_is_a_copy() -> None:
    store = SecretStore()
    store.create(SPACE, manifest(labels={"app": "x"}))["metadata"]["labels"]["app"] = "changed"
    store.get(SPACE, "alice")["data"].clear()

    assert labels_of(store.get(SPACE, "alice")) == {"app": "x"}
    assert value_of(store.get(SPACE, "alice"), "api_key") == "key-of-alice"


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("", ["a", "b", "c"]),
        ("app=x", ["a", "b"]),
        ("app==x,tier!=free", ["b"]),
        ("tier!=free", ["b", "c"]),
        ("tier", ["a", "b"]),
        ("!tier", ["c"]),
        ("example.com/app = x", []),
    ],
)
def test_a_selector_chooses(selector: str, names: list[str]) -> None:
    store = SecretStore()
    store.create(SPACE, manifest("b", labels={"app": "x", "tier": "pro"}))
    store.create(SPACE, manifest("a", labels={"app": "x", "tier": "free"}))
    store.create(SPACE, manifest("c"))
    store.create("elsewhere", manifest("d", labels={"app": "x"}))

    assert [each["metadata"]["name"] for each in store.listed(SPACE, selector)] == names


def test_a_selector_that_is_none_is_refused() -> None:
    assert refusal(SecretStore().listed, SPACE, "tier in (a b") == (400, "BadRequest")


def test_a_patch_merges_and_null_takes_away() -> None:
    store = SecretStore()
    first = store.create(SPACE, manifest(annotations={"group": "free", "user": "u"}))
    patched = store.patch(
        SPACE, "alice", {"metadata": {"annotations": {"group": "pro", "user": None}}, "stringData": {"api_key": "new"}}
    )

    assert annotations_of(patched) == {"group": "pro"}
    assert value_of(patched, "api_key") == "new"
    assert patched["metadata"]["uid"] == first["metadata"]["uid"]
    assert patched["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]


def test_a_patch_of_an_older_version_is_a_conflict() -> None:
    store = SecretStore()
    old = store.create(SPACE, manifest())["metadata"]["resourceVersion"]
    store.patch(SPACE, "alice", {"metadata": {"labels": {"app": "x"}}})

    assert refusal(store.patch, SPACE, "alice", {"metadata": {"resourceVersion": old}}) == (409, "Conflict")


def test_a_patch_cannot_rename() -> None:
    store = SecretStore()
    store.create(SPACE, manifest())

    assert refusal(store.patch, SPACE, "alice", {"metadata": {"name": "bob"}}) == (400, "BadRequest")


def test_what_is_deleted_is_gone() -> None:
    store = SecretStore()
    store.create(SPACE, manifest())
    store.delete(SPACE, "alice")

    assert refusal(store.get, SPACE, "alice") == (404, "NotFound")
    assert refusal(store.delete, SPACE, "alice") == (404, "NotFound")
    assert refusal(store.patch, SPACE, "alice", {}) == (404, "NotFound")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (manifest("Alice"), (422, "Invalid")),
        (manifest("a" * 254), (422, "Invalid")),
        (manifest("a..b"), (422, "Invalid")),
        ({"metadata": {}}, (422, "Invalid")),
        (manifest(labels={"app": "two words"}), (422, "Invalid")),
        (manifest(labels={"app": "x" * 64}), (422, "Invalid")),
        (manifest(labels={"app": 5}), (400, "BadRequest")),
        (manifest(annotations=["group"]), (400, "BadRequest")),
        ({"metadata": {"name": "a"}, "data": {"api_key": "no base64!"}}, (400, "BadRequest")),
        ({"metadata": {"name": "a"}, "stringData": {"two words": "x"}}, (422, "Invalid")),
        ({"kind": "ConfigMap", "metadata": {"name": "a"}}, (400, "BadRequest")),
    ],
)
def test_what_the_api_server_refuses_is_refused(given: dict[str, Any], expected: tuple[int, str]) -> None:
    assert refusal(SecretStore().create, SPACE, given) == expected


def test_a_name_is_taken_once_in_a_namespace() -> None:
    store = SecretStore()
    store.create(SPACE, manifest())
    store.create("elsewhere", manifest())

    assert refusal(store.create, SPACE, manifest()) == (409, "AlreadyExists")


def test_a_refusal_of_a_value_does_not_tell_the_value() -> None:
    with pytest.raises(Problem) as caught:
        SecretStore().create(SPACE, {"metadata": {"name": "a"}, "data": {"api_key": "sk-plain-text"}})

    assert "sk-plain-text" not in str(caught.value.status())


def test_a_problem_is_a_status_object() -> None:
    with pytest.raises(Problem) as caught:
        SecretStore().get(SPACE, "nobody")

    assert caught.value.status() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'secrets "nobody" not found',
        "reason": "NotFound",
        "details": {"name": "nobody", "kind": "secrets"},
        "code": 404,
    }
