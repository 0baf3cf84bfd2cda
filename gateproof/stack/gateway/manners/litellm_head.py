"""The header fields of LiteLLM's answers, as its transcripts have them."""

from __future__ import annotations

import hashlib
import os
import time
import uuid

from gateproof.stack.gateway.answer import Answer
from gateproof.stack.gateway.call import Call
from gateproof.stack.gateway.catalogue import Destination
from gateproof.stack.gateway.headers import Pairs

VERSION = b"1.106.2"
WINDOW = 60.0  # s; LITELLM_RATE_LIMIT_WINDOW_SIZE when nobody sets it
EVENT_STREAM = b"text/event-stream"

_GUARDS: Pairs = [
    (b"vary", b"Origin"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
]
_FREE: Pairs = [
    (b"x-litellm-response-cost-" + part, b"0.0")
    for part in (
        b"original",
        b"discount-amount",
        b"margin-amount",
        b"margin-percent",
        b"input",
        b"output",
        b"tool-usage",
    )
]
_FRAMING = frozenset({b"content-type", b"content-length"})


def head(answer: Answer, status: int, headers: Pairs) -> Pairs:
    """A call that came past the key has an id; one that was served tells by which deployment, at what cost."""
    if answer.call is None:
        return [*headers, *_GUARDS]
    own: Pairs = [(b"x-litellm-call-id", str(uuid.UUID(bytes=os.urandom(16), version=4)).encode())]
    if answer.destination is None or status >= 400:
        own += [(b"x-litellm-response-cost", b"0"), *key_fields(answer.call)]
        return [*provider_fields(answer), *headers, *own, *_GUARDS]
    own += [*deployment_fields(answer.destination), *_FREE, *key_fields(answer.call), *timing(answer)]
    own += [*provider_fields(answer), *group_fields(answer), *limit_fields(answer.call)]
    return [*framing(headers), *own, *_GUARDS]


def framing(headers: Pairs) -> Pairs:
    """Of what the engine said only the framing; a stream gets LiteLLM's."""
    kept = [(name, value) for name, value in headers if name in _FRAMING]
    if not any(value.startswith(EVENT_STREAM) for name, value in kept if name == b"content-type"):
        return kept
    kind = (b"content-type", b"text/event-stream; charset=utf-8")
    return [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"), kind]


def deployment_fields(destination: Destination) -> Pairs:
    """The address of the backend is told to everybody."""
    base = f"http://{destination.origin.authority.decode()}/v1"
    return [
        (b"x-litellm-model-id", hashlib.sha256(f"{base} {destination.model}".encode()).hexdigest().encode()),
        (b"x-litellm-model-name", b"hosted_vllm/" + header_text(destination.model)),
        (b"x-litellm-model-api-base", base.encode()),
        (b"x-litellm-version", VERSION),
    ]


def key_fields(call: Call) -> Pairs:
    rights = call.tenant.rights
    limits = [(b"tpm", rights.tokens), (b"rpm", rights.requests)]
    told = [(b"x-litellm-key-%s-limit" % unit, b"%d" % each[0].limit) for unit, each in limits if each]
    purse = call.tenant.meter.purse
    if purse is None:
        return [*told, (b"x-litellm-key-spend", b"0.0")]
    most = (b"x-litellm-key-max-budget", b"%r" % purse.budget.limit)
    return [*told, most, (b"x-litellm-key-spend", b"%r" % round(purse.spent(time.monotonic()), 6))]


def timing(answer: Answer) -> Pairs:
    took = (time.monotonic() - answer.began) * 1000
    return [(b"x-litellm-response-duration-ms", b"%f" % took), (b"x-litellm-callback-duration-ms", b"0.0")]


def provider_fields(answer: Answer) -> Pairs:
    """Every field of the engine's head, under another name."""
    return [(b"llm_provider-" + name, value) for name, value in answer.upstream]


def group_fields(answer: Answer) -> Pairs:
    return [
        (b"x-litellm-model-group", header_text(answer.model)),
        (b"x-litellm-attempted-retries", b"0"),
        (b"x-litellm-attempted-fallbacks", b"%d" % max(0, answer.attempts - 1)),
    ]


def limit_fields(call: Call) -> Pairs:
    """parallel_request_limiter_v3: the limits of the key, none of the window's end."""
    now = time.monotonic()
    meter = call.tenant.meter
    told: Pairs = []
    for unit, counters in ((b"requests", meter.requests(call.model)), (b"tokens", meter.tokens(call.model))):
        for counter in counters[:1]:
            told.append((b"x-ratelimit-api_key-remaining-" + unit, b"%d" % counter.remaining(now)))
            told.append((b"x-ratelimit-api_key-limit-" + unit, b"%d" % counter.limit.limit))
    return told


def header_text(text: str) -> bytes:
    """A name as a field value: no line end, nothing beyond Latin-1."""
    return " ".join(text.split()).encode("latin-1", "replace")
