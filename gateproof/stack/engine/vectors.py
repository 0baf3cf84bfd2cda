"""POST /v1/embeddings and the rerank paths: deterministic numbers from texts."""

from __future__ import annotations

import base64
import hashlib
import math
import random
import re
import struct
from typing import Any

from gateproof.stack.engine import tokens, validate
from gateproof.stack.engine.obey import answer, obey
from gateproof.stack.engine.script import parse
from gateproof.stack.engine.wire import Call, Refused
from gateproof.stack.faults import worn

DIMENSIONS = 64
MAX_INPUTS = 2048  # openai-openapi: the input array has at most 2048 items


def vector(text: str, size: int) -> list[float]:
    """A unit vector of single-precision numbers that depends on the text alone."""
    raw = b"".join(
        hashlib.sha256(f"{block}|{text}".encode("utf-8", "surrogatepass")).digest() for block in range(size // 32 + 1)
    )
    values = [byte - 127.5 for byte in raw[:size]]
    length = math.sqrt(sum(value * value for value in values))
    return list(struct.unpack(f"<{size}f", struct.pack(f"<{size}f", *(value / length for value in values))))


def inputs_of(given: Any) -> list[str]:
    if isinstance(given, str):
        given = [given]
    if isinstance(given, list) and given and all(is_token(each) for each in given):
        given = [given]
    if not isinstance(given, list) or not all(isinstance(each, str | list) for each in given):
        raise validate.refuse("input", "neither text, texts nor tokens")
    if (not given or not all(given)) and not worn("empty_input_embedded"):
        raise validate.refuse("input", "must not be empty")
    if len(given) > MAX_INPUTS:
        if worn("too_many_inputs_crash"):
            raise Refused(500, "the batch does not fit into memory")
        raise validate.refuse("input", f"{len(given)} items, at most {MAX_INPUTS} are allowed")
    return [each if isinstance(each, str) else " ".join(map(str, each)) for each in given]


def is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


async def embeddings(call: Call, body: dict[str, Any]) -> None:
    given = body.get("input")
    first = given if isinstance(given, str) else given[0] if isinstance(given, list) and given else ""
    script = parse(first if isinstance(first, str) else "", call.ledger.name)
    seen = call.note(body, script.nonce)
    model = validate.model_of(body)
    if model.startswith("chat"):
        raise Refused(
            400, f"The model `{model}` does not support embeddings.", code="model_not_supported", param="model"
        )
    validate.required(body, "input")
    texts = inputs_of(given)
    validate.common(body)
    size, coding = form_of(body)
    count = sum(tokens.count(text) for text in texts)
    seen.usage = {"prompt_tokens": count, "total_tokens": count, **script.usage}
    if worn("embeddings_cost_nothing"):
        seen.usage["prompt_tokens"] = 0
    if await obey(call, script):
        return
    data = items(body, texts, size, coding)
    await answer(call, script, {"object": "list", "data": data, "model": model, "usage": seen.usage})


DISTURBANCE = 0.02  # of the length of a vector, which is 1


def disturbed(values: list[float]) -> list[float]:
    """Another vector each time: any two of them have a cosine of about 0.9996, and none below 0.9992."""
    noise = [random.gauss(0, 1) for _ in values]
    scale = DISTURBANCE / math.hypot(*noise)
    return [value + scale * each for value, each in zip(values, noise, strict=True)]


def coded(values: list[float], coding: str) -> list[float] | str:
    if coding == "float" or worn("base64_ignored"):
        return values
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def form_of(body: dict[str, Any]) -> tuple[int, str]:
    """How many numbers, and how they are written."""
    size = DIMENSIONS if body.get("dimensions") is None else body["dimensions"]
    if body.get("dimensions") is None and worn("one_dimension_missing"):
        size = DIMENSIONS - 1
    if body.get("dimensions") is not None and worn("dimensions_ignored"):
        size = DIMENSIONS
    if not 1 <= size <= DIMENSIONS:
        raise validate.refuse("dimensions", f"{size} is outside 1 to {DIMENSIONS}")
    coding = body.get("encoding_format") or "float"
    if coding not in ("float", "base64"):
        raise validate.refuse("encoding_format", f"{coding!r} is neither float nor base64")
    return size, coding


def items(body: dict[str, Any], texts: list[str], size: int, coding: str) -> list[dict[str, Any]]:
    if len(texts) > 1 and worn("batch_sorted_by_length"):
        texts.sort(key=len)
    vectors = [vector(text, size) for text in texts]
    if body.get("encoding_format") is None and worn("vectors_vary"):
        vectors = [disturbed(each) for each in vectors]
    data = [
        {"object": "embedding", "index": index, "embedding": coded(each, coding)} for index, each in enumerate(vectors)
    ]
    if len(data) > 1 and worn("every_index_is_zero"):
        data = [{**item, "index": 0} for item in data]
    return data


async def rerank(call: Call, body: dict[str, Any]) -> None:
    query, documents = body.get("query"), body.get("documents")
    script = parse(query if isinstance(query, str) else "", call.ledger.name)
    seen = call.note(body, script.nonce)
    validate.model_of(body)
    if not isinstance(query, str) or not query:
        raise validate.refuse("query", "a text is needed")
    if not isinstance(documents, list) or not documents:
        raise validate.refuse("documents", "at least one document is needed")
    texts = [each.get("text", "") if isinstance(each, dict) else str(each) for each in documents]
    top = body.get("top_n")
    if top is not None and (not isinstance(top, int) or top < 1):
        raise validate.refuse("top_n", f"{top!r} is no positive integer")
    count = tokens.count(query) + sum(tokens.count(text) for text in texts)
    seen.usage = {"prompt_tokens": count, "total_tokens": count}
    if await obey(call, script):
        return
    scored = sorted(
        ((likeness(query, text), index) for index, text in enumerate(texts)), key=lambda pair: (-pair[0], pair[1])
    )
    results = [{"index": i, "relevance_score": score, "document": {"text": texts[i]}} for score, i in scored[:top]]
    await answer(call, script, {"id": "rerank", "model": body["model"], "usage": seen.usage, "results": results})


def likeness(query: str, text: str) -> float:
    """The share of the query's words that the text has."""
    asked, has = (set(re.findall(r"\w+", each.lower())) for each in (query, text))
    return len(asked & has) / len(asked) if asked else 0.0
