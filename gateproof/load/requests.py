"""The bytes of each request: a head that is the same for a part of the mix, and a body for the index."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateproof.load.profile import Part, Workload
from gateproof.load.prompts import Scale, text, unique
from gateproof.load.workload import Asked

Body = dict[str, Any]

USAGE_ASKED = {"include_usage": True}
UNIQUE_WORDS = 2  # words that the mark against caches counts for: eight hex digits are two or three tokens


@dataclass(frozen=True, slots=True)
class Door:
    """Where one part of the mix goes, and as whom."""

    api: str
    path: str
    host: str
    model: str
    stream: bool
    headers: Mapping[str, str]
    scale: Scale = field(default_factory=Scale)

    def head(self, length: int) -> bytes:
        """RFC 9112; ``identity``, since a compressed stream would have to be held back to be read."""
        lines = [
            f"POST {self.path} HTTP/1.1",
            f"Host: {self.host}",
            "Content-Type: application/json",
            f"Content-Length: {length}",
            f"Accept: {'text/event-stream' if self.stream else 'application/json'}",
            "Accept-Encoding: identity",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _chat(door: Door, prompt: str, tokens: int) -> Body:
    return {"messages": [{"role": "user", "content": prompt}], "max_tokens": tokens, **_streamed(door)}


def _completion(door: Door, prompt: str, tokens: int) -> Body:
    return {"prompt": prompt, "max_tokens": tokens, **_streamed(door)}


def _responses(door: Door, prompt: str, tokens: int) -> Body:
    return {"input": prompt, "max_output_tokens": tokens, **({"stream": True} if door.stream else {})}


def _messages(door: Door, prompt: str, tokens: int) -> Body:
    stream = {"stream": True} if door.stream else {}
    return {"messages": [{"role": "user", "content": prompt}], "max_tokens": tokens, **stream}


def _embeddings(_: Door, prompt: str, __: int) -> Body:
    return {"input": prompt}


def _rerank(_: Door, prompt: str, __: int) -> Body:
    half = len(prompt) // 2
    return {"query": prompt[:64], "documents": [prompt[:half], prompt[half:]]}


def _speech(_: Door, prompt: str, __: int) -> Body:
    return {"input": prompt, "voice": "alloy"}


def _streamed(door: Door) -> Body:
    return {"stream": True, "stream_options": USAGE_ASKED} if door.stream else {}


BODIES: dict[str, Callable[[Door, str, int], Body]] = {
    "chat": _chat,
    "completions": _completion,
    "responses": _responses,
    "messages": _messages,
    "embeddings": _embeddings,
    "rerank": _rerank,
    "speech": _speech,
}
GENERATES = frozenset({"chat", "completions"})


class Requests:
    """Request bytes by index. Building one takes tens of microseconds: do it before the request is due."""

    def __init__(self, workload: Workload, asked: Asked, doors: list[Door], seed: int) -> None:
        self._workload, self._asked, self._doors, self._seed = workload, asked, doors, seed
        self._prefixes = _prefixes(workload, doors, seed)

    def door(self, index: int) -> Door:
        return self._doors[int(self._asked.part[index])]

    def part(self, index: int) -> Part:
        return self._workload.mix[int(self._asked.part[index])]

    def build(self, index: int) -> bytes:
        door = self.door(index)
        output = int(self._asked.output_tokens[index])
        body = {"model": door.model, **BODIES[door.api](door, self.prompt(index), output)}
        if self._workload.ignore_eos and door.api in GENERATES:
            # vLLM's own; others ignore what they do not know, or the profile says so
            body |= {"ignore_eos": True}
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return door.head(len(data)) + data

    def prompt(self, index: int) -> str:
        door, group = self.door(index), int(self._asked.prefix[index])
        words = door.scale.words(int(self._asked.input_tokens[index]))
        start = ""
        if group >= 0:
            start = self._prefixes[group]
            words -= len(start.split())
        if self._workload.cache_bust:
            start += unique(self._seed, index)
            words -= UNIQUE_WORDS
        return text(max(1, words), seed=self._seed + index, start=start)


def _prefixes(workload: Workload, doors: list[Door], seed: int) -> list[str]:
    """The shared beginnings; a request's own mark stands behind them, or no cache could use them."""
    if workload.prefix is None:
        return []
    words = doors[0].scale.words(workload.prefix.tokens)
    return [text(words, seed=seed + 1000 + group) + " " for group in range(workload.prefix.groups)]
