"""The engine as gateways see it: what it says, how it obeys, and what it remembers."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.unit.engine_rig import Engine, chat_body, contents, events, ordered, running_engine


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with running_engine() as engine:
        yield engine


def stream(engine: Engine, **orders: Any) -> str:
    return engine.chat(ordered(**orders), stream=True).text


def hang_up(engine: Engine, body: dict[str, Any], after: int) -> None:
    """Send a chat and leave when so many bytes have come."""
    content = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", engine.port), timeout=5) as connection:
        connection.sendall(head + content)
        while after > 0:
            after -= len(connection.recv(after))
        time.sleep(0.05)


# --- what it says


def test_a_chat_and_its_usage(engine: Engine) -> None:
    reply = engine.chat("four", max_tokens=5).json()
    assert (reply["object"], reply["system_fingerprint"]) == ("chat.completion", "engine-a")
    counts = {"prompt_tokens": 4, "completion_tokens": 5, "total_tokens": 9}
    assert reply["usage"] == reply["usage"] | counts


def test_a_stream_says_the_same(engine: Engine) -> None:
    body = engine.chat("hello", stream=True).text
    assert "".join(contents(body)) == engine.chat("hello").json()["choices"][0]["message"]["content"]
    assert events(body)[-1] == "[DONE]"


def test_a_completion_of_several_prompts(engine: Engine) -> None:
    alone = [engine.complete(prompt)["choices"][0]["text"] for prompt in ("one", "two")]
    choices = engine.complete(["one", "two"], n=2)["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2, 3]
    assert [choices[0]["text"], choices[2]["text"]] == alone


def test_an_echoed_prompt_is_not_charged_as_answer(engine: Engine) -> None:
    reply = engine.complete("four five", echo=True, max_tokens=2)
    assert reply["choices"][0]["text"].startswith("four five")
    assert reply["usage"]["completion_tokens"] == 2


def test_a_completion_ends_after_sixteen_tokens(engine: Engine) -> None:
    reply = engine.complete("ping")
    assert (reply["usage"]["completion_tokens"], reply["choices"][0]["finish_reason"]) == (16, "length")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", {"model": "chat-a"}, 400),
        ("/v1/chat/completions", {"model": 7, "messages": [{"role": "user", "content": "x"}]}, 400),
        ("/v1/chat/completions", chat_body(temperature=3), 400),
        ("/v1/chat/completions", chat_body(n=129), 400),
        ("/v1/completions", {"model": "chat-a"}, 400),
        ("/v1/completions", {"model": "chat-a", "prompt": "x", "n": 3, "best_of": 2}, 400),
        ("/v1/embeddings", {"model": "embed-a", "input": []}, 400),
        ("/v1/embeddings", {"model": "embed-a", "input": "x", "dimensions": 0}, 400),
        ("/v1/embeddings", {"model": "chat-a", "input": "x"}, 400),
        ("/v1/nothing", {}, 404),
    ],
)
def test_refusals_are_in_the_envelope(engine: Engine, path: str, body: dict[str, Any], status: int) -> None:
    answer = engine.http.post(path, json=body)
    assert answer.status_code == status
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}


# --- how it obeys


def test_a_text_and_further_fields_and_headers(engine: Engine) -> None:
    answer = engine.chat(ordered(text="just this", extra={"more": 1}, headers={"x-own": "yes"}))
    assert (answer.json()["choices"][0]["message"]["content"], answer.json()["more"]) == ("just this", 1)
    assert answer.headers["x-own"] == "yes"


def test_an_echo_leaves_the_orders_out(engine: Engine) -> None:
    reply = engine.chat(ordered("say this", echo=True)).json()
    assert reply["choices"][0]["message"]["content"] == "say this"


def test_a_status_and_its_body(engine: Engine) -> None:
    orders = {"status": 503, "body": "busy", "content_type": "text/plain", "headers": {"retry-after": "7"}}
    answer = engine.chat(ordered(**orders), stream=True)
    assert (answer.status_code, answer.text, answer.headers["retry-after"]) == (503, "busy", "7")


def test_usage_may_be_ordered_to_be_anything(engine: Engine) -> None:
    usage = {"prompt_tokens": None, "total_tokens": "many"}
    assert engine.chat(ordered(nonce="odd-usage", usage=usage)).json()["usage"].items() >= usage.items()
    assert engine.ended("odd-usage")["outcome"] == "complete"


def test_waiting_is_never_shorter_than_ordered(engine: Engine) -> None:
    started = time.monotonic()
    stream(engine, tokens=3, delay=0.05, ttft=0.05, gap=0.05)
    assert time.monotonic() - started >= 0.05 + 0.05 + 2 * 0.05


@pytest.mark.parametrize("eol", ["\n", "\r\n", "\r"])
def test_line_endings_blanks_and_comments(engine: Engine, eol: str) -> None:
    body = engine.http.post(
        "/v1/chat/completions",
        json=chat_body(ordered(tokens=2, eol=eol, space=False, comment_every=1), stream=True),
    ).content.decode()
    assert body.count(f": ping{eol}{eol}") == 2
    assert "data:{" in body
    assert body.endswith(f"data:[DONE]{eol}{eol}")


def test_split_bytes_are_chunks(engine: Engine) -> None:
    with engine.http.stream(
        "POST", "/v1/chat/completions", json=chat_body(ordered(text="é🌍", split=1), stream=True)
    ) as answer:
        pieces = list(answer.iter_raw())
    assert "".join(contents(b"".join(pieces).decode())) == "é🌍"
    assert len(pieces) > 1


@pytest.mark.parametrize("after", [0, 2, 4])
def test_a_cut_comes_after_so_many_events(engine: Engine, after: int) -> None:
    """Also after the last one: then the ending is missing."""
    nonce, pieces = f"cut-{after}", []
    body = chat_body(ordered(nonce=nonce, tokens=4, cut_after=after), stream=True)
    with (
        pytest.raises(httpx.RemoteProtocolError),
        engine.http.stream("POST", "/v1/chat/completions", json=body) as answer,
    ):
        pieces.extend(answer.iter_raw())
    seen = engine.ended(nonce)
    assert (seen["outcome"], seen["events"]) == ("cut", after)
    assert len(contents(b"".join(pieces).decode())) == after


def test_a_unary_answer_is_cut_in_its_body(engine: Engine) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        engine.chat(ordered(nonce="cut-unary", cut_after=0))
    assert engine.ended("cut-unary")["outcome"] == "cut"


@pytest.mark.parametrize(("after", "done"), [(0, False), (2, True), (4, False)])
def test_an_error_ends_a_stream(engine: Engine, after: int, done: bool) -> None:
    body = stream(engine, tokens=4, error_after=after, error_done=done)
    assert len(contents(body)) == after
    *_, last = [event for event in events(body) if event != "[DONE]"]
    assert ("error" in last, events(body)[-1] == "[DONE]") == (True, done)


def test_events_of_any_size(engine: Engine) -> None:
    assert [len(piece) for piece in contents(stream(engine, tokens=2, event_bytes=5000))] == [5000, 5000]


# --- what it remembers


def test_a_request_is_found_by_its_nonce(engine: Engine) -> None:
    engine.http.post("/v1/chat/completions?a=b", json=chat_body(ordered(nonce="found")), headers={"x-mine": "yes"})
    seen = engine.ended("found")
    assert (seen["engine"], seen["method"], seen["path"], seen["query"]) == ("a", "POST", "/v1/chat/completions", "a=b")
    assert seen["headers"]["x-mine"] == "yes"
    assert json.loads(seen["raw"]) == seen["body"]
    assert seen["ended"] >= seen["started"]


def test_a_refused_request_is_remembered_too(engine: Engine) -> None:
    engine.chat(ordered(nonce="refused"), temperature=9)
    assert engine.ended("refused")["body"]["temperature"] == 9


@pytest.mark.parametrize(
    ("nonce", "orders"),
    [
        ("left-waiting", {"delay": 5}),
        ("left-stalled", {"stall_after": 1}),
        ("left-streaming", {"tokens": 99, "gap": 0.02}),
    ],
)
def test_a_client_that_leaves_is_noticed_at_once(engine: Engine, nonce: str, orders: dict[str, Any]) -> None:
    before = engine.counters()["cancelled"]
    started = time.monotonic()
    hang_up(engine, chat_body(ordered(nonce=nonce, **orders), stream=True), after=0 if "delay" in orders else 300)
    assert engine.ended(nonce)["outcome"] == "cancelled"
    assert time.monotonic() - started < 1.5
    assert engine.counters()["cancelled"] == before + 1


def test_what_runs_is_seen_while_it_runs(engine: Engine) -> None:
    body = chat_body(ordered(nonce="running", tokens=3, gap=0.1), stream=True)
    with engine.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        (seen,) = engine.seen("running")
        assert (seen["outcome"], engine.counters()["running"]) == ("running", 1)
        answer.read()
    assert engine.ended("running")["events"] == 3


def test_faults_are_put_on_and_taken_off(engine: Engine) -> None:
    assert engine.control.put("/faults", json={"names": ["echo_ignored"]}).json() == {"names": ["echo_ignored"]}
    assert not engine.complete("prompt", echo=True)["choices"][0]["text"].startswith("prompt")
    engine.control.put("/faults", json={"names": []})
    assert engine.complete("prompt", echo=True)["choices"][0]["text"].startswith("prompt")
    assert "echo_ignored" in engine.control.get("/faults").json()["reached"]


def test_an_engine_may_know_its_models() -> None:
    with running_engine("--model=chat-a", "--model=embed-a", name="b") as engine:
        unknown = engine.chat(ordered(nonce="unknown"), model="chat-b")
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
        assert engine.ended("unknown")["engine"] == "b"
        assert engine.chat().status_code == 200
        assert [card["id"] for card in engine.http.get("/v1/models").json()["data"]] == ["chat-a", "embed-a"]
