"""EMB: embeddings (openai-openapi, createEmbedding)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fixtures.api import PROMPT, Api
from gateproof.shape.vectors import Vector, cosine, decoded, embedding_flaws, embeddings_of, furthest, vectors_of
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive, NotDeclared

# Neither by alphabet nor by length, so that no sorting leaves them as they are.
TEXTS = [
    "a river of melted copper",
    "tax law",
    "why do cats purr when they sleep in the sun?",
    "42",
    "zebra crossing in the rain",
    "die Gewinnschwelle liegt bei 7 %",
    "bread, salt and a knife",
    "e4 e5 Nf3 Nc6 Bb5",
]
ALIKE = 0.999  # cosine above which two vectors stand for one text: the requirement's number
SAME = 0.9999  # cosine above which two vectors count as the same: the requirement's number
ROUNDING = 1e-6  # single precision keeps 6e-8 of a number of 1; decimal text may round a digit earlier
MOST_INPUTS = 2048  # openai-openapi: the input array has at most 2048 items
TOKENS_EACH = 4  # of a one-letter input, with what a tokenizer adds around it


def embedded(api: Api, text: object, **fields: Any) -> Any:
    """The JSON of an answer to a request that must be served."""
    exchange = api.embed(text, **fields)
    assert exchange.status == 200
    return exchange.json()


def vectors(api: Api, text: object, **fields: Any) -> list[Vector]:
    return vectors_of(embedded(api, text, **fields))


@requirement("EMB-001", requests=1)
def test_embeddings_have_their_form(api: Api) -> None:
    assert embedding_flaws(embedded(api, TEXTS[:2]), inputs=2) == []


@requirement("EMB-002", requests=len(TEXTS) + 1, tokens=1000)
def test_a_batch_keeps_its_order(api: Api) -> None:
    together = vectors(api, TEXTS)
    alone = [vectors(api, text)[0] for text in TEXTS]
    likeness = [round(cosine(one, other), 6) for one, other in zip(together, alone, strict=False)]
    assert len(together) == len(TEXTS)
    assert [(index, cos) for index, cos in enumerate(likeness) if cos <= ALIKE] == []


@requirement("EMB-003", requests=1)
def test_all_vectors_are_finite_and_of_one_length(api: Api) -> None:
    found = vectors(api, TEXTS[:3])
    declared = api.target.embedding_dimensions or len(found[0])
    odd = [number for vector in found for number in vector if not math.isfinite(number)]
    assert ({len(vector) for vector in found}, odd) == ({declared}, [])


@requirement("EMB-004", requests=3)
def test_base64_says_what_the_numbers_say(api: Api) -> None:
    before = vectors(api, PROMPT, encoding_format="float")[0]
    coded = decoded(embeddings_of(embedded(api, PROMPT, encoding_format="base64"))[0])
    after = vectors(api, PROMPT, encoding_format="float")[0]
    noise = furthest(before, after)
    if noise > ROUNDING and len(coded) == len(before) and furthest(before, coded) > ROUNDING:
        raise Inconclusive(f"the numbers themselves change by {noise:.2g} from call to call")
    assert (len(coded), min(furthest(before, coded), furthest(after, coded)) <= ROUNDING) == (len(before), True)


@requirement("EMB-005", requests=2)
def test_asked_for_dimensions_are_given_or_refused(api: Api) -> None:
    fewer = (api.target.embedding_dimensions or len(vectors(api, PROMPT)[0])) // 2
    exchange = api.embed(PROMPT, dimensions=fewer)
    length = len(vectors_of(exchange.json())[0]) if exchange.status == 200 else None
    assert (exchange.status, length) in {(200, fewer), (400, None)}


@requirement("EMB-006", requests=1)
@pytest.mark.parametrize("nothing", [pytest.param("", id="empty-string"), pytest.param([], id="empty-array")])
def test_nothing_cannot_be_embedded(api: Api, nothing: object) -> None:
    assert api.embed(nothing).status == 400


@requirement("EMB-007", requests=2)
def test_the_same_text_gives_the_same_vector(api: Api) -> None:
    first, second = vectors(api, TEXTS[0])[0], vectors(api, TEXTS[0])[0]
    assert cosine(first, second) > SAME


@requirement("EMB-008", requests=1)
def test_usage_counts_the_input(api: Api) -> None:
    usage = embedded(api, TEXTS[0]).get("usage")
    counts = usage if isinstance(usage, dict) else {}
    prompt, total = counts.get("prompt_tokens"), counts.get("total_tokens")
    assert isinstance(prompt, int), counts
    assert isinstance(total, int), counts
    assert total >= prompt > 0


@requirement("EMB-009", requests=1, tokens=TOKENS_EACH * (MOST_INPUTS + 1))
def test_too_many_inputs_are_refused(api: Api) -> None:
    assert api.embed(["a"] * (MOST_INPUTS + 1)).status == 400


@requirement("EMB-010", requests=1, needs=("api.chat",))
def test_a_chat_model_embeds_nothing(api: Api) -> None:
    model = api.target.models["chat"]
    if model == api.target.models["embeddings"]:
        raise NotDeclared("one model serves both APIs")
    assert api.embed(model=model).status in {400, 404}
