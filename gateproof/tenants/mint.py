"""Which adapter makes keys on a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from gateproof.targets.model import Target
from gateproof.tenants.admin import Admin, MintFailed
from gateproof.tenants.litellm import WINDOW, LiteLLMMinter
from gateproof.tenants.need import Need, Tenant
from gateproof.tenants.reference import ReferenceMinter

__all__ = ["ADAPTERS", "Changes", "MintFailed", "Minter", "Rotates", "SecondKeys", "minter_for"]


class Minter(Protocol):
    """Makes tenants and takes them back; each call is ``MintFailed`` when the admin API does not comply.

    What not every stack can do is in protocols of its own below; ``Leases`` asks which of them an adapter has.
    """

    def mint(self, need: Need, name: str) -> Tenant: ...

    def revoke(self, tenant: Tenant) -> None:
        """Gone already is fine."""

    def names(self, prefix: str) -> list[str]:
        """Whose key still exists."""

    def sweep(self, prefix: str, doomed: Callable[[str], bool] = ...) -> list[str]:
        """Revoke all of that prefix whose names are ``doomed``; the names of those that resisted."""


@runtime_checkable
class SecondKeys(Protocol):
    def another_key(self, tenant: Tenant, name: str) -> Tenant:
        """A second key of the same identity; both work."""


@runtime_checkable
class Rotates(Protocol):
    def rotate(self, tenant: Tenant, name: str) -> Tenant:
        """The same identity with another key; the old one is dead from now on."""


@runtime_checkable
class Changes(Protocol):
    def change(self, tenant: Tenant, need: Need) -> Tenant:
        """The same key under other limits or rights from now on."""


def _litellm(target: Target, admin: Admin) -> Minter:
    mint = target.mint
    windows = [*(each.window for each in mint.requests), *(each.window for each in mint.tokens)] if mint else []
    return LiteLLMMinter(admin, windows[0] if windows else WINDOW)


ADAPTERS: dict[str, Callable[[Target, Admin], Minter]] = {
    "litellm": _litellm,
    "reference": lambda _, admin: ReferenceMinter(admin),
}


def minter_for(target: Target, admin: Admin) -> Minter | None:
    """The target's adapter; None when it declares no ``mint``, or one that nobody wrote yet."""
    make = ADAPTERS.get(target.mint_adapter or "")
    return None if make is None else make(target, admin)
