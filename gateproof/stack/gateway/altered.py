"""What faults do to chat completions on their way through: to requests for engines, to unary replies for clients."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from gateproof.stack.faults import worn

COMPRESSED = 1024  # bytes; servers leave smaller bodies as they are
EXACT = 2**53  # above it a double cannot hold every integer

# What a gateway with a model of its own knows of requests and replies.
_REPLY = {"id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier"}
_PAIR = re.compile(rb"(?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})+")
_CACHED = re.compile(rb'("cached_tokens": ?)\d+')
_LONE = re.compile(r"[\ud800-\udfff]")


def request(body: bytes, asked: Mapping[str, Any]) -> bytes:
    """The body of a chat completion as the engine gets it."""
    changed = with_other_fields(with_other_messages(asked))
    if changed is not asked:
        body = json.dumps(changed, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return with_other_text(body, asked)


def with_other_messages(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    given = asked.get("messages")
    messages = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    parts = [part for message in messages for part in parts_of(message)]
    if any(message.get("role") == "developer" for message in messages) and worn("developer_messages_dropped"):
        return {**asked, "messages": [each for each in messages if each.get("role") != "developer"]}
    if any(len(texts_in(message)) > 1 for message in messages) and worn("first_part_only"):
        return {**asked, "messages": [{**each, "content": first_part(each)} for each in messages]}
    if any(part.get("type") == "image_url" for part in parts) and worn("images_dropped"):
        return {**asked, "messages": [{**each, "content": texts_in(each) or each.get("content")} for each in messages]}
    return asked


def parts_of(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    content = message.get("content")
    return (part for part in content if isinstance(part, dict)) if isinstance(content, list) else iter(())


def first_part(message: Mapping[str, Any]) -> Any:
    return next((part.get("text", "") for part in parts_of(message)), message.get("content"))


def texts_in(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [part for part in parts_of(message) if part.get("type") == "text"]


def with_other_fields(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    seed, number = asked.get("seed"), asked.get("n")
    if any(name.startswith("x_") for name in asked) and worn("unknown_fields_dropped"):
        return {name: value for name, value in asked.items() if not name.startswith("x_")}
    if isinstance(seed, int) and seed > EXACT and worn("numbers_as_doubles"):
        return {**asked, "seed": int(float(seed))}
    if isinstance(number, int) and number > 1 and worn("n_dropped"):
        return {name: value for name, value in asked.items() if name != "n"}
    if "max_completion_tokens" in asked and "max_tokens" not in asked and worn("max_completion_tokens_dropped"):
        return {name: value for name, value in asked.items() if name != "max_completion_tokens"}
    return asked


def with_other_text(body: bytes, asked: Mapping[str, Any]) -> bytes:
    if _PAIR.search(body) and worn("escaped_pairs_replaced"):
        return _PAIR.sub("\ufffd\ufffd".encode(), body)
    if b"\\u" in body and lone_surrogates(asked) and worn("lone_surrogates_crash"):
        raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
    if not body.isascii() and worn("text_normalised"):
        return unicodedata.normalize("NFC", body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    return body


def lone_surrogates(asked: Mapping[str, Any]) -> bool:
    """Whether some text holds half a character; `json.loads` has joined the pairs."""
    return _LONE.search(json.dumps(asked, ensure_ascii=False)) is not None


def reply(body: bytes, value: object) -> bytes:
    """The body of a unary chat completion as the client gets it."""
    if isinstance(value, dict) and value.keys() - _REPLY and worn("response_fields_dropped"):
        return json.dumps({name: part for name, part in value.items() if name in _REPLY}).encode()
    if cached_in(value) and worn("cached_tokens_told_as_none"):
        return _CACHED.sub(rb"\g<1>0", body)
    return body


def cached_in(value: object) -> int:
    """Tokens of the prompt that came from a cache."""
    usage = value.get("usage") if isinstance(value, dict) else None
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return cached if isinstance(cached, int) else 0


def reply_headers(headers: list[tuple[bytes, bytes]], accepted: bytes, size: int) -> list[tuple[bytes, bytes]]:
    """The head of a unary chat completion of this size, for a client that accepts these codings."""
    if size > COMPRESSED and b"gzip" in accepted and worn("coding_named_not_done"):
        return [*headers, (b"content-encoding", b"gzip")]
    return headers
