"""What the OpenAI API asks of a request, as 400s that name the parameter (openai-openapi 2.3.0)."""

from __future__ import annotations

import base64
import math
from typing import Any

from gateproof.stack.engine import tokens
from gateproof.stack.engine.script import text_of
from gateproof.stack.engine.wire import Refused
from gateproof.stack.faults import worn

CONTEXT = 8192  # tokens of prompt and answer together
MAX_CHOICES = 128
MAX_TOP_LOGPROBS = 20
MAX_STOPS = 4
IMAGE_TOKENS = 85  # OpenAI's price of an image in low detail
SEEING_MODELS = ("chat-a",)
ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})

# The lowest and the highest value of each parameter.
RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}
INTEGERS: dict[str, tuple[int, float]] = {
    "n": (1, MAX_CHOICES),
    "max_tokens": (1, math.inf),
    "max_completion_tokens": (1, math.inf),
    "min_tokens": (0, math.inf),  # this and `ignore_eos` are vLLM's own
    "top_logprobs": (0, MAX_TOP_LOGPROBS),
    "best_of": (1, MAX_CHOICES),
    "seed": (-(2**63), 2**63),
}
KINDS: dict[str, type | tuple[type, ...]] = {
    "stream": bool,
    "user": str,
    "metadata": dict,
    "logit_bias": dict,
    "tools": list,
    "stream_options": dict,
    "response_format": dict,
    "parallel_tool_calls": bool,
    "echo": bool,
    "ignore_eos": bool,
    "dimensions": int,
    "encoding_format": str,
}


def refuse(name: str, problem: str, code: str | None = None) -> Refused:
    return Refused(400, f"`{name}`: {problem}", code=code, param=name)


def common(body: dict[str, Any]) -> None:
    """Types and ranges of all parameters that several APIs share."""
    for name, (low, high) in RANGES.items():
        check_number(body, name, low, high, whole=False)
    for name, (least, most) in INTEGERS.items():
        check_number(body, name, least, most, whole=True)
    for name, kind in KINDS.items():
        value = body.get(name)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise refuse(name, f"{value!r} has the wrong type")
    check_stop(body.get("stop"))
    if body.get("stream_options") is not None and not body.get("stream"):
        raise refuse("stream_options", "only allowed with `stream`")


def check_number(body: dict[str, Any], name: str, low: float, high: float, *, whole: bool) -> None:
    value = body.get(name)
    if value is None:
        return
    kinds = (int,) if whole else (int, float)
    if not isinstance(value, kinds) or isinstance(value, bool):
        if isinstance(value, str) and worn("words_crash_the_engine"):
            raise Refused(500, "'<' not supported between instances of 'str' and 'int'")
        raise refuse(name, f"{value!r} is no {'integer' if whole else 'number'}")
    if name == "temperature" and value > high and worn("temperature_clamped"):
        return
    if not low <= value <= high:
        raise refuse(name, f"{value!r} is outside {low:g} to {high:g}")


def check_stop(stop: Any) -> None:
    if stop is None or isinstance(stop, str):
        return
    if isinstance(stop, list) and worn("stop_lists_crash"):
        raise TypeError("unhashable type: 'list'")
    if not isinstance(stop, list) or not all(isinstance(each, str) for each in stop):
        raise refuse("stop", "neither a string nor an array of strings")
    if len(stop) > MAX_STOPS:
        raise refuse("stop", f"{len(stop)} sequences, at most {MAX_STOPS} are allowed")


def required(body: dict[str, Any], name: str) -> Any:
    if body.get(name) is None:
        raise refuse(name, "this parameter is required")
    return body[name]


def model_of(body: dict[str, Any]) -> str:
    model = required(body, "model")
    if not isinstance(model, str) or not model:
        raise refuse("model", f"{model!r} is no model name")
    return model


def chat(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages of a chat request that is in order."""
    model = model_of(body)
    if model.startswith("embed"):
        raise Refused(400, f"The model `{model}` does not support chat.", code="model_not_supported", param="model")
    messages = required(body, "messages")
    if not isinstance(messages, list):
        raise refuse("messages", f"{messages!r} is no array")
    if not messages:
        if worn("empty_messages_crash"):
            raise IndexError("list index out of range")
        raise refuse("messages", "at least one message is needed")
    for index, message in enumerate(messages):
        check_message(f"messages[{index}]", message, sees=model in SEEING_MODELS)
    common(body)
    if body.get("top_logprobs") is not None and not body.get("logprobs") and not worn("top_logprobs_alone_ignored"):
        raise refuse("top_logprobs", "only allowed with `logprobs`")
    if body.get("metadata") is not None and worn("metadata_refused"):
        raise refuse("metadata", "this parameter is not supported")
    if body.get("logprobs") is not None and not isinstance(body["logprobs"], bool):
        raise refuse("logprobs", f"{body['logprobs']!r} is no boolean")
    return messages


def check_message(where: str, message: Any, *, sees: bool) -> None:
    if not isinstance(message, dict):
        raise refuse(where, "no object")
    if message.get("role") not in ROLES:
        raise refuse(f"{where}.role", f"{message.get('role')!r} is no role")
    if message["role"] == "system" and worn("system_role_refused"):
        raise refuse(f"{where}.role", "System role not supported")
    content = message.get("content")
    if content is None and message["role"] not in ("assistant", "function"):
        raise refuse(f"{where}.content", "this parameter is required")
    if content is not None and not isinstance(content, str | list):
        raise refuse(f"{where}.content", "neither text nor parts")
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise refuse(f"{where}.content", "a part is an object with a `type`")
        if part["type"] == "image_url" and sees:
            check_image(where, part)
        elif part["type"] != "text":
            raise refuse(f"{where}.content", f"parts of type {part['type']!r} are not supported by this model")


def check_image(where: str, part: dict[str, Any]) -> None:
    """An image comes along as a data URL: this engine fetches nothing."""
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else None
    head, _, data = url.partition(",") if isinstance(url, str) else ("", "", "")
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        raise refuse(f"{where}.content", "an image is given as a data URL")
    try:
        base64.b64decode(data, validate=True)
    except ValueError:
        raise refuse(f"{where}.content", "the image is not base64") from None


def prompt_tokens(messages: list[dict[str, Any]]) -> int:
    return sum(content_tokens(message.get("content")) + tokens.PER_MESSAGE for message in messages)


def content_tokens(content: Any) -> int:
    parts = content if isinstance(content, list) else []
    images = [part for part in parts if isinstance(part, dict) and part.get("type") == "image_url"]
    return tokens.count(text_of(content)) + len(images) * IMAGE_TOKENS


def fits(prompt: int) -> None:
    if prompt > CONTEXT and not worn("prompt_truncated"):
        raise Refused(
            400,
            f"This model's maximum context length is {CONTEXT} tokens. Your messages resulted in {prompt} tokens.",
            code="context_length_exceeded",
            param="messages",
        )
