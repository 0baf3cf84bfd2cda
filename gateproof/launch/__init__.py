"""Starting real gateways from packages, on loopback, for a target's `launch:` and for `gateproof stack up`.

launch(target)             starts what the target says; it ends with `.stop()`, or with us
running(target, launched)  the target as it is then: address, keys, headers, engines
up(kind, options)          starts it for good: it ends with `down(kind)`, from any process
status()                   what is up
"""

from __future__ import annotations

from gateproof.launch.from_target import running
from gateproof.launch.kinds import KINDS
from gateproof.launch.launched import Launched
from gateproof.launch.lifecycle import down, launch, status, up

__all__ = ["KINDS", "Launched", "down", "launch", "running", "status", "up"]
