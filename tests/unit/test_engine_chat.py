"""The engine's chat completions: what the judge relies on when it takes a healthy reply for granted."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from gateproof.stack.engine import tokens, validate
from gateproof.stack.engine.app import create

PIXEL = "data:image/png;base64,iVBORw0KGgo="


def post(body: dict[str, Any], path: str = "/v1/chat/completions") -> httpx.Response:
    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app=create("a")[0])  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
            return await client.post(path, json=body)

    return asyncio.run(call())


def chat(content: Any = "ping", **fields: Any) -> httpx.Response:
    return post({"model": "chat-a", "messages": [{"role": "user", "content": content}], **fields})


def ordered(**orders: Any) -> str:
    return f"ping <<gateproof:{json.dumps({'nonce': 'n', **orders})}>>"


def chunks(response: httpx.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in response.text.split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def test_a_reply_costs_its_tokens() -> None:
    reply = chat().json()
    text, usage = reply["choices"][0]["message"]["content"], reply["usage"]
    assert usage["prompt_tokens"] == tokens.count("ping") + tokens.PER_MESSAGE
    assert usage["completion_tokens"] == tokens.count(text) == 8
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_limit_cuts_the_text_and_says_so(name: str) -> None:
    reply = chat(**{name: 3}).json()
    assert (reply["usage"]["completion_tokens"], reply["choices"][0]["finish_reason"]) == (3, "length")
    assert chat().json()["choices"][0]["message"]["content"].startswith(reply["choices"][0]["message"]["content"])


def test_the_earliest_stop_string_ends_the_text() -> None:
    choice = chat(ordered(text="one two three"), stop=["three", "two"]).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one ", "stop")


def test_choices_differ_and_are_all_counted() -> None:
    reply = chat(n=3, max_tokens=4).json()
    texts = {choice["message"]["content"] for choice in reply["choices"]}
    assert ([choice["index"] for choice in reply["choices"]], len(texts)) == ([0, 1, 2], 3)
    assert reply["usage"]["completion_tokens"] == 12


def test_logprobs_spell_the_text() -> None:
    choice = chat(ordered(text="a é 你"), logprobs=True, top_logprobs=2).json()["choices"][0]
    entries = choice["logprobs"]["content"]
    assert b"".join(bytes(entry["bytes"]) for entry in entries).decode() == "a é 你"
    assert [len(entry["top_logprobs"]) for entry in entries] == [2] * len(entries)


def test_thoughts_have_a_field_and_are_counted() -> None:
    order = ordered(text="42", reasoning="let me see")
    reply = chat(order, max_tokens=50).json()
    message, usage = reply["choices"][0]["message"], reply["usage"]
    assert (message["content"], message["reasoning_content"]) == ("42", "let me see")
    assert usage["completion_tokens"] == tokens.count("42") + tokens.count("let me see")
    assert usage["completion_tokens_details"] == {"reasoning_tokens": tokens.count("let me see")}


def test_a_stream_says_and_costs_what_the_reply_does() -> None:
    order = ordered(text="one two", reasoning="hm, let me see")
    unary = chat(order).json()
    streamed = chunks(chat(order, stream=True, stream_options={"include_usage": True}))
    deltas = [choice["delta"] for chunk in streamed for choice in chunk["choices"]]
    message = unary["choices"][0]["message"]
    assert "".join(delta.get("content") or "" for delta in deltas) == message["content"]
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == message["reasoning_content"]
    assert streamed[-1]["usage"] == unary["usage"]


def test_an_image_counts_for_a_model_that_sees() -> None:
    parts = [{"type": "text", "text": "ping"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    assert chat(parts).json()["usage"]["prompt_tokens"] > chat().json()["usage"]["prompt_tokens"]
    assert chat(parts, model="chat-b").status_code == 400


@pytest.mark.parametrize("url", ["http://example.com/a.png", "data:image/png;base64,***", "data:text/plain,a", 7, None])
def test_an_image_is_a_data_url(url: Any) -> None:
    assert chat([{"type": "image_url", "image_url": {"url": url}}]).status_code == 400


WRONG: dict[str, dict[str, Any]] = {
    "no messages": {"messages": []},
    "a role that is none": {"messages": [{"role": "boss", "content": "x"}]},
    "five stops": {"stop": list("abcde")},
    "no choice": {"n": 0},
    "alternatives without logprobs": {"top_logprobs": 2},
    "too many alternatives": {"logprobs": True, "top_logprobs": 21},
    "a limit in words": {"max_tokens": "ten"},
    "a prompt beyond the window": {"messages": [{"role": "user", "content": "a " * 9000}]},
}


@pytest.mark.parametrize("fields", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused(fields: dict[str, Any]) -> None:
    response = chat(**fields)
    assert (response.status_code, sorted(response.json()["error"])) == (400, ["code", "message", "param", "type"])


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ({"ignore_eos": True, "max_tokens": 32}, 32),
        ({"ignore_eos": True, "max_tokens": 3}, 3),
        ({"ignore_eos": True}, 8),
        ({"min_tokens": 20}, 20),
        ({"min_tokens": 20, "max_tokens": 24}, 20),
        ({"min_tokens": 2}, 8),
        ({"ignore_eos": True, "max_tokens": 10**9}, validate.CONTEXT),
    ],
)
def test_vllms_own_parameters_make_an_answer_as_long_as_they_say(fields: dict[str, Any], length: int) -> None:
    reply = chat(**fields).json()
    assert reply["usage"]["completion_tokens"] == length
    assert tokens.count(reply["choices"][0]["message"]["content"]) == length


def test_an_answer_that_only_its_limit_ended_says_so() -> None:
    assert chat(ignore_eos=True, max_tokens=32).json()["choices"][0]["finish_reason"] == "length"


def test_orders_say_more_than_vllms_own_parameters() -> None:
    assert chat(ordered(tokens=4), ignore_eos=True, max_tokens=32).json()["usage"]["completion_tokens"] == 4


@pytest.mark.parametrize("fields", [{"ignore_eos": "yes"}, {"min_tokens": -1}, {"min_tokens": "two"}])
def test_vllms_own_parameters_have_types(fields: dict[str, Any]) -> None:
    assert chat(**fields).status_code == 400


def test_a_text_completion_ignores_its_end_as_well() -> None:
    body = {"model": "chat-a", "prompt": "ping", "ignore_eos": True, "max_tokens": 50}
    assert post(body, "/v1/completions").json()["usage"]["completion_tokens"] == 50
