"""How each kind of stack speaks. One module per stack, data first."""

from __future__ import annotations

from gateproof.errors import ConfigError, near_miss
from gateproof.targets.dialects.base import Dialect, Envelope, RetryAfter
from gateproof.targets.dialects.litellm import LITELLM
from gateproof.targets.dialects.llm_proxy import LLM_PROXY
from gateproof.targets.dialects.messages import message_of
from gateproof.targets.dialects.openai import OPENAI
from gateproof.targets.dialects.portkey import PORTKEY_2, PORTKEY_ENTERPRISE, PORTKEY_OSS
from gateproof.targets.dialects.tokenlabs import TOKENLABS
from gateproof.targets.dialects.tokenvisor import TOKENVISOR
from gateproof.targets.dialects.vllm import VLLM

DIALECTS: dict[str, Dialect] = {
    each.name: each
    for each in (
        OPENAI,
        VLLM,
        LITELLM,
        PORTKEY_OSS,
        PORTKEY_2,
        PORTKEY_ENTERPRISE,
        LLM_PROXY,
        TOKENLABS,
        TOKENVISOR,
    )
}


def dialect(name: str) -> Dialect:
    """The dialect of that name; ConfigError with the near miss otherwise."""
    if name not in DIALECTS:
        raise ConfigError(f"unknown dialect `{name}`{near_miss(name, DIALECTS)}", accepted=DIALECTS)
    return DIALECTS[name]


__all__ = ["DIALECTS", "Dialect", "Envelope", "RetryAfter", "dialect", "message_of"]
