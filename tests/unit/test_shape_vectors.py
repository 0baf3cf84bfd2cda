"""Embeddings: their form, their decoding, their likeness."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.shape.vectors import NoVectors, cosine, decoded, embedding_flaws, furthest, vectors_of

SINGLE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def answer(**changes: Any) -> dict[str, Any]:
    data = [{"object": "embedding", "index": index, "embedding": [0.5, 1]} for index in range(2)]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    return {"object": "list", "data": data, "model": "m", "usage": usage, **changes}


def item(**changes: Any) -> dict[str, Any]:
    return {"object": "embedding", "index": 0, "embedding": [1.0], **changes}


def test_a_right_answer_has_no_flaws() -> None:
    assert embedding_flaws(answer(), inputs=2) == []


@pytest.mark.parametrize(
    ("body", "flaw"),
    [
        ("text", "no object: 'text'"),
        (answer(object="lists"), "object is 'lists', not 'list'"),
        (answer(model=None), "model is None, not a name"),
        (answer(usage=None), "usage.total_tokens is None, not an integer"),
        (answer(usage={"prompt_tokens": 1.5, "total_tokens": 2}), "usage.prompt_tokens is 1.5, not an integer"),
        (answer(data=[item(), item()]), "data[1].index is 0, not 1"),
        (answer(data=[item(), 7]), "data[1] is 7, not an object"),
        (answer(data=[item(index=False), item(index=1)]), "data[0].index is False, not 0"),
        (answer(data=[item(embedding="AAAA"), item(index=1)]), "data[0].embedding is 'AAAA', not numbers"),
        (answer(data=[item(embedding=[]), item(index=1)]), "data[0].embedding is [], not numbers"),
    ],
)
def test_each_flaw_is_named(body: object, flaw: str) -> None:
    assert flaw in embedding_flaws(body, inputs=2)


@given(st.lists(SINGLE, min_size=1, max_size=20))
def test_base64_is_read_as_sdks_read_it(vector: list[float]) -> None:
    assert decoded(base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()) == vector


@pytest.mark.parametrize("value", [None, [0.5], "", "AAA", "AAAA", "not base64!"])
def test_what_is_no_base64_vector(value: object) -> None:
    with pytest.raises(NoVectors):
        decoded(value)


@pytest.mark.parametrize("body", [None, {}, {"data": 7}, {"data": [7]}, {"data": [{"embedding": "AAAA"}]}])
def test_what_holds_no_vectors(body: object) -> None:
    with pytest.raises(NoVectors):
        vectors_of(body)


@pytest.mark.parametrize(
    ("one", "other", "likeness"),
    [
        ([1, 0], [2, 0], 1),
        ([1, 0], [0, 1], 0),
        ([1, 0], [-1, 0], -1),
        ([1], [1, 0], 0),
        ([0, 0], [1, 0], 0),
        ([math.inf, 0], [1, 0], 0),
        ([], [], 0),
    ],
)
def test_likeness(one: list[float], other: list[float], likeness: float) -> None:
    assert cosine(one, other) == likeness


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ([1, 2], [1, 2], 0),
        ([0.5, 0], [0.25, 0], 0.25),
        ([100, 0], [101, 0], 0.01),
        ([1], [1, 1], math.inf),
        ([], [], 0),
    ],
)
def test_distance(one: list[float], other: list[float], distance: float) -> None:
    assert furthest(one, other) == pytest.approx(distance)


def test_no_number_is_infinitely_far() -> None:
    assert furthest([1.0], [math.nan]) == math.inf
