"""The kinds of stacks that can be started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateproof.errors import ConfigError, near_miss
from gateproof.launch import envoy, litellm, portkey, reference, vllm
from gateproof.launch.launched import Launched
from gateproof.launch.plan import Plan
from gateproof.launch.process import Crew

Starter = Callable[[Crew, Plan, Path], Launched]

KINDS: dict[str, Starter] = {
    "reference": reference.start,
    "vllm": vllm.start,
    "litellm": litellm.start,
    "portkey": portkey.start,
    "envoy": envoy.start,
}


def starter(kind: str) -> Starter:
    if kind not in KINDS:
        raise ConfigError(f"`{kind}` cannot be started{near_miss(kind, KINDS)}", key="launch.kind", accepted=KINDS)
    return KINDS[kind]
