"""What a started stack looks like to those who test it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Launched:
    """A running stack: where it listens, how to speak to it, how to end it."""

    kind: str
    base_url: str  # without /v1
    upstream_control: list[str] = field(default_factory=list)  # one per controllable engine
    upstream_direct: str | None = None  # the first engine, past the gateway
    engines: dict[str, str] = field(default_factory=dict)  # by name: "a", "b", "vllm"
    gateway_control: str | None = None  # of the reference gateway: where it puts on faults
    keys: dict[str, str] = field(default_factory=dict, repr=False)  # by tenant; "admin" may mint others
    headers: dict[str, str] = field(default_factory=dict, repr=False)  # that each request must carry
    kubernetes_url: str | None = None  # of the API server that keeps the tenants
    kubernetes_token: str | None = field(default=None, repr=False)
    models: dict[str, str] = field(default_factory=dict)  # by API: one that works here
    env: dict[str, str] = field(default_factory=dict)  # folder, pids and the like, for people
    versions: dict[str, str] = field(default_factory=dict)
    logs: list[Path] = field(default_factory=list)
    _stop: Callable[[], None] = field(default=_nothing, repr=False, compare=False)

    def stop(self) -> None:
        """End it; a second call does nothing."""
        self._stop()

    def to_json(self) -> str:
        known = {item.name: getattr(self, item.name) for item in fields(self) if not item.name.startswith("_")}
        return json.dumps(known | {"logs": [str(log) for log in self.logs]})

    @classmethod
    def from_json(cls, text: str, stop: Callable[[], None]) -> Launched:
        known: dict[str, Any] = json.loads(text)
        return cls(**known | {"logs": [Path(log) for log in known["logs"]]}, _stop=stop)
