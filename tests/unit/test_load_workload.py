"""What requests ask for: as the profile says, and a matter of seed and index alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from gateproof.load.profile import Length, Prefix, Workload
from gateproof.load.prompts import Scale, measure, text, unique
from gateproof.load.requests import Door, Requests
from gateproof.load.traces import Traced
from gateproof.load.workload import draw

MANY = 20_000
CHAT = Door("chat", "/v1/chat/completions", "gateway:8000", "m", stream=True, headers={"Authorization": "Bearer k"})


def lengths(length: Length) -> Any:
    return draw(Workload(input_tokens=length), MANY, seed=1).input_tokens


@pytest.mark.parametrize(
    ("length", "mean", "deviation"),
    [
        (Length(mean=100), 100, 0),
        (Length(kind="uniform", mean=100, low=50, high=150), 100, 101 / np.sqrt(12)),
        (Length(kind="normal", mean=500, deviation=50), 500, 50),
        (Length(kind="lognormal", mean=500, deviation=250, high=100_000), 500, 250),
    ],
    ids=["fixed", "uniform", "normal", "lognormal"],
)
def test_lengths_are_distributed_as_the_profile_says(length: Length, mean: float, deviation: float) -> None:
    drawn = lengths(length)
    assert drawn.mean() == pytest.approx(mean, rel=0.02)
    assert drawn.std() == pytest.approx(deviation, rel=0.05)


def test_lengths_keep_their_bounds() -> None:
    drawn = lengths(Length(kind="lognormal", mean=100, deviation=300, low=16, high=1000))
    assert (drawn.min(), drawn.max()) == (16, 1000)


def test_parts_get_their_shares() -> None:
    workload = Workload.model_validate({"mix": [{"share": 3}, {"share": 1, "api": "embeddings"}]})
    part = draw(workload, MANY, seed=1).part
    # binomial with p = 1/4: five standard errors
    assert (part == 1).mean() == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / MANY))


def test_a_change_of_one_share_changes_no_length() -> None:
    lognormal = {"kind": "lognormal", "mean": 100, "deviation": 50}
    parts = [{"share": 1.0, "input_tokens": lognormal}, {"share": 1.0, "input_tokens": lognormal}]
    first = draw(Workload.model_validate({"mix": parts}), 100, seed=1)
    other = draw(Workload.model_validate({"mix": [parts[0], {**parts[1], "share": 3.0}]}), 100, seed=1)
    same = first.part == other.part
    assert same.any()
    assert (first.input_tokens[same] == other.input_tokens[same]).all()


def test_a_trace_brings_its_own_lengths() -> None:
    asked = draw(Workload(), 3, seed=1, trace=[Traced(0.0, 4808, 10), Traced(1.0, 3180, 8)])
    assert (asked.input_tokens[:2].tolist(), asked.output_tokens[:2].tolist()) == ([4808, 3180], [10, 8])


# --- prompts ---


@pytest.mark.parametrize(("per_word", "template", "exact"), [(1, 9, True), (2, 0, False), (1, 0, True)])
def test_a_scale_of_a_token_a_word_is_exact(per_word: int, template: int, exact: bool) -> None:
    scale = measure(lambda prompt: template + per_word * len(prompt.split()))
    assert (scale.exact, scale.tokens(scale.words(500))) == (exact, pytest.approx(500, abs=per_word - 1))


def test_a_scale_off_the_line_says_so() -> None:
    assert not measure(lambda prompt: int(1.3 * len(prompt.split())) + 4).exact


def test_prompts_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    assert text(50, seed=7) == text(50, seed=7)
    assert text(50, seed=7) != text(50, seed=8)
    assert len(text(50, seed=7).split()) == 50


def test_marks_against_caches_are_all_different() -> None:
    assert len({unique(seed, index) for seed in (1, 2) for index in range(1000)}) == 2000


# --- bytes ---


def built(workload: Workload, door: Door = CHAT, index: int = 0) -> tuple[list[str], dict[str, Any]]:
    requests = Requests(workload, draw(workload, 10, seed=1), [door], seed=1)
    head, _, body = requests.build(index).partition(b"\r\n\r\n")
    return head.decode().split("\r\n"), json.loads(body)


def test_a_request_is_http_and_as_long_as_it_says() -> None:
    head, body = built(Workload(input_tokens=Length(mean=20), output_tokens=Length(mean=5)))
    assert head[0] == "POST /v1/chat/completions HTTP/1.1"
    assert {"Host: gateway:8000", "Authorization: Bearer k", "Accept-Encoding: identity"} <= set(head)
    assert (body["model"], body["max_tokens"], body["stream"], body["stream_options"]) == (
        "m",
        5,
        True,
        {"include_usage": True},
    )
    compact = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    assert f"Content-Length: {len(compact)}" in head


@pytest.mark.parametrize(
    ("api", "field"),
    [
        ("completions", "prompt"),
        ("responses", "input"),
        ("messages", "messages"),
        ("embeddings", "input"),
        ("rerank", "query"),
        ("speech", "input"),
    ],
)
def test_each_api_is_asked_in_its_own_way(api: str, field: str) -> None:
    door = Door(api, "/x", "h", "m", stream=False, headers={})
    _, body = built(Workload(), door)
    assert (body["model"], field in body, "stream" in body) == ("m", True, False)


def test_requests_of_one_group_share_their_beginning_and_nothing_more() -> None:
    workload = Workload(prefix=Prefix(tokens=50, groups=1), input_tokens=Length(mean=100))
    prompts = [built(workload, index=index)[1]["messages"][0]["content"].split() for index in range(2)]
    assert prompts[0][:50] == prompts[1][:50]
    assert prompts[0][50] != prompts[1][50]


def test_a_prompt_has_as_many_words_as_its_tokens_need() -> None:
    door = Door("chat", "/x", "h", "m", stream=True, headers={}, scale=Scale(fixed=10, per_word=2))
    _, body = built(Workload(input_tokens=Length(mean=110), cache_bust=False), door)
    assert len(body["messages"][0]["content"].split()) == 50
