"""What a dialect is: plain data about how one kind of stack speaks.

A dialect never weakens a check. Where a stack differs from the catalogue, its facts say so here for the reader of a
report, and the check still fails, as an expectation of that stack.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal


def openai_paths(prefix: str = "/v1", **own: str) -> Mapping[str, str]:
    """The path of each API as OpenAI has it, behind a prefix; ``own`` are whole paths of this stack."""
    paths = {
        "chat": "/chat/completions",
        "completions": "/completions",
        "embeddings": "/embeddings",
        "rerank": "/rerank",
        "models": "/models",
        "responses": "/responses",
        "messages": "/messages",
        "speech": "/audio/speech",
        "transcriptions": "/audio/transcriptions",
    }
    return MappingProxyType({api: prefix + path for api, path in paths.items()} | own)


class Envelope(enum.StrEnum):
    """The shape of the errors that the stack itself makes (those of its upstream may differ)."""

    OPENAI = "openai"  # {"error": {"message", "type", "param", "code": string or null}}
    OPENAI_INT_CODE = "openai-int-code"  # the same with the status as an integer code
    FLAT_STRING = "flat-string"  # {"error": "text", ...}
    STATUS_MESSAGE = "status-message"  # {"status": "failure", "message": "..."}
    MIXED = "mixed"  # several of these, plain text and empty bodies, by the part that refuses


class RetryAfter(enum.StrEnum):
    """What a 429 of the stack says about coming back."""

    UNKNOWN = "unknown"
    NEVER = "never"  # no such header
    REMAINING = "remaining"  # the seconds until the window ends
    FULL_WINDOW = "full-window"  # always the length of the window
    CONSTANT = "constant"  # one number, whatever is left


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of stack speaks. Every path is whole: it begins at the root of ``base_url``."""

    name: str
    title: str
    prefix: str = "/v1"
    """What clients write behind the host as their SDK's base URL; ``base_url`` of a target may end with it."""
    paths: Mapping[str, str] = field(default_factory=openai_paths)
    """By API, and ``models``."""

    auth_header: str | None = "authorization"
    auth_scheme: str = "Bearer"
    key_headers: tuple[str, ...] = ()
    """Further headers that are taken as the key."""
    required_headers: tuple[str, ...] = ()
    """What every request must carry beside the key; their values stand in the target."""

    live: str | None = None
    ready: str | None = None
    metrics: tuple[str, ...] = ()
    metric_names: Mapping[str, str] = field(default_factory=dict)
    """The stack's metric for each of our words: requests, failures, latency, ttft, tokens_in, tokens_out, ..."""

    envelope: Envelope = Envelope.OPENAI
    statuses: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """What the stack is known to answer where that is not the catalogue's status. For people, not for checks."""

    request_limit_headers: tuple[str, ...] = ()
    token_limit_headers: tuple[str, ...] = ()
    retry_after: RetryAfter = RetryAfter.UNKNOWN
    window: float | None = None
    """s; the window that limits have when nothing else is said."""
    window_algorithm: Literal["fixed", "sliding", "bucket", "unknown"] = "unknown"
    window_aligned: bool | None = None
    quota_mode: Literal["after", "reserve", "unknown"] = "unknown"

    request_id: str | None = None
    version_header: str | None = None
    backend_header: str | None = None
    """A response header that tells which backend answered."""
    private_headers: tuple[str, ...] = ()
    """Lower-case prefixes of headers that are the stack's own business, inwards and outwards."""

    cache_fields: Mapping[str, object] = field(default_factory=dict)
    """Fields of a request's body by which a client asks for a cached reply."""

    mint: str | None = None
    """The adapter of ``gateproof.tenants`` that makes keys on such a stack."""
    capabilities: frozenset[str] = frozenset()
    """What the stack promises whoever runs it; what depends on the deployment stands in the target."""
    notes: tuple[str, ...] = ()
    """Facts for people who read a report of such a stack."""

    @property
    def models_path(self) -> str:
        return self.paths["models"]

    def path(self, api: str) -> str:
        return self.paths[api]
