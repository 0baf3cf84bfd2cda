"""How a target counts the tokens of a prompt, measured before a run, so that prompts are as long as they should be.

vLLM and its like tell the count of a prompt at ``/tokenize`` (``{model, messages}`` or ``{model, prompt}`` to
``{count}``; https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html#tokenizer-api). Elsewhere the
``usage`` of a few short requests does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import msgspec

from gateproof.errors import GateproofError
from gateproof.load.ask import ask
from gateproof.load.plan import door_of
from gateproof.load.profile import CONVERSES, Profile
from gateproof.load.prompts import MEASURED_AT, Scale, measure, measure_words, text
from gateproof.load.requests import BODIES, Door, Messages, answer, question
from gateproof.load.wire.payloads import WHOLE
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret

COUNTED = frozenset({*CONVERSES, "completions", "embeddings"})
"""APIs whose prompts are one text with a count of its own."""
REQUESTS = len(MEASURED_AT) + 1  # of each kind of request at most
ANSWER_TOKENS = 16  # the least that OpenAI's Responses takes
TURN_WORDS = 16  # of each text in the conversation that is measured
OK = 200
PREFIX = "/v1"  # that people like to copy along from an SDK
WORDS = frozenset({"vocabulary", "filler"})  # of a scale: what prompts are made of; a report needs the numbers

Count = Callable[[Messages], int]


class NotCounted(Exception):
    """Why there is no count."""


@dataclass(frozen=True, slots=True)
class Counted:
    """``how`` the scale of one part of the mix was found, in words."""

    api: str
    model: str
    tenant: str
    scale: Scale
    how: str

    def in_words(self) -> str:
        kind = "exact" if self.scale.exact else "estimated"
        counted = f"prompts {kind}, by {self.how}" if self.api in COUNTED else self.how
        return f"{self.api} {self.model}: {counted}"

    def to_plain(self) -> dict[str, Any]:
        scale = {name: value for name, value in asdict(self.scale).items() if name not in WORDS}
        return {"api": self.api, "model": self.model, "tenant": self.tenant, "how": self.how, **scale}


def count_tokens(profile: Profile, target: Target, keys: Mapping[str, Secret]) -> list[Counted]:
    """For each part of the mix; what does not differ is measured once."""
    known: dict[tuple[str, str, str], Counted] = {}
    found = []
    for part in profile.workload.mix:
        door = door_of(part, target, keys, Scale())
        tenant = part.tenant or target.main_tenant
        kind = (door.api, door.model, tenant)
        if kind not in known:
            scale, how = _measured(target, door, conversing=profile.workload.turns > 1)
            known[kind] = Counted(*kind, scale, how)
        found.append(known[kind])
    return found


def most_requests(profile: Profile) -> int:
    """That a measurement may send through the target, beside what its ``/tokenize`` is asked."""
    kinds = {(part.api, part.model, part.tenant) for part in profile.workload.mix if part.api in COUNTED}
    return REQUESTS * len(kinds)


def _measured(target: Target, door: Door, *, conversing: bool) -> tuple[Scale, str]:
    if door.api not in COUNTED:
        return Scale(), f"{door.api} is not counted in tokens"
    direct = target.upstream.direct if target.upstream else None
    ways: list[tuple[str, Count]] = [
        *([("the engine's /tokenize", _Tokenize(target, door, direct))] if direct else []),
        ("/tokenize", _Tokenize(target, door, None)),
        ("usage", _Usage(target, door)),
    ]
    reasons = []
    for how, count in ways:
        try:
            return _scale(count, free=isinstance(count, _Tokenize), conversing=conversing), how
        except (NotCounted, GateproofError) as error:
            reasons.append(f"{how}: {error}")
    return Scale(), f"not measured: {'; '.join(reasons)}"


def _scale(count: Count, *, free: bool, conversing: bool) -> Scale:
    """``free`` questions may be many: they generate nothing."""
    counts: list[int] = []

    def counted(prompt: str) -> int:
        counts.append(count([question(prompt)]))
        return counts[-1]

    scale = measure(counted)
    if counts[-1] <= counts[0]:
        raise NotCounted("the count does not grow with the prompt")
    if free and not scale.exact:
        other = measure_words(counted)
        scale = other if other.exact else scale
    if not conversing:
        return scale
    said = [text(TURN_WORDS, seed=seed, vocabulary=scale.vocabulary) for seed in range(3)]
    whole = count([question(said[0]), answer(said[1]), question(said[2])])
    return replace(scale, per_turn=whole - scale.fixed - scale.per_word * 3 * TURN_WORDS)


@dataclass(frozen=True, slots=True)
class _Tokenize:
    target: Target
    door: Door
    at: str | None

    def __call__(self, messages: Messages) -> int:
        told = {"messages": list(messages)} if self.door.api in CONVERSES else {"prompt": messages[0]["content"]}
        content = json.dumps({"model": self.door.model, **told}).encode()
        # the engine behind the gateway is no place for the gateway's keys
        headers = {"Content-Type": "application/json", **(self.door.headers if self.at is None else {})}
        reply = ask(self.target, "POST", self._path(), headers, content, at=self.at)
        if reply.status != OK:
            raise NotCounted(f"answers {reply.status}")
        try:
            count = json.loads(reply.body)["count"]
        except (ValueError, KeyError, TypeError):
            raise NotCounted("tells no count") from None
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise NotCounted("tells no count")
        return count

    def _path(self) -> str:
        """At the root: vLLM has it beside ``/v1``, not below."""
        base = self.target.root_url if self.at is None else self.at.rstrip("/").removesuffix(PREFIX)
        return urlsplit(base).path.rstrip("/") + "/tokenize"


@dataclass(frozen=True, slots=True)
class _Usage:
    target: Target
    door: Door

    def __call__(self, messages: Messages) -> int:
        unary = replace(self.door, stream=False)
        body = {"model": unary.model, **BODIES[unary.api](unary, messages, ANSWER_TOKENS)}
        headers = {"Content-Type": "application/json", **unary.headers}
        reply = ask(self.target, "POST", unary.path, headers, json.dumps(body).encode())
        if reply.status != OK:
            raise NotCounted(f"answers {reply.status}")
        try:
            usage = WHOLE.decode(reply.body).usage
        except msgspec.DecodeError:
            usage = None
        if usage is None or usage.prompt is None:
            raise NotCounted("tells no usage")
        return usage.prompt
