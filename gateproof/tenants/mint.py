"""Which adapter makes keys on a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateproof.targets.model import Target
from gateproof.tenants.admin import Admin, MintFailed
from gateproof.tenants.litellm import WINDOW, LiteLLMMinter
from gateproof.tenants.need import Need, Tenant
from gateproof.tenants.reference import ReferenceMinter

__all__ = ["ADAPTERS", "MintFailed", "Minter", "minter_for"]


class Minter(Protocol):
    """Makes tenants and takes them back; each call is ``MintFailed`` when the admin API does not comply."""

    def mint(self, need: Need, name: str) -> Tenant: ...

    def revoke(self, tenant: Tenant) -> None:
        """Gone already is fine."""

    def names(self, prefix: str) -> list[str]:
        """Whose key still exists."""

    def sweep(self, prefix: str, doomed: Callable[[str], bool] = ...) -> list[str]:
        """Revoke all of that prefix whose names are ``doomed``; the names of those that resisted."""


def _litellm(target: Target, admin: Admin) -> Minter:
    declared = (target.mint.requests or target.mint.tokens) if target.mint else None
    return LiteLLMMinter(admin, declared.window if declared else WINDOW)


ADAPTERS: dict[str, Callable[[Target, Admin], Minter]] = {
    "litellm": _litellm,
    "reference": lambda _, admin: ReferenceMinter(admin),
}


def minter_for(target: Target, admin: Admin) -> Minter | None:
    """The target's adapter; None when it declares no ``mint``, or one that nobody wrote yet."""
    make = ADAPTERS.get(target.mint_adapter or "")
    return None if make is None else make(target, admin)
