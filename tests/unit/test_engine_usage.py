"""Where the engine tells its usage when it is ordered to, and answers that it compresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.engine_rig import Engine, contents, events, ordered, running_engine

ASKED = {"stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with running_engine() as engine:
        yield engine


def told(engine: Engine, place: str, **fields: Any) -> str:
    return engine.chat(ordered(usage_at=place, tokens=3), max_tokens=3, **(fields or ASKED)).text


def usages(body: str) -> list[int | None]:
    """The completion tokens that each event tells, in order."""
    found = [event.get("usage") for event in events(body) if event != "[DONE]"]
    return [usage and usage["completion_tokens"] for usage in found]


def test_usage_comes_last_unless_ordered_otherwise(engine: Engine) -> None:
    body = told(engine, "last")
    assert (usages(body)[-2:], events(body)[-1]) == ([None, 3], "[DONE]")


def test_another_chunk_may_come_after_it(engine: Engine) -> None:
    assert usages(told(engine, "before-last"))[-2:] == [3, None]


def test_every_chunk_may_tell_what_was_used_so_far(engine: Engine) -> None:
    assert usages(told(engine, "running")) == [0, 1, 2, 3, 3, 3]


def test_a_comment_may_come_after_it(engine: Engine) -> None:
    assert told(engine, "before-comment").endswith(": end\n\ndata: [DONE]\n\n")


def test_an_event_may_come_after_the_end(engine: Engine) -> None:
    assert told(engine, "before-extra-event").endswith("data: [DONE]\n\nevent: close\ndata: {}\n\n")


@pytest.mark.parametrize("place", ["before-last", "running"])
def test_who_did_not_ask_gets_none(engine: Engine, place: str) -> None:
    assert set(usages(told(engine, place, stream=True))) == {None}


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_may_be_compressed(engine: Engine, stream: bool) -> None:
    plain, packed = (engine.chat(ordered(tokens=3, **orders), stream=stream) for orders in ({}, {"coding": "gzip"}))
    assert packed.headers["content-encoding"] == "gzip"
    if stream:
        assert (contents(packed.text), events(packed.text)[-1]) == (contents(plain.text), "[DONE]")
    else:
        assert packed.json()["choices"] == plain.json()["choices"]


def test_a_failure_may_be_compressed(engine: Engine) -> None:
    answer = engine.chat(ordered(status=503, coding="gzip"))
    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "server_error")
