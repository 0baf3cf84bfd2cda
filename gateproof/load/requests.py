"""The bytes of each request: a head that is the same for a part of the mix, and a body for the index."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateproof.load import uploads
from gateproof.load.dataset import Entry
from gateproof.load.profile import Part, Prefix, Workload
from gateproof.load.prompts import Scale, text, unique
from gateproof.load.wire.call import Origin
from gateproof.load.workload import Asked

Body = dict[str, Any]
Message = Mapping[str, Any]
Messages = Sequence[Message]

USAGE_ASKED = {"include_usage": True}
DIGEST = 16  # hexadecimal digits, as many as that of a schedule has
ANSWER_SEED = 500_000_000  # keeps what an answer says apart from what is asked


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
    origin: Origin | None = None
    """None: that of the run."""

    def head(self, length: int, content_type: str = "application/json") -> bytes:
        """RFC 9112; ``identity``, since a compressed stream would have to be held back to be read."""
        lines = [
            f"POST {self.path} HTTP/1.1",
            f"Host: {self.host}",
            f"Content-Type: {content_type}",
            f"Content-Length: {length}",
            f"Accept: {'text/event-stream' if self.stream else 'application/json'}",
            "Accept-Encoding: identity",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def question(content: str) -> Message:
    return {"role": "user", "content": content}


def answer(content: str) -> Message:
    return {"role": "assistant", "content": content}


def _plain(messages: Messages) -> str:
    """For an API that takes a text."""
    return "\n".join(str(message["content"]) for message in messages)


def _chat(door: Door, messages: Messages, tokens: int) -> Body:
    return {"messages": messages, "max_tokens": tokens, **_streamed(door)}


def _completion(door: Door, messages: Messages, tokens: int) -> Body:
    return {"prompt": _plain(messages), "max_tokens": tokens, **_streamed(door)}


def _responses(door: Door, messages: Messages, tokens: int) -> Body:
    asked = messages if len(messages) > 1 else messages[0]["content"]
    return {"input": asked, "max_output_tokens": tokens, **({"stream": True} if door.stream else {})}


def _messages(door: Door, messages: Messages, tokens: int) -> Body:
    """Messages has no such role as ``system``: what it says stands beside them."""
    system = _plain([message for message in messages if message["role"] == "system"])
    said = [message for message in messages if message["role"] != "system"]
    stream = {"stream": True} if door.stream else {}
    return {"messages": said, "max_tokens": tokens, **({"system": system} if system else {}), **stream}


def _embeddings(_: Door, messages: Messages, __: int) -> Body:
    return {"input": _plain(messages)}


def _rerank(_: Door, messages: Messages, __: int) -> Body:
    prompt = _plain(messages)
    half = len(prompt) // 2
    return {"query": prompt[:64], "documents": [prompt[:half], prompt[half:]]}


def _speech(_: Door, messages: Messages, __: int) -> Body:
    return {"input": _plain(messages), "voice": "alloy"}


def _streamed(door: Door) -> Body:
    return {"stream": True, "stream_options": USAGE_ASKED} if door.stream else {}


BODIES: dict[str, Callable[[Door, Messages, int], Body]] = {
    "chat": _chat,
    "completions": _completion,
    "responses": _responses,
    "messages": _messages,
    "embeddings": _embeddings,
    "rerank": _rerank,
    "speech": _speech,
}
UPLOADED = "transcriptions"
APIS = (*BODIES, UPLOADED)
GENERATES = frozenset({"chat", "completions"})


class Requests:
    """Request bytes by index. Building one takes tens of microseconds: do it before the request is due.

    ``salt`` is of the run: with it, marks against caches and shared beginnings are other ones than those of an equal
    run before it, which a cache may still know.
    """

    def __init__(
        self,
        workload: Workload,
        asked: Asked,
        doors: list[Door],
        seed: int,
        entries: Sequence[Entry] = (),
        *,
        salt: int = 0,
    ) -> None:
        self._workload, self._asked, self._doors, self._seed = workload, asked, doors, seed
        self._entries = entries
        self._marked = seed + (salt if workload.cache_bust else 0)
        self._prefixes = _prefixes(workload, doors, self._marked)
        self._audio = [uploads.tone(part.audio) if part.api == UPLOADED else b"" for part in workload.mix]

    @property
    def digest(self) -> str:
        """Of what is asked for, and of the data set: workers whose digests differ would not be one run."""
        digest = hashlib.sha256()
        for lengths in (self._asked.part, self._asked.input_tokens, self._asked.output_tokens, self._asked.prefix):
            digest.update(lengths.tobytes())
        for entry in self._entries:
            digest.update(json.dumps([entry.messages, entry.output_tokens]).encode())
        return digest.hexdigest()[:DIGEST]

    def door(self, index: int) -> Door:
        return self._doors[int(self._asked.part[index])]

    def part(self, index: int) -> Part:
        return self._workload.mix[int(self._asked.part[index])]

    def build(self, index: int) -> bytes:
        door = self.door(index)
        if door.api == UPLOADED:
            audio = uploads.marked(self._audio[int(self._asked.part[index])], self._marked, index)
            data = uploads.multipart({"model": door.model, "response_format": "json"}, audio)
            return door.head(len(data), uploads.CONTENT_TYPE) + data
        output = int(self._asked.output_tokens[index])
        body = {"model": door.model, **BODIES[door.api](door, self.messages(index), output)}
        if self._workload.ignore_eos and door.api in GENERATES:
            # vLLM's own; others ignore what they do not know, or the profile says so
            body |= {"ignore_eos": True}
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return door.head(len(data)) + data

    def messages(self, index: int) -> Messages:
        """What is said in this turn, behind all that was said before; answers are of the length that was asked for."""
        if self._entries:
            return self._written(index)
        said: list[Message] = []
        for each in self._asked.before(index):
            said += [question(self.prompt(each)), answer(self._answer(each))]
        return [*said, question(self.prompt(index))]

    def _written(self, index: int) -> Messages:
        """Of the data set, over and over; a mark against caches stands before everything."""
        first, *others = self._entries[index % len(self._entries)].messages
        mark = unique(self._marked, index) if self._workload.cache_bust else ""
        return [{**first, "content": mark + first["content"]}, *others]

    def prompt(self, index: int) -> str:
        door, group = self.door(index), int(self._asked.prefix[index])
        first = index < self._asked.conversations
        words = door.scale.words(int(self._asked.input_tokens[index]), first=first)
        start = ""
        vocabulary = door.scale.vocabulary
        if first and group >= 0:
            start = self._prefixes[group]
        if first and self._workload.cache_bust:
            start += unique(self._marked, index, vocabulary)
        words -= len(start.split())
        said = text(max(1, words), seed=self._seed + index, start=start, vocabulary=vocabulary)
        return said + door.scale.padding(int(self._asked.input_tokens[index]), first=first)

    def _answer(self, index: int) -> str:
        scale = self.door(index).scale
        tokens = int(self._asked.output_tokens[index])
        words = scale.plain_words(tokens)
        said = text(words, seed=self._seed + ANSWER_SEED + index, vocabulary=scale.vocabulary)
        return said + scale.plain_padding(tokens)


def _prefixes(workload: Workload, doors: list[Door], seed: int) -> list[str]:
    """The shared beginnings; a request's own mark stands behind them, or no cache could use them."""
    if workload.prefix is None:
        return []
    return [_prefix(workload, workload.prefix, doors[0].scale, seed, group) for group in range(workload.prefix.groups)]


def _prefix(workload: Workload, prefix: Prefix, scale: Scale, seed: int, group: int) -> str:
    """With a mark of the run in front: what an earlier one left in a cache is of no use to this one."""
    mark = unique(seed, -1 - group, scale.vocabulary) if workload.cache_bust else ""
    words = max(1, scale.plain_words(prefix.tokens) - len(mark.split()))
    return text(words, seed=seed + 1000 + group, start=mark, vocabulary=scale.vocabulary) + " "
