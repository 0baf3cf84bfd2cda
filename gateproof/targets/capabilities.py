"""The vocabulary of capabilities: what a target may declare that it does, one line of meaning each.

The gates in ``conformance/catalogue`` are written in these words; a test holds them to it.
"""

from __future__ import annotations

from typing import Literal, get_args

Api = Literal["chat", "completions", "embeddings", "rerank", "responses", "messages", "speech", "transcriptions"]
APIS: tuple[Api, ...] = get_args(Api)

Support = Literal["supported", "unsupported", "unset"]

CAPABILITIES: dict[str, str] = {
    "api.chat": "POST chat/completions",
    "api.completions": "POST completions",
    "api.embeddings": "POST embeddings",
    "api.rerank": "POST rerank (Jina and Cohere shape)",
    "api.models": "GET models",
    "api.responses": "POST responses",
    "api.messages": "POST messages (Anthropic shape)",
    "api.speech": "POST audio/speech",
    "api.transcriptions": "POST audio/transcriptions (multipart)",
    "f.stream": "server-sent events with `stream: true`",
    "f.tools": "tool calls",
    "f.tools.parallel": "several tool calls in one answer",
    "f.json_object": "`response_format: json_object`",
    "f.json_schema": "`response_format: json_schema`",
    "f.logprobs": "log probabilities of tokens",
    "f.n": "several choices in one answer",
    "f.seed": "the same seed gives the same text",
    "f.stop": "stop sequences",
    "f.vision": "image parts in messages",
    "f.reasoning": "reasoning text in a field of its own",
    "auth.bearer": "keys are asked for, as `Authorization: Bearer`",
    "auth.xapikey": "keys are taken from `x-api-key` as well, at least where messages are served",
    "auth.revocable": "a key can be taken back by us",
    "tenants.2": "two identities are at hand",
    "tenants.mint": "we may make and delete keys",
    "lim.req": "requests per window are limited",
    "lim.parallel": "requests under way at once are limited",
    "lim.headers.rl03": "`X-RateLimit-*` as in draft-polli-ratelimit-headers-03",
    "lim.headers.openai": "`x-ratelimit-{limit,remaining,reset}-{requests,tokens}`",
    "lim.headers.ietf": "`RateLimit` and `RateLimit-Policy` structured fields",
    "lim.retry_after": "a 429 carries `Retry-After`",
    "lim.short_window": "a request window is short enough to be waited out",
    "quota.tokens": "tokens per window are limited",
    "quota.after": "tokens are counted after the answer: the request that crosses the quota is served",
    "quota.reserve": "tokens are reserved before the answer: what cannot fit is refused",
    "quota.per_model": "a token quota holds for each model on its own",
    "quota.short_window": "a token window is short enough to be waited out",
    "quota.budget": "what may be spent in money is limited",
    "quota.read": "what is left of a quota can be read from outside",
    "route.multi": "at least two models with different backends",
    "route.alias": "a model name that stands for another",
    "route.fallback": "a second backend answers when the first fails",
    "route.weighted": "one model shared out over backends by weight",
    "route.identity": "an answer tells which backend gave it",
    "route.affinity": "equal prefixes go to the same backend",
    "up.ctl": "the backend is our controllable engine",
    "health.live": "a liveness path",
    "health.ready": "a readiness path",
    "tls": "the target is reached over TLS",
    "h2": "HTTP/2 is spoken",
    "cors": "browsers may call it",
    "k8s.read": "we may read its Kubernetes objects",
    "k8s.write": "we may create and delete objects of our own there",
    "k8s.chaos": "we may take its backends away for a while: scale to zero, or shut engines of our own",
    "obs.metrics": "Prometheus metrics are reachable",
    "load": "it may be put under load",
}
