"""Tenants lent to checks by need, and all that was minted given back."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import secrets
from collections import Counter
from collections.abc import Collection, Mapping

from gateproof.targets.model import Mint, Target
from gateproof.targets.secrets import Secret, resolve_key, resolve_value
from gateproof.tenants.admin import MintFailed
from gateproof.tenants.fit import declaration, described, fits, known_of, surplus
from gateproof.tenants.mint import ADAPTERS, Changes, Delayed, Minter, Rotates, SecondKeys
from gateproof.tenants.need import Need, Tenant
from gateproof.tenants.owner import PREFIX, lives
from gateproof.tenants.wanted import many

MOST_SILENCES = 3
"""times in a row that an admin API may leave us in the dark before it is taken for dead"""


class NoTenant(Exception):
    """Nobody fits; the text says what the target would have to declare."""


class NotOffered(Exception):
    """The target's adapter cannot do this with a key."""


class Leases:
    """Minted where possible, else a declared tenant that fits, the one lent least often so far.

    A declared tenant may have been used before: leave it alone for ``tenant.rest`` where a fresh window matters.
    """

    def __init__(
        self, target: Target, minter: Minter | None, run_id: str, *, keys: Mapping[str, Secret] | None = None
    ) -> None:
        self._target, self._minter, self._keys = target, minter, keys
        # workers of one run share its id, and names must not clash
        self._prefix = f"{run_prefix(run_id)}{secrets.token_hex(2)}-"
        self._numbers = itertools.count(1)  # next() is safe among threads that lease side by side
        self._minted: list[Tenant] = []
        self._uncertain: list[str] = []
        self._lent: Counter[str] = Counter()
        self._silences: list[MintFailed] = []
        self.retired: set[Secret] = set()
        """Keys that we took back ourselves: they must not work any more."""

    def lease(self, need: Need, *, besides: Collection[Tenant] = ()) -> Tenant:
        """A tenant that fits and is none of ``besides``; ``NoTenant`` when there is none."""
        failure: MintFailed | None = None
        order = self._order(need)
        if self._minter is not None and order is not None:
            try:
                return self._mint(self._minter, order)
            except MintFailed as error:
                failure = error
        tenant = None if need.minted else self._declared(need, {each.name for each in besides})
        if tenant is None:
            raise NoTenant(self._missing(need, failure))
        self._lent[tenant.name] += 1
        return tenant

    def revoke(self, tenant: Tenant) -> None:
        """Take back a minted tenant now; ``MintFailed`` when the admin API does not comply."""
        self._maker(tenant).revoke(tenant)
        self.retired.add(tenant.key)
        self._minted.remove(tenant)

    def another_key(self, tenant: Tenant) -> Tenant:
        """A second key of a minted identity; ``NotOffered`` where the adapter cannot make one."""
        minter = self._maker(tenant)
        if not isinstance(minter, SecondKeys):
            raise self._not_offered("make a second key for a tenant")
        made = minter.another_key(tenant, self._name())
        self._minted.append(made)
        return made

    def rotate(self, tenant: Tenant) -> Tenant:
        """Another key instead of the old one."""
        minter = self._maker(tenant)
        if not isinstance(minter, Rotates):
            raise self._not_offered("replace the key of a tenant")
        made = minter.rotate(tenant, self._name())
        self.retired.add(tenant.key)
        self._minted.remove(tenant)
        self._minted.append(made)
        return made

    def change(self, tenant: Tenant, need: Need) -> Tenant:
        """Other limits or rights, the same key."""
        minter = self._maker(tenant)
        if not isinstance(minter, Changes):
            raise self._not_offered("change the limits of a tenant")
        made = minter.change(tenant, self._order(need) or need)
        self._minted[self._minted.index(tenant)] = made
        return made

    @property
    def takes_effect_within(self) -> float:
        """s; until what is made here is surely known at the gateway."""
        return self._minter.takes_effect_within if isinstance(self._minter, Delayed) else 0.0

    def exists(self, tenant: str) -> bool:
        """Whether the admin API still knows a minted tenant; ``MintFailed`` when it does not say."""
        return self._minter is not None and tenant in self._minter.names(tenant)

    def _maker(self, tenant: Tenant) -> Minter:
        if self._minter is None or tenant not in self._minted:
            raise ValueError(f"{tenant.name} was not minted here")
        return self._minter

    def _not_offered(self, what: str) -> NotOffered:
        return NotOffered(f"the adapter `{self._target.mint_adapter}` cannot {what}")

    def _name(self) -> str:
        return f"{self._prefix}{next(self._numbers)}"

    def release_all(self) -> tuple[str, ...]:
        """Revoke everything minted here; the names of what is left, which a later call tries again."""
        for tenant in tuple(self._minted):
            try:
                self.revoke(tenant)
            except Exception:  # noqa: BLE001, S112 - on the way out: what is left is the answer
                continue
        if self._minter is not None and self._uncertain:
            with contextlib.suppress(Exception):  # as above
                self._uncertain = self._minter.sweep(self._prefix)
        return tuple(dict.fromkeys([*(tenant.name for tenant in self._minted), *self._uncertain]))

    def _order(self, need: Need) -> Need | None:
        """The need with its numbers filled in from ``mint``; None when some are declared nowhere."""
        mint = self._target.mint or Mint()
        order = dataclasses.replace(
            need,
            requests=mint.requests[: None if need.several else 1] if need.requests is True else need.requests,
            tokens=mint.tokens[:1] if need.tokens is True else need.tokens,
            parallel=mint.parallel or True if need.parallel is True else need.parallel,
            budget=mint.budget if need.budget is True else need.budget,
        )
        wanting = (
            (need.requests and not order.requests)
            or (need.tokens and not order.tokens)
            or (need.budget and not order.budget)
            or (need.several and len(many(order.requests or ())) < 2)
        )
        return need if mint.tiers else None if wanting else order

    def _mint(self, minter: Minter, order: Need) -> Tenant:
        name = self._name()
        if lives(name) is False:  # a worker that outlived its controller: nobody would take the key back
            raise MintFailed("the run that this process belongs to is over")
        if len(self._silences) >= MOST_SILENCES:  # each may take as long as the target's timeouts allow
            raise MintFailed(f"{self._silences[-1]}; not asked again after {MOST_SILENCES} such answers")
        self._uncertain.append(name)  # until its key is here, or is known not to exist
        try:
            tenant = minter.mint(order, name)
        except MintFailed as error:
            if error.answered:
                self._uncertain.remove(name)
            else:
                self._silences.append(error)
            raise
        self._silences.clear()
        self._uncertain.remove(name)
        self._minted.append(tenant)
        if not fits(order, tenant):
            self._give_back(tenant)
            raise MintFailed(f"a made tenant has {described(tenant)}, not the {order} that is needed")
        return tenant

    def _give_back(self, tenant: Tenant) -> None:
        try:
            self.revoke(tenant)
        except MintFailed:
            return  # still on the list, for release_all

    def _declared(self, need: Need, taken: Collection[str]) -> Tenant | None:
        fitting = [
            known
            for name, declared in self._target.tenants.items()
            if name not in taken and self._has_key(name) and fits(need, known := known_of(self._target, name, declared))
        ]
        if not fitting:
            return None
        best = min(fitting, key=lambda known: (self._lent[known.name], surplus(need, known)))
        return dataclasses.replace(best, key=self._key(best.name), headers=self._headers(best.name))

    def _has_key(self, name: str) -> bool:
        return name in self._keys if self._keys is not None else self._target.tenants[name].key is not None

    def _key(self, name: str) -> Secret:
        if self._keys is not None:
            return self._keys[name]
        ref = self._target.tenants[name].key
        assert ref is not None, "only tenants with a key are lent"
        return resolve_key(ref, name, self._target.name)

    def _headers(self, name: str) -> dict[str, str]:
        where = f"{self._target.name}.tenants.{name}.headers"
        declared = self._target.tenants[name].headers
        return {header: resolve_value(value, f"{where}.{header}") for header, value in declared.items()}

    def _missing(self, need: Need, failure: MintFailed | None) -> str:
        target = self._target
        text = f"{target.name} has no tenant with a {need}: declare " + (
            "`mint` with a key that may make others" if need.minted else f"`tenants.NAME` with {declaration(need)}"
        )
        if failure is not None:
            return f"{text}; making one failed: {failure}"
        if target.mint is None:
            return text if need.minted else f"{text}, or `mint` with a key that may make others"
        if self._minter is None:
            return f"{text}; with the adapter `{target.mint_adapter}` none can be made (known: {', '.join(ADAPTERS)})"
        wishes = (("requests", need.requests), ("tokens", need.tokens), ("budget", need.budget))
        wanted = [name for name, wish in wishes if wish is True]
        return text + "".join(f", or `mint.{name}`" for name in wanted)


def run_prefix(run_id: str) -> str:
    """How the names of all that one run mints begin."""
    return f"{PREFIX}{run_id}-"
