"""What faults do to request limits: ways around them, counters that are not one, places that are never given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateproof.stack import config
from gateproof.stack.faults import worn
from gateproof.stack.gateway.limits import Meter

if TYPE_CHECKING:
    from gateproof.stack.gateway.call import Call
    from gateproof.stack.gateway.errors import Refusal
    from gateproof.stack.gateway.keyring import Keyring, Tenant

OVERRIDES = (b"x-http-method-override", b"x-http-method", b"x-method-override")
TIMED_OUT = 504
SECOND_REPLICA = 40  # requests of one tenant after which an autoscaler has started another replica


class Buckets:
    """The counters that faults keep beside those of the tenants."""

    def __init__(self) -> None:
        self._meters: dict[tuple[str, bytes], Meter] = {}
        self._first_key: dict[str, bytes] = {}
        self._asked: dict[str, int] = {}

    def other(self, call: Call) -> Meter | None:
        """Which meter a fault takes for the tenant's; None when it is the right one."""
        if not call.tenant.rights.requests:
            return None
        if unseen(call):
            return Meter(config.Tenant())
        name = self._name(call)
        return None if name is None else self._of(call, name)

    def _name(self, call: Call) -> bytes | None:
        address, identity = call.headers.get(b"x-forwarded-for"), call.headers.get(b"x-tenant-id")
        if address and worn("limit_by_forwarded_address"):
            return address
        if identity and worn("limit_by_tenant_header"):
            return identity
        key = call.headers.get(b"authorization")
        if self._first_key.setdefault(call.tenant.name, key) != key and worn("each_key_has_its_own_limit"):
            return key
        if call.served and worn("limit_per_kept_connection"):
            return repr(call.client).encode()
        asked = self._asked[call.tenant.name] = self._asked.get(call.tenant.name, 0) + 1
        return b"second replica" if asked > SECOND_REPLICA and worn("limit_per_replica") else None

    def _of(self, call: Call, name: bytes) -> Meter:
        return self._meters.setdefault((call.tenant.name, name), Meter(call.tenant.rights))


def unseen(call: Call) -> bool:
    """Whether the limiter does not take the request for one of those that it counts."""
    if any(call.headers.get(name) for name in OVERRIDES) and worn("limiter_reads_the_overridden_method"):
        return True
    if b"?" in call.target and worn("limiter_compares_whole_urls"):
        return True
    return b"//" in call.path and worn("limiter_compares_raw_paths")


def folded(path: str) -> str | None:
    """Another spelling that the router takes for the same."""
    return path.replace("//", "/") if "//" in path and worn("limiter_compares_raw_paths") else None


def charge_for_strangers(keyring: Keyring) -> None:
    """Requests without a good key cost nobody anything; a fault charges whoever came last."""
    newest = next(reversed(keyring.tenants.values()), None)
    if newest is not None and newest.minted and newest.rights.requests and worn("strangers_are_charged"):
        newest.meter.count_refused("")


def after_mistake(tenant: Tenant, refusal: Refusal) -> None:
    """A call that is turned down for what is wrong with it costs nothing."""
    if not 400 <= refusal.status < 500 or refusal.status == 429:
        return
    if tenant.rights.requests and worn("mistakes_are_counted"):
        tenant.meter.count_refused("")
    if tenant.rights.parallel and refusal.status == 400 and worn("malformed_call_keeps_a_place"):
        tenant.meter.running += 1


def keep_place_of_aborted(call: Call) -> None:
    if call.admission is not None and call.tenant.rights.parallel and worn("aborted_stream_keeps_its_place"):
        call.admission.open = False


def keep_place_of_failed(call: Call, refusal: Refusal) -> None:
    late = refusal.status == TIMED_OUT and call.tenant.rights.parallel
    if call.admission is not None and late and worn("timed_out_call_keeps_its_place"):
        call.admission.open = False
