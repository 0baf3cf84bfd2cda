"""The reference stack in the foreground, for a person to try things on."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any

from rich.console import Console

from gateproof.errors import ConfigError, LaunchError, near_miss
from gateproof.stack import config
from gateproof.stack.defaults import default_gateway
from gateproof.stack.faults import FAULTS
from gateproof.stack.supervisor import WATCH, Stack


def serve(settings: Mapping[str, Any]) -> None:
    """Start, tell where everything is, run until Ctrl-C. Without a gateway in the settings: the default one."""
    given = {"gateway": default_gateway(), **settings}
    check_faults(given.get("faults", ()))
    signal.signal(signal.SIGTERM, _interrupt)
    with Stack(config.stack_from(given)) as stack:
        tell(stack, given["gateway"])
        try:
            while (name := stack.dead()) is None:
                time.sleep(WATCH)
        except KeyboardInterrupt:
            return
        raise LaunchError(f"stack process {name} has ended")


def check_faults(names: Any) -> None:
    for name in names:
        if name not in FAULTS:
            raise ConfigError(f"no fault is called {name!r}{near_miss(name, FAULTS)}", key="faults")


def tell(stack: Stack, gateway: Mapping[str, Any] | None) -> None:
    """Where everything is, and one line to try it."""
    console = Console(highlight=False)
    line = stack.ready_line()
    for name, engine in line["engines"].items():
        console.print(f"engine {name}   {engine['url']}   control {engine['control']}")
    if not gateway:
        return
    console.print(f"gateway    {line['gateway']}   control {line['gateway_control']}")
    key = next(iter(gateway.get("keys", {})), None)
    model = next(iter(gateway.get("models", {})), None)
    if key and model:
        body = f'{{"model":"{model}","messages":[{{"role":"user","content":"hello"}}]}}'
        url = f"{line['gateway']}/v1/chat/completions"
        command = f"curl -s {url} -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{body}'"
        console.print(command, markup=False, soft_wrap=True)
    if stack.settings.faults:
        console.print(f"worn: {', '.join(stack.settings.faults)}")
    console.print("Ctrl-C ends it.")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
