"""What a streamed chat, completion or other OpenAI-shaped reply says: pure views over the events of an exchange."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from gateproof.wire.exchange import Exchange
from gateproof.wire.sse import Comment, Event, Reader, Violation

DONE = "[DONE]"


class Payload(NamedTuple):
    """An event and the JSON object in it."""

    event: Event
    data: dict[str, Any]


class ChatStream:
    """All that a stream delivered, judged by nobody yet: every property is a plain fact."""

    def __init__(self, reader: Reader, exchange: Exchange | None = None) -> None:
        self.reader, self.exchange = reader, exchange

    @classmethod
    def of(cls, exchange: Exchange) -> ChatStream:
        """Read the body, as far as it came; raises NoAnswer when there is none."""
        reader = Reader()
        for at, data in exchange.decoded_chunks:
            reader.feed(data, at)
        reader.close()
        return cls(reader, exchange)

    def __repr__(self) -> str:
        return f"{len(self.events)} events of {self.exchange!r}"

    @property
    def events(self) -> list[Event]:
        return self.reader.events

    @property
    def comments(self) -> list[Comment]:
        return self.reader.comments

    @property
    def violations(self) -> list[Violation]:
        return self.reader.violations

    @functools.cached_property
    def payloads(self) -> list[Payload]:
        """Events that hold a JSON object, in order; neither ``[DONE]`` nor malformed ones."""
        return [Payload(event, data) for event, data in self._parsed if data is not None]

    @functools.cached_property
    def malformed(self) -> list[Event]:
        """Events whose data is neither ``[DONE]`` nor one JSON object."""
        return [event for event, data in self._parsed if data is None]

    @property
    def done_positions(self) -> list[int]:
        """Indexes of the events that are ``[DONE]``."""
        return [event.index for event in self.events if event.data == DONE]

    def text(self, choice: int = 0) -> str:
        """The content of a choice, joined."""
        return "".join(_content(part) for _, part in self.choices(choice))

    def choices(self, choice: int | None = None) -> list[tuple[Event, dict[str, Any]]]:
        """Every choice object of one index (or of all) with the event that brought it."""
        return [(event, part) for event, part in self._choices if choice is None or part.get("index", 0) == choice]

    @property
    def role(self) -> str | None:
        """The first role that any choice names."""
        roles = (_delta(part).get("role") for _, part in self._choices)
        return next((role for role in roles if isinstance(role, str)), None)

    @property
    def finish_reasons(self) -> dict[int, list[str]]:
        """By choice index: every finish reason that was not null, in order. One each is right."""
        reasons: dict[int, list[str]] = {}
        for _, part in self._choices:
            seen = reasons.setdefault(part.get("index", 0), [])
            if part.get("finish_reason") is not None:
                seen.append(part["finish_reason"])
        return reasons

    @property
    def usages(self) -> list[Payload]:
        """Payloads with a usage that is not null."""
        return [payload for payload in self.payloads if payload.data.get("usage") is not None]

    @property
    def usage(self) -> dict[str, Any] | None:
        """The last usage."""
        return self.usages[-1].data["usage"] if self.usages else None

    @property
    def error(self) -> Any:
        """The first ``error`` that is not null, or None."""
        errors = (payload.data.get("error") for payload in self.payloads)
        return next((error for error in errors if error is not None), None)

    @functools.cached_property
    def content_events(self) -> list[Event]:
        """Events that bring content of any choice."""
        brought = {event.index for event, part in self._choices if _content(part)}
        return [event for event in self.events if event.index in brought]

    @property
    def spread(self) -> float:
        """Seconds from the first content to the last."""
        arrivals = self._arrivals
        return arrivals[-1] - arrivals[0] if arrivals else 0.0

    @property
    def gaps(self) -> list[float]:
        """Seconds between one content event and the next."""
        arrivals = self._arrivals
        return [later - earlier for earlier, later in itertools.pairwise(arrivals)]

    def largest_burst(self, within: float) -> int:
        """Most content events that arrived in any stretch of so many seconds."""
        arrivals, first, most = self._arrivals, 0, 0
        for last, at in enumerate(arrivals):
            while at - arrivals[first] > within:
                first += 1
            most = max(most, last - first + 1)
        return most

    @property
    def _arrivals(self) -> list[float]:
        return [event.at for event in self.content_events]

    @functools.cached_property
    def _parsed(self) -> list[tuple[Event, dict[str, Any] | None]]:
        return [(event, _object(event.data)) for event in self.events if event.data != DONE]

    @functools.cached_property
    def _choices(self) -> list[tuple[Event, dict[str, Any]]]:
        return list(_each_choice(self.payloads))


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _each_choice(payloads: list[Payload]) -> Iterator[tuple[Event, dict[str, Any]]]:
    for event, data in payloads:
        choices = data.get("choices")
        for part in choices if isinstance(choices, list) else []:
            if isinstance(part, dict):
                yield event, part


def _delta(part: dict[str, Any]) -> dict[str, Any]:
    delta = part.get("delta")
    return delta if isinstance(delta, dict) else {}


def _content(part: dict[str, Any]) -> str:
    """Content of a chat chunk, or text of a completion chunk."""
    content = _delta(part).get("content", part.get("text"))
    return content if isinstance(content, str) else ""
