"""What a target declares beyond its own words: capabilities that its data show, and contradictions in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from gateproof.errors import near_miss
from gateproof.targets.capabilities import APIS, CAPABILITIES, Support
from gateproof.targets.values import SHORT_WINDOW, KeyRef, Limit, Quota, mistake

if TYPE_CHECKING:
    from gateproof.targets.model import Target
    from gateproof.targets.parts import Terms


def support(target: Target, name: str) -> Support:
    if name not in CAPABILITIES:
        raise KeyError(f"unknown capability {name}{near_miss(name, CAPABILITIES)}")
    if name in target.capabilities:
        return "supported" if target.capabilities[name] else "unsupported"
    shown = _SHOWN.get(name)
    if shown is not None:
        return "supported" if shown(target) else "unset"
    if name in target.dialect.capabilities and _NEEDED.get(name, _always)(target):
        return "supported"
    return "unset"


def limits(target: Target) -> list[Limit]:
    """Every request limit that a check can meet: of several at once the one with the shortest window."""
    return [terms.requests[0] for terms in limited_by(target) if terms.requests]


def quotas(target: Target) -> list[Quota]:
    """Likewise; a made key is given any of those that stand in ``mint``, one at a time."""
    others = target.mint.tokens[1:] if target.mint else []
    return [*(terms.tokens[0] for terms in limited_by(target) if terms.tokens), *others]


def parallels(target: Target) -> list[int]:
    """Every limit on requests under way at once."""
    return [terms.parallel for terms in limited_by(target) if terms.parallel]


def limited_by(target: Target) -> list[Terms]:
    """All that a tenant of ours may be limited by."""
    minted = [target.mint, *target.mint.tiers.values()] if target.mint else []
    return [*target.tenants.values(), *minted]


def _always(_: Target) -> bool:
    return True


def _keyed(target: Target) -> bool:
    return target.dialect.auth_header is not None and (target.main.key is not None or _can_mint(target))


def _serves(api: str) -> Callable[[Target], bool]:
    return lambda target: api in target.models


def _two_tenants(target: Target) -> bool:
    return sum(tenant.identified for tenant in target.tenants.values()) > 1 or _can_mint(target)


def _can_mint(target: Target) -> bool:
    return target.mint_adapter is not None


def _launched_by_us(target: Target) -> bool:
    """Nobody else can miss the engines of a stack that was started for this run."""
    return target.launch is not None and bool(target.upstream and target.upstream.control)


def _several_backends(target: Target) -> bool:
    return len({route.backend for route in target.routes if route.backend and not route.dead}) > 1


# The data of the target decide; what the dialect promises does not matter.
_SHOWN: dict[str, Callable[[Target], bool]] = {
    **{f"api.{api}": _serves(api) for api in APIS},
    "tenants.2": _two_tenants,
    "tenants.mint": _can_mint,
    "lim.req": lambda target: bool(limits(target)),
    "lim.parallel": lambda target: any(terms.parallel for terms in limited_by(target)),
    "lim.short_window": lambda target: any(limit.window <= SHORT_WINDOW for limit in limits(target)),
    "quota.tokens": lambda target: bool(quotas(target)),
    "quota.after": lambda target: any(quota.mode == "after" for quota in quotas(target)),
    "quota.reserve": lambda target: any(quota.mode == "reserve" for quota in quotas(target)),
    "quota.per_model": lambda target: any(quota.per_model for quota in quotas(target)),
    "quota.budget": lambda target: any(terms.budget for terms in limited_by(target)),
    "quota.short_window": lambda target: any(quota.window <= SHORT_WINDOW for quota in quotas(target)),
    "route.multi": _several_backends,
    "route.alias": lambda target: any(route.alias_of for route in target.routes),
    "route.fallback": lambda target: any(route.fallback for route in target.routes),
    "route.weighted": lambda target: any(len(route.weights) > 1 and not route.affinity for route in target.routes),
    "route.affinity": lambda target: any(route.affinity for route in target.routes),
    "up.ctl": lambda target: bool(target.upstream and target.upstream.control),
    "health.live": lambda target: target.live is not None,
    "health.ready": lambda target: target.ready is not None,
    "tls": lambda target: (target.base_url or "").startswith("https://"),
    "k8s.read": lambda target: target.kubernetes is not None,
    "k8s.chaos": _launched_by_us,
    "obs.metrics": lambda target: bool(target.metrics or target.dialect.metrics),
    "load": lambda target: target.load.allowed,
}

# Without this, a promise of the dialect has nothing to be checked with.
_NEEDED: dict[str, Callable[[Target], bool]] = {
    "auth.bearer": _keyed,
    "auth.xapikey": _keyed,
    "auth.revocable": _can_mint,
    "lim.headers.rl03": lambda target: bool(limits(target)),
    "lim.headers.openai": lambda target: bool(limits(target)),
    "lim.headers.ietf": lambda target: bool(limits(target)),
    "lim.retry_after": lambda target: bool(limits(target)),
    "quota.read": lambda target: bool(quotas(target)),
    "route.identity": lambda target: bool(target.routes),
}


def keys(target: Target) -> Iterator[tuple[tuple[str, ...], KeyRef]]:
    """Every key of a target and the path where it stands."""
    for name, tenant in target.tenants.items():
        if tenant.key is not None:
            yield ("tenants", name, "key"), tenant.key
    if target.mint is not None and target.mint.key is not None:
        yield ("mint", "key"), target.mint.key
    if target.kubernetes is not None and target.kubernetes.token is not None:
        yield ("kubernetes", "token"), target.kubernetes.token


def refuse_contradictions(target: Target) -> None:
    """What no single value shows: each is a mistake that points at its key."""
    _literal_keys(target)
    _mint_without_means(target)
    _routes(target)


def _literal_keys(target: Target) -> None:
    if target.is_loopback:
        return
    for path, ref in keys(target):
        if ref.kind == "literal":
            raise mistake(
                f"the key itself stands in the file, and {target.base_url or 'the target'} is not loopback",
                accepted="{env: NAME}, {file: PATH}, {secret: {namespace, name, key}}",
                at=("key",) if path == ("tenants", "main", "key") and target.key is not None else path,
            )


def _mint_without_means(target: Target) -> None:
    if target.mint is None:
        return
    by_cluster = target.mint_adapter == "kuadrant" and target.kubernetes is not None
    if target.mint.key is None and target.launch is None and not by_cluster:
        raise mistake("a key that may make others is needed", accepted=KeyRef.accepted, at=("mint", "key"))
    if target.mint_adapter is None:
        problem = f"no way to make keys is known for the dialect {target.stack}"
        raise mistake(problem, accepted="adapter: NAME", at=("mint", "adapter"))


def _routes(target: Target) -> None:
    names = [route.model for route in target.routes]
    known = [*names, *target.models.values()]
    for index, route in enumerate(target.routes):
        if route.weights and not any(route.weights.values()):
            raise mistake("every share is 0: nobody would serve it", at=("routes", index, "weights"))
        if route.model in names[:index]:
            raise mistake(f"model `{route.model}` is routed twice", at=("routes", index, "model"))
        if route.alias_of is not None and route.alias_of not in known:
            problem = f"unknown model `{route.alias_of}`{near_miss(route.alias_of, known)}"
            raise mistake(problem, accepted=", ".join(dict.fromkeys(known)), at=("routes", index, "alias_of"))
