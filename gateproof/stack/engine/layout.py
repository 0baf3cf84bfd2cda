"""Where a stream tells its usage: OpenAI's place, and others at which real engines put it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gateproof.stack.engine.script import BEFORE_LAST, RUNNING
from gateproof.stack.engine.streaming import Item


def arranged(place: str, items: Iterable[Item], prompt: Any) -> Iterator[Item]:
    """The events of a stream with its usage where it is ordered; nothing is added for who did not ask for usage."""
    said = 0
    for item in items:
        said += item.content
        if place == RUNNING and item.data.get("usage", "unasked") is None:
            item.data["usage"] = {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}
        yield item
        if place == BEFORE_LAST and item.data.get("choices") == [] and item.data.get("usage"):
            yield Item({**item.data, "usage": None})
