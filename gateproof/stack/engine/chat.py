"""POST /v1/chat/completions and /v1/completions, unary and streamed."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gateproof.stack.engine import reply, slips, tokens, validate
from gateproof.stack.engine.layout import arranged
from gateproof.stack.engine.obey import answer, obey
from gateproof.stack.engine.reply import Choice
from gateproof.stack.engine.script import Script, parse, text_of
from gateproof.stack.engine.streaming import Item, send
from gateproof.stack.engine.wire import Call, Refused
from gateproof.stack.faults import worn

DEFAULT_COMPLETION_TOKENS = 16  # OpenAI's default of `max_tokens` for text completions


def last_user_text(messages: list[Any]) -> str:
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            return text_of(message.get("content"))
    return ""


async def chat(call: Call, body: dict[str, Any]) -> None:
    listed = body.get("messages")
    script = parse(last_user_text(listed if isinstance(listed, list) else []), call.ledger.name)
    seen = call.note(body, script.nonce)
    messages = validate.chat(body)
    prompt = validate.prompt_tokens(messages)
    validate.fits(prompt)
    made = reply.choices(script, body)
    prompt = prompt if script.nonce else slips.counted(prompt, script.spoken)
    seen.usage = slips.over_limit(reply.usage(prompt, made, script), made, body)
    if await obey(call, script):
        return
    head = head_of(call, body, "chat.completion", "chatcmpl")
    told = {**seen.usage, **reply.details(made), **script.usage}
    if body.get("stream"):
        events = chunks(body, head, made, told, ChatShape(body))
        await slips.prefill(call, script.spoken)
        await send(call, script, arranged(script.usage_at, events, told["prompt_tokens"]))
    else:
        shown = [ChatShape(body).whole(index, each) for index, each in enumerate(made)]
        value = {**head, "choices": shown, "usage": told}
        await answer(call, script, slips.whole(value, body))


async def completions(call: Call, body: dict[str, Any]) -> None:
    given = body.get("prompt")
    prompts = prompts_of(given)
    script = orders(prompts[0] if prompts else "", call.ledger.name)
    seen = call.note(body, script.nonce)
    validate.model_of(body)
    validate.common(body)
    check_completion(body, given)
    if len(prompts) > 1 and worn("prompts_answered_backwards"):
        prompts.reverse()
    made = list(itertools.chain.from_iterable(for_prompt(script, body, text, call.ledger.name) for text in prompts))
    seen.usage = reply.usage(sum(tokens.count(text) for text in prompts), made, script)
    if await obey(call, script):
        return
    head = head_of(call, body, "text_completion", "cmpl")
    if body.get("stream"):
        await send(call, script, chunks(body, head, made, seen.usage, TextShape(body)))
    else:
        if worn("completion_called_chat"):
            head["object"] = "chat.completion"
        shown = [TextShape(body).whole(index, each) for index, each in enumerate(made)]
        await answer(call, script, {**head, "choices": shown, "usage": seen.usage})


def prompts_of(given: Any) -> list[str]:
    """The prompts as texts; token arrays are spelt out."""
    if isinstance(given, str):
        return [given]
    if isinstance(given, list) and given and all(isinstance(each, str) for each in given):
        return list(given)
    if isinstance(given, list) and given and all(isinstance(each, int) for each in given):
        if worn("token_prompt_crashes"):
            raise Refused(500, "sequence item 0: expected str instance, int found")
        return [" ".join(map(str, given))]
    if isinstance(given, list) and given and all(isinstance(each, list) for each in given):
        return [" ".join(map(str, each)) for each in given]
    return []


def check_completion(body: dict[str, Any], given: Any) -> None:
    validate.required(body, "prompt")
    if not prompts_of(given):
        raise validate.refuse("prompt", "neither text, texts nor tokens")
    best = body.get("best_of")
    if best is not None and worn("best_of_ignored"):
        best = None
    if best is not None and best < (body.get("n") or 1):
        raise validate.refuse("best_of", "less than `n`")
    if best is not None and best > 1 and body.get("stream"):
        raise validate.refuse("best_of", "not allowed with `stream`")
    if isinstance(body["model"], str) and body["model"].startswith("embed"):
        raise Refused(400, f"The model `{body['model']}` does not support completions.", param="model")
    validate.fits(sum(tokens.count(text) for text in prompts_of(given)))


def orders(prompt: str, engine: str) -> Script:
    """The orders in a prompt; without any the text is longer than the default limit, so that the limit shows."""
    script = parse(prompt, engine)
    if not script.ordered:
        script.tokens = 2 * DEFAULT_COMPLETION_TOKENS
    return script


def for_prompt(script: Script, body: dict[str, Any], text: str, engine: str) -> list[Choice]:
    """The choices for one prompt of several; the first one's orders hold for all that have none themselves."""
    own = parse(text, engine)
    if not own.ordered:
        own = replace(script, spoken=text)
    unbounded = reply.limit_of(body) is None and worn("no_default_limit_on_tokens")
    made = reply.choices(own, body, None if unbounded else DEFAULT_COMPLETION_TOKENS)
    if body.get("echo") and not worn("echo_ignored"):
        for each in made:
            each.pieces, each.echoed = [text, *each.pieces], 1
    return made


