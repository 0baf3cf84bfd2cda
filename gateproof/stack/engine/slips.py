"""What faults do to a chat completion after the model has spoken: shape, counts, thoughts."""

from __future__ import annotations

from typing import Any

from gateproof.stack.engine.reply import Choice, limit_of
from gateproof.stack.engine.wire import Call
from gateproof.stack.faults import worn

PREFIX_BLOCK = 16  # tokens; model servers cache prompts in blocks of this size
LONG = 2 * PREFIX_BLOCK  # tokens of a prompt whose cached part is worth telling
COARSE = 8  # tokens to which a rough estimate of a prompt is rounded up

_cached: set[str] = set()

LONG_TEXT = 800  # characters of a prompt whose beginning is worth a cache
BEGINNING = 200  # of them, by which it is known again
PREFILL = 0.06  # s that reading the rest takes


def whole(value: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """A unary reply as the client gets it."""
    if len(value["choices"]) > 1:
        value = spoilt_for_several(value)
    return spoilt_usage(spoilt_choices(spoilt_head(value))) if goes_on(body) else value


def goes_on(body: dict[str, Any]) -> bool:
    """Whether this is a conversation that an assistant has been part of, which bugs have to remember."""
    return any(message.get("role") == "assistant" for message in body.get("messages") or [])


def spoilt_for_several(value: dict[str, Any]) -> dict[str, Any]:
    usage, choices = value["usage"], value["choices"]
    if worn("every_index_0"):
        return {**value, "choices": [{**choice, "index": 0} for choice in choices]}
    if worn("first_choice_counted"):
        one = usage["completion_tokens"] // len(choices)
        usage = {**usage, "completion_tokens": one, "total_tokens": usage["prompt_tokens"] + one}
    return {**value, "usage": usage}


def spoilt_head(value: dict[str, Any]) -> dict[str, Any]:
    if worn("object_of_text_completions"):
        return {**value, "object": "text_completion"}
    if worn("one_id_for_all"):
        return {**value, "id": "chatcmpl-0"}
    if worn("created_in_milliseconds"):
        return {**value, "created": value["created"] * 1000}
    if worn("model_is_a_path"):
        return {**value, "model": f"/models/{value['model']}"}
    if worn("fingerprint_is_a_number"):
        return {**value, "system_fingerprint": 7}
    return value


def spoilt_choices(value: dict[str, Any]) -> dict[str, Any]:
    choices = value["choices"]
    if worn("role_is_null"):
        return {**value, "choices": [{**c, "message": {**c["message"], "role": None}} for c in choices]}
    if any(choice["finish_reason"] == "length" for choice in choices) and worn("limit_reached_called_stop"):
        return {**value, "choices": [{**choice, "finish_reason": "stop"} for choice in choices]}
    return value


def spoilt_usage(value: dict[str, Any]) -> dict[str, Any]:
    usage, prompt = value["usage"], value["usage"]["prompt_tokens"]
    if worn("counts_are_floats"):
        usage = {**usage, "prompt_tokens": float(prompt)}
    if worn("total_is_prompt"):
        usage = {**usage, "total_tokens": prompt}
    if worn("cached_beyond_prompt"):
        usage = {**usage, "prompt_tokens_details": {"cached_tokens": prompt + PREFIX_BLOCK}}
    return {**value, "usage": usage}


def over_limit(usage: dict[str, Any], made: list[Choice], body: dict[str, Any]) -> dict[str, Any]:
    """The bill for a reply that its limit has cut."""
    cut = (limit_of(body) or 0) > 1 and any(each.finish_reason == "length" for each in made)
    if not cut or not goes_on(body) or not worn("end_token_counted_on_top"):
        return usage
    more = len(made)
    counts = ("completion_tokens", "total_tokens")
    return {**usage, **{name: usage[name] + more for name in counts}}


def streamed(usage: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """The usage at the end of a stream."""
    if not goes_on(body) or not worn("stream_usage_counts_chunks"):
        return usage
    counts = ("completion_tokens", "total_tokens")
    return {**usage, **{name: usage[name] + 2 for name in counts}}  # the chunks of the role and of the end


def counted(prompt: int, text: str) -> int:
    """How many tokens of a prompt are told."""
    if prompt < LONG:
        return prompt
    if worn("cached_prompt_not_counted"):
        known = text in _cached
        _cached.add(text)
        return prompt % PREFIX_BLOCK if known else prompt
    if worn("prompt_roughly_counted"):
        return -(-prompt // COARSE) * COARSE
    return prompt


def with_thoughts(message: dict[str, Any], thoughts: str) -> dict[str, Any]:
    """A message of a model that thought before it spoke."""
    if worn("thoughts_inside_content"):
        return {**message, "content": f"<think>{thoughts}</think>{message['content']}"}
    return {**message, "reasoning_content": thoughts}


async def prefill(call: Call, text: str) -> None:
    """The time before the first token; a fault takes it for prompts whose beginning nobody has sent before."""
    if len(text) < LONG_TEXT or not worn("prefix_cache_tells"):
        return
    if text[:BEGINNING] not in _cached:
        _cached.add(text[:BEGINNING])
        await call.sleep(PREFILL)
