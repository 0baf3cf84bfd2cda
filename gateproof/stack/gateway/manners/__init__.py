"""How the gateway speaks: its own way, or as one of the stacks that gateproof tests. One module per stack."""

from __future__ import annotations

from gateproof.stack.gateway.manner import Manner
from gateproof.stack.gateway.manners.litellm import LITELLM
from gateproof.stack.gateway.manners.llm_proxy import LLM_PROXY
from gateproof.stack.gateway.manners.openai import OPENAI
from gateproof.stack.gateway.manners.portkey import PORTKEY_2
from gateproof.stack.gateway.manners.tokenlabs import TOKENLABS
from gateproof.stack.gateway.manners.tokenvisor import TOKENVISOR

MANNERS: dict[str, Manner] = {
    manner.name: manner for manner in (OPENAI, LITELLM, LLM_PROXY, PORTKEY_2, TOKENLABS, TOKENVISOR)
}

__all__ = ["MANNERS", "OPENAI", "Manner"]
