"""What the engine says: for each choice its tokens, why it ended, and the numbers beside them."""

from __future__ import annotations

import json
import math
import secrets
from dataclasses import dataclass, field
from typing import Any

from gateproof.stack.engine import tokens, validate
from gateproof.stack.engine.script import Script
from gateproof.stack.faults import worn

LIKELY = -0.25  # log probability that a chosen token is given; the alternatives fall off by one each


@dataclass(slots=True)
class Choice:
    """One choice of a reply: its pieces are its tokens, and arrive one by one in a stream."""

    pieces: list[str]
    finish_reason: str
    tool_calls: list[dict[str, Any]]
    echoed: int = 0
    """Pieces at the front that are the prompt, and were not generated."""
    reasoning: list[str] = field(default_factory=list)
    """Tokens of thought, told in a field of their own before the text."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def tokens(self) -> int:
        said = len(self.reasoning) + len(self.pieces) - self.echoed
        return said + sum(tokens.count(call["function"]["arguments"]) for call in self.tool_calls)


def limit_of(body: dict[str, Any], default: int | None = None) -> int | None:
    """The token limit of a request; the newer name wins."""
    given = body.get("max_completion_tokens")
    given = body.get("max_tokens") if given is None else given
    return default if given is None else int(given)


def choices(script: Script, body: dict[str, Any], default_limit: int | None = None) -> list[Choice]:
    if calls := tool_calls(body):
        return [Choice([], "tool_calls", calls) for _ in range(body.get("n") or 1)]
    return [choice(script, body, index, default_limit) for index in range(body.get("n") or 1)]


def choice(script: Script, body: dict[str, Any], index: int, default_limit: int | None) -> Choice:
    limit = limit_of(body, default_limit)
    text = text_for(script, body, index, limit)
    stopped = False
    for stop in stops(body.get("stop")):
        if (position := text.find(stop)) >= 0:
            end = position + len(stop) if worn("stop_kept_in_text") else position
            text, stopped = text[:end], True
    pieces = big_pieces(script) if script.event_bytes else tokens.split(text)
    thoughts = tokens.split(script.reasoning)
    if limit is not None and len(thoughts) + len(pieces) > limit:
        return Choice(pieces[: max(0, limit - len(thoughts))], "length", [], reasoning=thoughts[:limit])
    # A text that fills the limit exactly looks to a model server as if it had been cut there.
    full = limit is not None and len(pieces) == limit and script.text is None and not stopped
    return Choice(pieces, "length" if full else "stop", [], reasoning=thoughts)


def text_for(script: Script, body: dict[str, Any], index: int, limit: int | None) -> str:
    if script.text is not None:
        return script.text
    if script.echo:
        return script.spoken
    if (instance := structured(body.get("response_format"))) is not None:
        return instance
    seed = f"{script.spoken}|{index}" if index else script.spoken
    if body.get("seed") is not None and worn("seed_ignored"):
        seed += secrets.token_hex(4)
    return tokens.made_up(seed, script.tokens if script.ordered else max(script.tokens, least(body, limit)))


def least(body: dict[str, Any], limit: int | None) -> int:
    """Tokens that vLLM's own parameters make of an answer: an end of text that is ignored leaves only the limit."""
    if body.get("ignore_eos") and limit is not None:
        return min(limit, validate.CONTEXT)
    return min(body.get("min_tokens") or 0, validate.CONTEXT)


def big_pieces(script: Script) -> list[str]:
    return [f"{number}".rjust(script.event_bytes, "x") for number in range(script.tokens)]


def stops(stop: Any) -> list[str]:
    given = [stop] if isinstance(stop, str) else stop or []
    return [each for each in given if each]


def usage(prompt: int, made: list[Choice], script: Script) -> dict[str, Any]:
    completion = sum(each.tokens for each in made)
    plain = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {**plain, **script.usage}


def details(made: list[Choice]) -> dict[str, Any]:
    """The finer numbers that OpenAI tells for a chat; this engine caches no prompt."""
    thought = sum(len(each.reasoning) for each in made)
    return {
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def logprobs(pieces: list[str], top: int) -> dict[str, Any]:
    top += 1 if top and worn("alternatives_one_too_many") else 0
    return {"content": [logprob(piece, top) for piece in pieces], "refusal": None}


def logprob(piece: str, top: int) -> dict[str, Any]:
    alternatives = [entry(piece if rank == 0 else f"{piece}{rank}", LIKELY - rank) for rank in range(top)]
    return {**entry(piece, LIKELY), "top_logprobs": alternatives}


def entry(text: str, value: float) -> dict[str, Any]:
    value = math.exp(value) if worn("probabilities_for_logprobs") else value
    if worn("logprobs_without_bytes"):
        return {"token": text, "logprob": value}
    if not text.isascii() and worn("bytes_are_code_points"):
        return {"token": text, "logprob": value, "bytes": [ord(each) % 256 for each in text]}
    return {"token": text, "logprob": value, "bytes": list(text.encode("utf-8", "replace"))}


def tool_calls(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The calls that the request forces; a free choice is to answer in words."""
    functions = [tool.get("function", {}) for tool in body.get("tools") or [] if isinstance(tool, dict)]
    wanted = body.get("tool_choice")
    if isinstance(wanted, dict):
        name = wanted.get("function", {}).get("name")
        functions = [function for function in functions if function.get("name") == name]
    elif wanted != "required":
        return []
    if body.get("parallel_tool_calls") is False or isinstance(wanted, dict):
        functions = functions[:1]
    return [
        {
            "id": f"call_{index:08x}",
            "type": "function",
            "function": {
                "name": function.get("name", ""),
                "arguments": json.dumps(instance_of(function.get("parameters") or {})),
            },
        }
        for index, function in enumerate(functions)
    ]


def structured(wanted: Any) -> str | None:
    """The smallest text that a response format admits; None when any text will do."""
    if not isinstance(wanted, dict):
        return None
    if wanted.get("type") == "json_object":
        return '{"ok": true}'
    if wanted.get("type") == "json_schema":
        return json.dumps(instance_of((wanted.get("json_schema") or {}).get("schema") or {}))
    return None


def instance_of(schema: dict[str, Any]) -> Any:
    """A value that the schema admits, for the plain schemas that checks use."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        return {name: instance_of(each) for name, each in (schema.get("properties") or {}).items()}
    if kind == "array":
        return [instance_of(schema.get("items") or {}) for _ in range(schema.get("minItems", 1))]
    plain: dict[str, Any] = {"string": "x", "boolean": True, "null": None}
    return plain[kind] if kind in plain else math.ceil(schema.get("minimum", 1))
