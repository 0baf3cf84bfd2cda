"""What a unary chat completion must look like and say. Pure, over parsed JSON of which nothing is taken for granted."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeGuard

from gateproof.limits.finding import Finding

OBJECT = "chat.completion"
FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
USAGE = ("prompt_tokens", "completion_tokens", "total_tokens")
REASONING = ("reasoning_content", "reasoning")

# `gpt-4o-2024-08-06`, `mistral-large-2407`, `claude-3-opus-20240229`: dates behind the name.
_DATED = re.compile(r"[-@:](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4})")
_THOUGHT = re.compile(
    r"</?(?:think|thinking|thought|reasoning|reflection|seed:think)>|\[/?THINK\]|<\|channel\|>|◁/?think▷", re.IGNORECASE
)
_LENGTH = re.compile(r"context|length|token|too (?:long|large|many)", re.IGNORECASE)
_SHOWN = 120  # characters of a value that is quoted


def reply_flaws(reply: object) -> list[str]:
    """What keeps a parsed body from being a chat completion, its choices apart."""
    if not isinstance(reply, dict):
        return [f"no object: {_short(reply)}"]
    wrong = {
        "id": not _is_text(reply.get("id")),
        "object": reply.get("object") != OBJECT,
        "created": not is_count(reply.get("created")),
        "model": not _is_text(reply.get("model")),
        "choices": not (isinstance(reply.get("choices"), list) and reply["choices"]),
    }
    return _told(reply, wrong)


def choice_flaws(reply: Mapping[str, Any]) -> list[str]:
    """What is wrong with the choices of a reply; each flaw names the choice."""
    return [f"choices[{index}]: {flaw}" for index, choice in _choices(reply) for flaw in _flaws_of_choice(choice)]


def _flaws_of_choice(choice: object) -> list[str]:
    if not isinstance(choice, dict):
        return [f"no object: {_short(choice)}"]
    message = choice.get("message")
    if not isinstance(message, dict):
        return [f"message is {_short(message)}"]
    outer = {
        "index": not is_count(choice.get("index")),
        "finish_reason": choice.get("finish_reason") not in FINISH_REASONS,
    }
    inner = {
        "role": message.get("role") != "assistant",
        "content": "content" not in message or not isinstance(message["content"], str | None),
    }
    return [*_told(choice, outer), *(f"message.{flaw}" for flaw in _told(message, inner))]


def usage_flaws(usage: object) -> list[str]:
    """What keeps a usage from being three counts; a boolean is no count."""
    if not isinstance(usage, dict):
        return [f"usage is {_short(usage)}"]
    return _told(usage, {name: not is_count(usage.get(name)) for name in USAGE})


def detail_flaws(usage: Mapping[str, Any]) -> list[str]:
    """Details that exceed what they are details of; those that are not told are fine."""
    bounds = (
        ("prompt_tokens_details", "cached_tokens", "prompt_tokens"),
        ("completion_tokens_details", "reasoning_tokens", "completion_tokens"),
    )
    flaws = []
    for group, name, whole in bounds:
        part = details.get(name) if isinstance(details := usage.get(group), dict) else None
        if part is not None and not (is_count(part) and is_number(usage.get(whole)) and part <= usage[whole]):
            flaws.append(f"{group}.{name} is {_short(part)} of {whole} {_short(usage.get(whole))}")
    return flaws


def ends_at_limit(reply: Mapping[str, Any], limit: int) -> Finding:
    """The model had more to say and was stopped by the limit on its tokens."""
    expected = f"at most {limit} completion tokens and finish_reason 'length'"
    used, reason = count_of(reply, "completion_tokens"), finish_reason(reply)
    seen = f"{used} completion tokens and finish_reason {reason!r}"
    holds = used is not None and used <= limit and reason == "length"
    return Finding.yes(expected, seen) if holds else Finding.no(expected, seen)


def names_model(said: object, asked: str, stands_for: Iterable[str] = ()) -> bool:
    """Whether a reply's model is the one asked for, one that it stands for, or a dated snapshot of either."""
    names = [asked, *stands_for]
    return isinstance(said, str) and any(
        said == name or (said.startswith(name) and _DATED.fullmatch(said[len(name) :])) for name in names
    )


def thoughts_in(text: str) -> list[str]:
    """Marks of reasoning that were left in the text."""
    return _THOUGHT.findall(text)


def names_length(body: object) -> bool:
    """Whether an error says that the prompt is too long, in its code or in its message."""
    error = body.get("error") if isinstance(body, dict) else None
    texts = [error.get("code"), error.get("message")] if isinstance(error, dict) else [error]
    return any(isinstance(text, str) and _LENGTH.search(text) for text in texts)