def head_of(call: Call, body: dict[str, Any], kind: str, prefix: str) -> dict[str, Any]:
    return {
        "id": f"{prefix}-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": body["model"],
        "system_fingerprint": f"engine-{call.ledger.name}",
    }


class ChatShape:
    """How choices look in a chat completion."""

    suffix = ".chunk"

    def __init__(self, body: dict[str, Any]) -> None:
        self.logprobs = bool(body.get("logprobs"))
        self.top = body.get("top_logprobs") or 0

    def whole(self, index: int, made: Choice) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": made.text, "refusal": None}
        if made.reasoning:
            message = slips.with_thoughts(message, "".join(made.reasoning))
        if made.tool_calls:
            message |= {"content": None, "tool_calls": made.tool_calls}
        shown = reply.logprobs(made.pieces, self.top) if self.logprobs else None
        return {"index": index, "message": message, "logprobs": shown, "finish_reason": made.finish_reason}

    def part(self, index: int, delta: dict[str, Any], pieces: list[str], finish: str | None) -> dict[str, Any]:
        shown = reply.logprobs(pieces, self.top) if self.logprobs and pieces else None
        return {"index": index, "delta": delta, "logprobs": shown, "finish_reason": finish}

    def first(self, index: int) -> dict[str, Any] | None:
        return self.part(index, {"role": "assistant", "content": ""}, [], None)

    def piece(self, index: int, text: str) -> dict[str, Any]:
        return self.part(index, {"content": text}, [text], None)

    def thoughts(self, index: int, made: Choice) -> Iterator[dict[str, Any]]:
        for text in made.reasoning:
            yield self.part(index, {"reasoning_content": text}, [], None)

    def last(self, index: int, finish: str) -> dict[str, Any]:
        return self.part(index, {}, [], finish)

    def tools(self, index: int, made: Choice) -> Iterator[dict[str, Any]]:
        for number, call in enumerate(made.tool_calls):
            opening = {**call, "index": number, "function": {"name": call["function"]["name"], "arguments": ""}}
            yield self.part(index, {"tool_calls": [opening]}, [], None)
            for piece in tokens.split(call["function"]["arguments"]):
                yield self.part(index, {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}, [], None)


class TextShape:
    """How choices look in a text completion."""

    suffix = ""

    def __init__(self, body: dict[str, Any]) -> None:
        pass

    def whole(self, index: int, made: Choice) -> dict[str, Any]:
        return {"index": index, "text": made.text, "logprobs": None, "finish_reason": made.finish_reason}

    def first(self, _index: int) -> dict[str, Any] | None:
        return None

    def piece(self, index: int, text: str) -> dict[str, Any]:
        return {"index": index, "text": text, "logprobs": None, "finish_reason": None}

    def thoughts(self, _index: int, _made: Choice) -> Iterator[dict[str, Any]]:
        return iter(())

    def last(self, index: int, finish: str) -> dict[str, Any]:
        return {"index": index, "text": "", "logprobs": None, "finish_reason": finish}

    def tools(self, _index: int, _made: Choice) -> Iterator[dict[str, Any]]:
        return iter(())


def chunks(
    body: dict[str, Any], head: dict[str, Any], made: list[Choice], usage: dict[str, Any], shape: ChatShape | TextShape
) -> Iterator[Item]:
    """All events of a stream: roles, the tokens of all choices in turn, the ends, the usage when asked for."""
    wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    base = {**head, "object": head["object"] + shape.suffix, **({"usage": None} if wants_usage else {})}
    if isinstance(shape, TextShape) and worn("completion_chunks_called_chat"):
        base["object"] = "chat.completion.chunk"

    for part, content in parts(made, shape):
        yield Item({**base, "choices": [part]}, content=content)
    if wants_usage:
        yield Item({**base, "choices": [], "usage": slips.streamed(usage, body)})


def parts(made: list[Choice], shape: ChatShape | TextShape) -> Iterator[tuple[dict[str, Any], bool]]:
    """Each choice of each chunk, and whether it brings content."""
    for index in range(len(made)):
        if (first := shape.first(index)) is not None:
            yield first, False
    for part in itertools.chain(*(shape.thoughts(index, each) for index, each in enumerate(made))):
        yield part, True
    for row in itertools.zip_longest(*(each.pieces for each in made)):
        for index, piece in enumerate(row):
            if piece is not None:
                yield shape.piece(index, piece), True
    for part in itertools.chain(*(shape.tools(index, each) for index, each in enumerate(made))):
        yield part, True
    for index, each in enumerate(made):
        yield shape.last(index, each.finish_reason), False
