"""What a killed run left behind is taken back by its controller, or by the next run that comes along."""

from __future__ import annotations

import re
import time
from typing import Protocol

from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret
from gateproof.tenants.admin import KEY_LIFETIME, admin_over
from gateproof.tenants.lease import PREFIX, run_prefix
from gateproof.tenants.mint import minter_for
from gateproof.wire.client import Client

_STARTED = re.compile(rf"{re.escape(PREFIX)}([0-9a-f]+)-")


class Sweepable(Protocol):
    """The part of a run that a sweep needs."""

    @property
    def target(self) -> Target: ...
    @property
    def client(self) -> Client: ...
    @property
    def admin_key(self) -> Secret | None: ...
    @property
    def run_id(self) -> str: ...


def sweep_run(run: Sweepable) -> tuple[str, ...]:
    """Take back what this run minted and what older ones left; never raises, returns what is still there."""
    if run.admin_key is None or run.target.mint is None:
        return ()
    minter = minter_for(run.target, admin_over(run.client, run.admin_key))
    if minter is None:
        return ()
    own, now = run_prefix(run.run_id), time.time()
    try:
        return tuple(minter.sweep(PREFIX, lambda name: name.startswith(own) or is_stale(name, now)))
    except Exception as error:  # noqa: BLE001 - clean-up must not change a verdict; our keys expire anyway
        return (f"{own}* ({error})",)


def is_stale(name: str, now: float) -> bool:
    """Whether whoever made it has had more than a key's life to finish; a run id begins with its start in hex.

    Younger ones may belong to a run that is under way beside us.
    """
    match = _STARTED.match(name)
    return match is not None and now - int(match[1], 16) > KEY_LIFETIME