def stops_before(whole: str, stop: str, text: str, reason: object) -> Finding:
    """What comes with a stop string, beside what came without one: the same text up to the first stop string."""
    before = whole[: whole.index(stop)]
    expected = f"{before!r} and finish_reason 'stop', for stop {stop!r}"
    seen = f"{text!r} and finish_reason {reason!r}"
    if stop in text:
        return Finding.no(expected, seen)
    if not whole.startswith(text):
        return Finding.undecided(expected, f"{seen}: the model does not say the same twice")
    return Finding.yes(expected, seen) if (text, reason) == (before, "stop") else Finding.no(expected, seen)


def stop_within(text: str) -> str | None:
    """A few characters from the middle of a text that can serve as its stop string.

    A word for choice; of a text without words (a model with random weights says such) a character.
    """
    words = [word[0] for word in re.finditer(r"[0-9A-Za-z]{3,}", text) if word.start() > 0]
    found = words or [char for char in dict.fromkeys(re.findall(r"[!-~]", text)) if text.index(char) > 0]
    return found[len(found) // 2] if found else None


def tokens_in(reply: Mapping[str, Any]) -> list[Any]:
    """The entries of `logprobs.content` of all choices, empty when there are none."""
    entries: list[Any] = []
    for _, choice in _choices(reply):
        logprobs = choice.get("logprobs") if isinstance(choice, dict) else None
        content = logprobs.get("content") if isinstance(logprobs, dict) else None
        entries += content if isinstance(content, list) else []
    return entries


def token_flaws(entry: object) -> list[str]:
    """What keeps an entry of `logprobs.content` from being one."""
    if not isinstance(entry, dict):
        return [f"no object: {_short(entry)}"]
    wrong = {
        "token": not isinstance(entry.get("token"), str),
        "logprob": not is_number(entry.get("logprob")),
        "bytes": "bytes" not in entry or not (entry["bytes"] is None or _is_bytes(entry["bytes"])),
        "top_logprobs": not isinstance(entry.get("top_logprobs"), list),
    }
    return _told(entry, wrong)


def log_probabilities(entries: Iterable[Any]) -> list[Any]:
    """Every log probability, of tokens and of their alternatives."""
    each = [one for entry in entries for one in (entry, *alternatives(entry))]
    return [one.get("logprob") for one in each if isinstance(one, dict)]


def is_log_probability(value: object) -> bool:
    return is_number(value) and value <= 0


def alternatives(entry: object) -> list[Any]:
    found = entry.get("top_logprobs") if isinstance(entry, dict) else None
    return found if isinstance(found, list) else []


def joined_bytes(entries: Iterable[Any]) -> bytes:
    """The bytes of all tokens; of one that tells none, those of its text."""
    return b"".join(_bytes_of(entry) for entry in entries if isinstance(entry, dict))


def _bytes_of(entry: Mapping[str, Any]) -> bytes:
    told: Any = entry.get("bytes")
    return bytes(told) if _is_bytes(told) else str(entry.get("token")).encode("utf-8", "surrogatepass")


def text_of(reply: Mapping[str, Any], index: int = 0) -> str:
    """The content of one choice, empty when it has none."""
    return text_in(message_of(reply, index))


def text_in(message: Mapping[str, Any]) -> str:
    """The content of a message or delta."""
    content = message.get("content")
    return content if isinstance(content, str) else ""


def reasoning_in(message: Mapping[str, Any]) -> str:
    """The thoughts of a message or delta, in any of the fields that have become usual."""
    found = (message.get(name) for name in REASONING)
    return "".join(each for each in found if isinstance(each, str))


def message_of(reply: Mapping[str, Any], index: int = 0) -> Mapping[str, Any]:
    message = next((c.get("message") for i, c in _choices(reply) if i == index and isinstance(c, dict)), None)
    return message if isinstance(message, dict) else {}


def finish_reason(reply: Mapping[str, Any]) -> Any:
    return next((choice.get("finish_reason") for _, choice in _choices(reply) if isinstance(choice, dict)), None)


def indexes(reply: Mapping[str, Any]) -> list[Any]:
    return [choice.get("index") for _, choice in _choices(reply) if isinstance(choice, dict)]


def count_of(reply: Mapping[str, Any], name: str) -> int | None:
    """One number of the usage; None when it is not told or no count."""
    usage = reply.get("usage")
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if is_count(value) else None


def is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _choices(reply: Mapping[str, Any]) -> Iterator[tuple[int, Any]]:
    found = reply.get("choices")
    return enumerate(found if isinstance(found, list) else [])


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_bytes(value: object) -> bool:
    return isinstance(value, list) and all(is_count(each) and each < 256 for each in value)


def _told(holder: Mapping[str, Any], wrong: Mapping[str, bool]) -> list[str]:
    return [f"{name} is {_short(holder.get(name))}" for name, bad in wrong.items() if bad]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
