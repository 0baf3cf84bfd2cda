"""What an answer of the embeddings API must be, and numbers about vectors. Pure, over parsed JSON."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Sequence
from typing import Any

Vector = list[float]


class NoVectors(AssertionError):
    """The answer holds no vectors in the form that was asked for."""


def embedding_flaws(body: object, inputs: int) -> list[str]:
    """What keeps a parsed body from being OpenAI's list of so many embeddings; empty when it is one."""
    if not isinstance(body, dict):
        return [f"no object: {_short(body)}"]
    flaws = [
        f"{name} is {_short(body.get(name))}, not {wanted}"
        for name, wanted, right in (
            ("object", "'list'", body.get("object") == "list"),
            ("model", "a name", isinstance(body.get("model"), str) and body["model"] != ""),
            ("data", f"an array of {inputs}", isinstance(body.get("data"), list) and len(body["data"]) == inputs),
        )
        if not right
    ]
    items = body["data"] if isinstance(body.get("data"), list) else []
    flaws += [flaw for position, item in enumerate(items) for flaw in _item_flaws(position, item)]
    usage = body.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return flaws + [
        f"usage.{name} is {_short(counts.get(name))}, not an integer"
        for name in ("prompt_tokens", "total_tokens")
        if not _is_integer(counts.get(name))
    ]


def _item_flaws(position: int, item: object) -> list[str]:
    if not isinstance(item, dict):
        return [f"data[{position}] is {_short(item)}, not an object"]
    flaws = []
    if item.get("object") != "embedding":
        flaws.append(f"data[{position}].object is {_short(item.get('object'))}, not 'embedding'")
    if not _is_integer(item.get("index")) or item["index"] != position:
        flaws.append(f"data[{position}].index is {_short(item.get('index'))}, not {position}")
    if not is_vector(item.get("embedding")):
        flaws.append(f"data[{position}].embedding is {_short(item.get('embedding'))}, not numbers")
    return flaws


def is_vector(value: object) -> bool:
    return isinstance(value, list) and value != [] and all(_is_number(each) for each in value)


def vectors_of(body: object) -> list[Vector]:
    """The vectors of an answer, in the order in which it gives them."""
    return [_as_vector(value) for value in embeddings_of(body)]


def embeddings_of(body: object) -> list[Any]:
    """Whatever stands as `embedding` in each item of an answer."""
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise NoVectors(f"no `data` array of objects: {_short(body)}")
    return [item.get("embedding") for item in data]


def _as_vector(value: object) -> Vector:
    if not is_vector(value):
        raise NoVectors(f"an embedding is {_short(value)}, not numbers")
    assert isinstance(value, list)
    return [float(each) for each in value]


def decoded(value: object) -> Vector:
    """A vector from base64 of little-endian single-precision numbers, as every SDK reads it."""
    if not isinstance(value, str):
        raise NoVectors(f"an embedding is {_short(value)}, not base64 text")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoVectors(f"an embedding is no base64 ({error}): {_short(value)}") from None
    if not data or len(data) % 4:
        raise NoVectors(f"an embedding has {len(data)} bytes, which are no single-precision numbers")
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """The likeness of two vectors, 1 for the same direction; 0 when they cannot be compared."""
    lengths = math.hypot(*one) * math.hypot(*other)
    if len(one) != len(other) or not math.isfinite(lengths) or lengths == 0:
        return 0.0
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths


def furthest(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest difference between numbers at the same place; a share of the largest number where that is above 1."""
    if len(one) != len(other):
        return math.inf
    scale = max(1.0, *(abs(each) for each in one)) if one else 1.0
    differences = [abs(a - b) / scale for a, b in zip(one, other, strict=True)]
    return math.inf if any(math.isnan(each) for each in differences) else max(differences, default=0.0)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
