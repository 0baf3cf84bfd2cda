"""What a check asks for, and what it gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateproof.limits.terms import DeclaredLimit, DeclaredQuota, Limit, Quota
from gateproof.targets.secrets import Secret
from gateproof.targets.values import Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A tenant by what must be known of it.

    For ``requests``, ``tokens``, ``parallel`` and ``budget`` True means "whatever the target declares"; numbers are
    what a minted tenant gets, while a declared one keeps its own. ``within`` bounds the windows, for checks that wait
    them out.
    """

    requests: DeclaredLimit | Sequence[DeclaredLimit] | bool | None = None
    tokens: DeclaredQuota | Sequence[DeclaredQuota] | bool | None = None
    parallel: int | bool | None = None
    budget: Budget | bool | None = None
    several: bool = False
    """More than one request limit at once."""
    models: Sequence[str] | None = None
    """The only models it may use."""
    unlimited: bool = False
    minted: bool = False
    """Made for this check and revocable; a declared tenant will not do."""
    within: float | None = None

    def __str__(self) -> str:
        parts = [
            ("several request limits" if self.several else "request limit") if self.requests else "",
            "token quota" if self.tokens else "",
            "limit on parallel requests" if self.parallel else "",
            "budget" if self.budget else "",
            f"right to nothing but {', '.join(self.models)}" if self.models else "",
            f"window of {self.within:g} s or less" if self.within else "",
            "no limit at all" if self.unlimited else "",
            "key of our own making" if self.minted else "",
        ]
        return " and ".join(filter(None, parts)) or "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """An identity with its key, and the limits it is known to have; None is no such limit.

    Of several request limits or quotas ``requests`` and ``tokens`` are those with the shortest window, which a check
    can use up; ``further`` and ``further_tokens`` are the others.
    """

    name: str
    key: Secret
    requests: Limit | None = None
    further: tuple[Limit, ...] = ()
    tokens: Quota | None = None
    further_tokens: tuple[Quota, ...] = ()
    parallel: int | None = None
    budget: Budget | None = None
    models: tuple[str, ...] | None = None
    minted: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    handle: str = field(default="", repr=False)
    """What the admin API calls it, where that is not its key; for the adapter that made it."""

    @property
    def all_requests(self) -> tuple[Limit, ...]:
        return (*((self.requests,) if self.requests else ()), *self.further)

    @property
    def all_tokens(self) -> tuple[Quota, ...]:
        return (*((self.tokens,) if self.tokens else ()), *self.further_tokens)

    @property
    def rest(self) -> float:
        """Seconds to leave it alone before all its windows are surely closed; 0 for one that nobody used yet."""
        if self.minted:
            return 0.0
        return max((each.window + each.grain for each in (self.requests, self.tokens) if each), default=0.0)
