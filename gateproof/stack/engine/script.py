"""The orders that a prompt may carry: ``<<gateproof:{JSON}>>``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields
from typing import Any

MARK = "<<gateproof:"

# Where a stream tells its usage.
LAST = "last"  # OpenAI's place: in a chunk of its own, the last one before [DONE]
BEFORE_LAST = "before-last"  # with another chunk, which tells nothing, between it and [DONE]
RUNNING = "running"  # in every chunk, what was used so far
BEFORE_COMMENT = "before-comment"  # with a comment between it and [DONE]
BEFORE_EXTRA = "before-extra-event"  # as the last chunk, with another event after [DONE]

_DECODER = json.JSONDecoder()


@dataclass(slots=True)
class Script:
    """What the engine is told to do with one request; times in seconds."""

    nonce: str = ""
    text: str | None = None
    tokens: int = 8
    gap: float = 0.0
    delay: float = 0.0
    slots: int = 0
    """At most so many requests with this nonce are worked on at once, each for its delay; the others wait. 0: any."""
    ttft: float = 0.0
    split: int = 0
    eol: str = "\n"
    space: bool = True
    comment_every: int = 0
    silent: float = 0.0
    status: int = 0
    body: str | None = None
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)
    usage_at: str = LAST
    coding: str = ""
    """gzip: the answer is compressed, whatever the request accepts."""
    cut_after: int | None = None
    stall_after: int | None = None
    error_after: int | None = None
    error_done: bool = False
    event_bytes: int = 0
    echo: bool = False
    reasoning: str = ""
    spoken: str = ""
    """The prompt without the orders."""
    ordered: bool = False
    """Whether there were any."""


NAMES = frozenset(item.name for item in fields(Script)) - {"spoken", "ordered"}


def parse(text: str, engine: str) -> Script:
    """The orders in a text for the engine of this name; a text without any is no order at all."""
    start = text.find(MARK)
    if start < 0:
        return Script(spoken=text)
    try:
        orders, end = _DECODER.raw_decode(text, start + len(MARK))
    except ValueError:
        return Script(spoken=text)
    if not isinstance(orders, dict):
        return Script(spoken=text)
    by_engine = orders.get("on")
    own = by_engine.get(engine) or {} if isinstance(by_engine, dict) else {}
    known = {name: value for name, value in {**orders, **own}.items() if name in NAMES}
    rest = text[:start].rstrip() + re.sub(r"^>>", "", text[end:])
    return Script(**known, spoken=rest, ordered=True)


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or the text parts of an array."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(p.get("text", "") for p in content if isinstance(p, dict) and isinstance(p.get("text"), str))
    return ""
