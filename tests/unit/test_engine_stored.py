"""The engine's memory of responses: fetched, listed, continued and deleted by id, unless they were not to be kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateproof.stack.engine.stored import KEPT, Stored
from tests.unit.engine_rig import Engine, events, running_engine


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with running_engine() as engine:
        yield engine


def respond(engine: Engine, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = engine.post("/v1/responses", model="chat-a", input="ping", **fields).json()
    return body


def test_a_response_is_kept_as_it_was_answered(engine: Engine) -> None:
    made = respond(engine)
    items = engine.http.get(f"/v1/responses/{made['id']}/input_items").json()["data"]

    assert engine.http.get(f"/v1/responses/{made['id']}").json() == made
    assert [item["content"] for item in items] == ["ping"]


def test_a_streamed_response_is_kept_as_its_last_event_says(engine: Engine) -> None:
    last = events(engine.post("/v1/responses", model="chat-a", input="ping", stream=True).text)[-1]["response"]

    assert engine.http.get(f"/v1/responses/{last['id']}").json() == last


def test_what_was_deleted_is_gone_and_cannot_be_continued(engine: Engine) -> None:
    made = respond(engine)
    continued = respond(engine, previous_response_id=made["id"])
    deleted = engine.http.delete(f"/v1/responses/{made['id']}")

    assert (continued["previous_response_id"], deleted.json()["deleted"]) == (made["id"], True)
    assert engine.http.get(f"/v1/responses/{made['id']}").status_code == 404
    assert respond(engine, previous_response_id=made["id"])["error"]["code"] == "previous_response_not_found"


def test_what_was_not_to_be_kept_is_not(engine: Engine) -> None:
    assert engine.http.get(f"/v1/responses/{respond(engine, store=False)['id']}").status_code == 404


def test_other_methods_are_refused(engine: Engine) -> None:
    assert engine.http.put(f"/v1/responses/{respond(engine)['id']}").status_code == 405


def test_the_oldest_is_forgotten_first() -> None:
    memory = Stored()
    for number in range(KEPT + 1):
        memory.keep({"id": f"resp_{number}"}, "ping")

    assert (memory.get("resp_0"), memory.get("resp_1") is None) == (None, False)
