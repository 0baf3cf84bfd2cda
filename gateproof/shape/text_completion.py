"""What an answer of the text completions API must be. Pure, over parsed JSON."""

from __future__ import annotations

from typing import Any

OBJECT = "text_completion"
REASONS = frozenset({"stop", "length", "content_filter"})


def completion_flaws(body: object) -> list[str]:
    """What keeps a parsed body from being OpenAI's text completion; empty when it is one."""
    if not isinstance(body, dict):
        return [f"no object: {_short(body)}"]
    flaws = [
        f"{name} is {_short(body.get(name))}, not {wanted}"
        for name, wanted, right in (
            ("id", "a text", _is_text(body.get("id"))),
            ("object", repr(OBJECT), body.get("object") == OBJECT),
            ("created", "Unix seconds", _is_count(body.get("created"))),
            ("model", "a name", _is_text(body.get("model"))),
            ("choices", "a non-empty array", isinstance(body.get("choices"), list) and body["choices"] != []),
        )
        if not right
    ]
    choices = body["choices"] if isinstance(body.get("choices"), list) else []
    return flaws + [flaw for position, choice in enumerate(choices) for flaw in _choice_flaws(position, choice)]


def _choice_flaws(position: int, choice: object) -> list[str]:
    if not isinstance(choice, dict):
        return [f"choices[{position}] is {_short(choice)}, not an object"]
    return [
        f"choices[{position}].{name} is {_short(choice.get(name))}, not {wanted}"
        for name, wanted, right in (
            ("text", "a text", isinstance(choice.get("text"), str)),
            ("index", "an index", _is_count(choice.get("index"))),
            ("finish_reason", f"one of {sorted(REASONS)}", str(choice.get("finish_reason")) in REASONS),
        )
        if not right
    ]


def choices_of(body: object) -> list[dict[str, Any]]:
    """The choices of an answer, those that are objects."""
    choices = body.get("choices") if isinstance(body, dict) else None
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def completion_tokens(body: object) -> Any:
    """What usage says was generated; None when it says nothing."""
    usage = body.get("usage") if isinstance(body, dict) else None
    return usage.get("completion_tokens") if isinstance(usage, dict) else None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
