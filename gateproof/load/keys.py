"""With whose keys a load goes: those that the target declares, and one of our tenants for whoever has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import gateproof
from gateproof.errors import ConfigError, TargetUnreachable
from gateproof.load.profile import Profile
from gateproof.targets.model import Target
from gateproof.targets.secrets import MINT, Secret, resolve_headers, resolve_key
from gateproof.tenants.admin import KEY_LIFETIME, MintFailed
from gateproof.tenants.lease import run_prefix
from gateproof.tenants.mint import Minter, minter_for
from gateproof.tenants.need import Need, Tenant
from gateproof.tenants.owner import Stake, stake
from gateproof.wire.client import Client, Limits, Tls

AROUND = 120.0  # s that a run may take before and after its phases: counting tokens, answers that are late


@dataclass
class Keys:
    """By tenant, as far as known. What was ``made`` here is taken back by ``give_back``, or dies of its age."""

    held: dict[str, Secret] = field(default_factory=dict)
    made: list[Tenant] = field(default_factory=list)
    tenants: set[str] = field(default_factory=set)
    """Whose keys they are."""
    minter: Minter | None = None
    admin: Secret | None = None
    stake: Stake | None = None

    def make(self, target: Target, name: str) -> None:
        """For a tenant without a key, under its declared limits."""
        assert self.minter is not None, "the target has somebody who makes keys"
        assert self.stake is not None, "who makes keys holds a stake, or a later run takes them away"
        tenant = target.tenants[name]
        terms = {each: getattr(tenant, each) for each in ("requests", "tokens", "parallel", "budget", "models")}
        try:
            made = self.minter.mint(Need(**terms), run_prefix(self.stake.run_id) + name)
        except MintFailed as error:
            raise TargetUnreachable(f"{target.name}: no key could be made for tenant `{name}`: {error}") from None
        self.made.append(made)
        self.tenants.add(name)
        self.held[name] = made.key

    @property
    def of_operator(self) -> dict[str, Secret]:
        """With which a target tells its own metrics: LiteLLM does not to a key that was made."""
        if self.admin is None:
            return self.held
        return {name: self.admin if name in self.tenants else key for name, key in self.held.items()}

    def give_back(self) -> tuple[str, ...]:
        """Never raises; the names of what resisted."""
        left = []
        while self.made and self.minter is not None:
            tenant = self.made.pop()
            try:
                self.minter.revoke(tenant)
            except MintFailed:
                left.append(tenant.name)
        if self.stake is not None:
            self.stake.release()
            self.stake = None
        return tuple(left)


def declared_keys(target: Target) -> dict[str, Secret]:
    """Those that the target says where to find; ConfigError for one that is not there."""
    return {
        name: resolve_key(tenant.key, name, target.name, cluster=target.kubernetes)
        for name, tenant in target.tenants.items()
        if tenant.key is not None
    }


def keys_for(target: Target, profile: Profile) -> Keys:
    """TargetUnreachable when the target's admin API makes no key; where nobody makes any, a tenant asks without."""
    keys = Keys(declared_keys(target))
    wanting = {part.tenant or target.main_tenant for part in profile.workload.mix} - keys.held.keys()
    wanting &= target.tenants.keys()  # what is no tenant at all is a mistake that the plan tells
    if not wanting or target.mint is None:
        return keys
    admin = resolve_key(target.mint.key, MINT, target.name, cluster=target.kubernetes) if target.mint.key else None
    keys.minter, keys.admin = minter_for(target, _client(target), admin), admin
    if keys.minter is None:
        return keys
    _refuse_if_long(target, profile, min(wanting))
    keys.stake = stake()
    try:
        for name in sorted(wanting):
            keys.make(target, name)
    except BaseException:
        keys.give_back()
        raise
    return keys


def _refuse_if_long(target: Target, profile: Profile, tenant: str) -> None:
    if profile.duration + AROUND > KEY_LIFETIME:
        raise ConfigError(
            f"the run may take {profile.duration:.0f} s, and a key that we make lives {KEY_LIFETIME:.0f} s",
            key=f"{target.name}.tenants.{tenant}.key",
            accepted="a key of its own",
        )


def _client(target: Target) -> Client:
    timeouts, tls = target.timeouts, target.tls
    headers: Mapping[str, str] = resolve_headers(target)
    return Client(
        target.root_url,
        headers={"user-agent": f"gateproof/{gateproof.__version__}", **headers},
        limits=Limits(connect=timeouts.connect, read=timeouts.read, total=timeouts.total),
        tls=Tls(verify=tls.verify, ca=tls.ca, server_name=tls.server_name),
        host=target.host,
        connect_to=target.connect_to,
    )
