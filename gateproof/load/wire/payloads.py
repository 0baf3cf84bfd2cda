"""The part of each API's payloads that a load report needs, as types that a C decoder fills.

What carries a generated token: ``delta`` of a chat chunk in any channel (content, reasoning, tool arguments, refusal,
audio), ``text`` of a completion, the delta events of Responses, the content deltas of Messages. A chunk that only
names the role carries none. Sources: openai/openai-openapi ``CreateChatCompletionStreamResponse``,
``CreateCompletionResponse``, ``ResponseStreamEvent``; https://docs.anthropic.com/en/api/messages-streaming.
"""

from __future__ import annotations

from typing import Any

import msgspec

# `gc=False` below: what comes from JSON has no cycles, and a stream's hundreds of events need not be looked at


class PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class Usage(msgspec.Struct):
    """OpenAI's names, and those of Responses and Messages."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    input_tokens_details: PromptDetails | None = None

    @property
    def prompt(self) -> int | None:
        return self.prompt_tokens if self.prompt_tokens is not None else self.input_tokens

    @property
    def completion(self) -> int | None:
        return self.completion_tokens if self.completion_tokens is not None else self.output_tokens

    @property
    def cached(self) -> int | None:
        details = self.prompt_tokens_details or self.input_tokens_details
        return details.cached_tokens if details else None

    @property
    def adds_up(self) -> bool:
        parts = (self.prompt, self.completion or 0)
        return self.total_tokens is None or parts[0] is None or parts[0] + parts[1] == self.total_tokens


class Delta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[Any] | None = None
    audio: Any = None


class Choice(msgspec.Struct, gc=False):
    """Of a chat chunk, or of a completion, which has ``text`` instead of ``delta``."""

    index: int = 0
    delta: Delta | None = None
    text: str | None = None
    finish_reason: str | None = None

    @property
    def token(self) -> bool:
        delta = self.delta
        if delta is None:
            return bool(self.text)
        return bool(
            delta.content
            or delta.reasoning_content
            or delta.reasoning
            or delta.tool_calls
            or delta.refusal
            or delta.audio
        )


class Chunk(msgspec.Struct, gc=False):
    """One event of a chat or completion stream."""

    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: Any = None

    @property
    def token(self) -> bool:
        choices = self.choices
        if not choices:
            return False
        delta = choices[0].delta
        if delta is not None and delta.content:  # the usual, without a further call
            return True
        return any(choice.token for choice in choices)

    @property
    def visible(self) -> bool:
        """It carries text that a reader sees: not reasoning, not a call."""
        return any(choice.text or (choice.delta and choice.delta.content) for choice in self.choices or ())

    @property
    def finished(self) -> int:
        return sum(choice.finish_reason is not None for choice in self.choices or ())

    @property
    def usages(self) -> tuple[Usage, ...]:
        return () if self.usage is None else (self.usage,)


class Nested(msgspec.Struct):
    """``response`` of a Responses event, ``message`` of a Messages event."""

    usage: Usage | None = None
    status: str | None = None


class MessageDelta(msgspec.Struct):
    stop_reason: str | None = None


class Event(msgspec.Struct, gc=False):
    """One event of a Responses or Messages stream."""

    type: str = ""
    delta: MessageDelta | str | None = None
    response: Nested | None = None
    message: Nested | None = None
    usage: Usage | None = None
    error: Any = None

    @property
    def token(self) -> bool:
        kind = self.type
        return kind == "content_block_delta" or (kind.endswith(".delta") and kind.startswith("response."))

    @property
    def visible(self) -> bool:
        return self.type in {"content_block_delta", "response.output_text.delta"}

    @property
    def finished(self) -> int:
        return int(self.last)

    @property
    def usages(self) -> tuple[Usage, ...]:
        """In the order in which Messages counts up: what was known at the start, then what its end adds."""
        nested = (each.usage for each in (self.message, self.response) if each is not None)
        return tuple(usage for usage in (*nested, self.usage) if usage is not None)

    @property
    def last(self) -> bool:
        return self.type in {"message_stop", "response.completed", "response.incomplete", "response.failed"}


class Whole(msgspec.Struct):
    """A unary answer of any API with JSON."""

    usage: Usage | None = None
    error: Any = None
    choices: list[Any] | None = None


CHUNKS = msgspec.json.Decoder(list[Chunk])
EVENTS = msgspec.json.Decoder(list[Event])
WHOLE = msgspec.json.Decoder(Whole)
TYPED = frozenset({"responses", "messages"})
"""APIs whose events have types and no ``[DONE]``."""
