"""What an adapter has to work with: the target, the way to its admin API, and the options that the target gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateproof.errors import ConfigError, near_miss
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret, resolve_value
from gateproof.tenants.admin import Admin, admin_over
from gateproof.wire.client import Client, Limits, Tls


@dataclass(frozen=True, slots=True)
class Means:
    """``client`` leads to the gateway; ``key`` is the one that may make others, where the adapter needs one."""

    target: Target
    client: Client
    key: Secret | None
    options: Mapping[str, str]

    @property
    def admin_key(self) -> Secret:
        assert self.key is not None, "adapters that need one are not made without"
        return self.key

    def admin(self) -> Admin:
        """The admin API at the gateway itself, with the key as a bearer token."""
        return admin_over(self.client, self.admin_key)

    def elsewhere(self, url: str) -> Client:
        """A client for an admin API that is at another address; redirects, retries and proxies as for the target."""
        timeouts, tls = self.target.timeouts, self.target.tls
        return Client(
            url,
            limits=Limits(connect=timeouts.connect, read=timeouts.read, total=timeouts.total),
            tls=Tls(verify=tls.verify, ca=tls.ca),
            redactor=self.client.redactor,
        )

    def required(self, name: str, why: str) -> str:
        if name not in self.options:
            raise ConfigError(f"is needed: {why}", key=f"{self.target.name}.mint.options.{name}")
        return self.options[name]


def options_of(target: Target, known: Mapping[str, str]) -> dict[str, str]:
    """The values of ``mint.options``, which may come from the environment; ``known`` says what each is."""
    given = target.mint.options if target.mint else {}
    where = f"{target.name}.mint.options"
    for name in given:
        if name not in known:
            problem = f"unknown option `{name}` of the adapter {target.mint_adapter}{near_miss(name, known)}"
            raise ConfigError(problem, key=where, accepted=", ".join(known) or "none")
    return {name: resolve_value(value, f"{where}.{name}") for name, value in given.items()}
