"""What a killed run left behind is taken back by its controller, or by the next run that comes along."""

from __future__ import annotations

import time
from typing import Protocol

from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret
from gateproof.tenants.admin import KEY_LIFETIME
from gateproof.tenants.lease import run_prefix
from gateproof.tenants.mint import Minter, Remains, minter_for
from gateproof.tenants.owner import PREFIX, lives, started
from gateproof.wire.client import Client


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


def minter_of(run: Sweepable) -> Minter | None:
    """Who makes keys in this run; ``ConfigError`` when the target does not say enough for that."""
    return None if run.target.mint is None else minter_for(run.target, run.client, run.admin_key)


def take_back(run: Sweepable, *, ending: bool) -> tuple[str, ...]:
    """Revoke what runs that are over left here, and when this one is ``ending`` its own; returns what resisted.

    ``MintFailed`` when the admin API does not even list what there is.
    """
    minter = minter_of(run)
    if minter is None:
        return ()
    own, now = run_prefix(run.run_id), time.time()
    return tuple(minter.sweep(PREFIX, lambda name: (ending and name.startswith(own)) or is_abandoned(name, now)))


def sweep_run(run: Sweepable) -> tuple[str, ...]:
    """At the end: never raises, returns what is still there, in words where it has no name."""
    own = run_prefix(run.run_id)
    try:
        left = take_back(run, ending=True)
        minter = minter_of(run)
        remains = minter.remains(PREFIX) if isinstance(minter, Remains) else None
    except Exception as error:  # noqa: BLE001 - clean-up must not change a verdict; most of our keys expire anyway
        return (f"{own}* ({error})",)
    return (*left, *([remains] if remains else ()))


def is_abandoned(name: str, now: float) -> bool:
    """Whether whoever made it is gone. Where that cannot be seen, after more than a key's life.

    Younger ones may belong to a run that is under way on another machine.
    """
    alive, began = lives(name), started(name)
    if alive is None:
        return began is not None and now - began > KEY_LIFETIME
    return not alive
