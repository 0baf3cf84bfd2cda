"""From a target and a profile to everything that all workers agree on."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from gateproof.errors import ConfigError, TargetUnreachable, near_miss
from gateproof.load import schedule as schedules
from gateproof.load.arrivals import Process
from gateproof.load.ask import security
from gateproof.load.comparison import backend_keys, backend_of, both_ways
from gateproof.load.dataset import Entry, read_dataset
from gateproof.load.engine import Plan
from gateproof.load.interleave import Interleaved, interleaved
from gateproof.load.profile import Part, Profile
from gateproof.load.prompts import Scale
from gateproof.load.requests import Door, Requests
from gateproof.load.schedule import Schedule
from gateproof.load.sweep import Sweep
from gateproof.load.traces import Traced, read_trace
from gateproof.load.wire.call import Origin
from gateproof.load.workload import Asked, draw
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret, resolve_headers

CLOSED_REQUESTS = 100_000
"""Requests that a closed loop is prepared for where the profile names no number; it ends with its phases before."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that a run may send."""

    requests: int
    tokens: int


def schedule_of(profile: Profile) -> tuple[Schedule, list[Traced]]:
    """The same on every worker: from the profile and its files alone."""
    arrivals = profile.arrivals
    phases = [_phase(profile, each) for each in profile.phases]
    if (both := interleaved_of(profile)) is not None:
        return both.schedule, []
    if arrivals.kind == "closed":
        return schedules.closed_loop(_conversations(profile) or CLOSED_REQUESTS, phases[0], profile.seed), []
    if arrivals.trace is not None:
        rows = read_trace(Path(arrivals.trace.file), speed=arrivals.trace.speed, most=arrivals.trace.most)
        times = np.array([row.at for row in rows])
        return _at_most(schedules.replay(times[times < profile.duration], phases, profile.seed), profile), rows
    kind = "poisson" if arrivals.kind == "trace" else arrivals.kind
    return _at_most(schedules.open_loop(Process(kind, arrivals.smoothness), phases, profile.seed), profile), []


def interleaved_of(profile: Profile) -> Interleaved | None:
    """The schedule as pairs; None unless every other block goes past the gateway."""
    kind = profile.arrivals.kind
    if profile.against is None or kind == "closed" or kind == "trace":
        return None
    phases = [_phase(profile, each) for each in profile.phases]
    return interleaved(Process(kind, profile.arrivals.smoothness), phases, profile.against.block, profile.seed)


def _phase(profile: Profile, phase: Any) -> schedules.Phase:
    start = profile.rate_of(phase) or 0.0
    end = start if phase.to is None else phase.to
    return schedules.Phase(phase.name, phase.duration, start, end, phase.counted)


def _conversations(profile: Profile) -> int | None:
    """The most of them; one request each where they have one turn."""
    return None if profile.requests is None else max(1, profile.requests // profile.workload.turns)


def _at_most(schedule: Schedule, profile: Profile) -> Schedule:
    most = _conversations(profile)
    if most is None or len(schedule) <= most:
        return schedule
    return Schedule(schedule.times[:most], schedule.phase[:most], schedule.phases, schedule.seed)


def make_plan(
    profile: Profile, target: Target, keys: Mapping[str, Secret], scales: Sequence[Scale] = (), *, salt: int = 0
) -> Plan:
    """Everything resolved: names, keys, the address. ``scales`` are of the parts of the mix; none: not measured."""
    parts = profile.workload.mix
    doors = [
        door_of(part, target, keys, scale) for part, scale in zip(parts, scales or [Scale()] * len(parts), strict=True)
    ]
    if profile.against is not None:
        backend, own = backend_of(target, profile.against), backend_keys(target, profile.against)
        origin = origin_of(backend)
        doors += [
            replace(door_of(part.model_copy(update={"model": None}), backend, own, door.scale), origin=origin)
            for part, door in zip(parts, doors, strict=True)
        ]
    schedule, asked, entries = everything_of(profile)
    workload = both_ways(profile.workload) if profile.against is not None else profile.workload
    requests = Requests(workload, asked, doors, profile.seed, entries, salt=salt)
    return Plan(profile, schedule, asked, requests, origin_of(target))


def everything_of(profile: Profile) -> tuple[Schedule, Asked, list[Entry]]:
    """When what is due, what it asks for, and what of it somebody wrote."""
    workload, entries = profile.workload, entries_of(profile)
    if (both := interleaved_of(profile)) is not None:
        return both.schedule, both.spread(draw(workload, both.pairs, profile.seed), len(workload.mix)), entries
    schedule, trace = schedule_of(profile)
    return schedule, draw(workload, len(schedule), profile.seed, trace, entries), entries


def entries_of(profile: Profile) -> list[Entry]:
    return read_dataset(Path(profile.workload.dataset)) if profile.workload.dataset is not None else []


def bound_of(profile: Profile) -> Bound:
    """Exact for requests of an open loop; tokens as asked for, prompts and answers."""
    if (sweep := Sweep.of(profile)) is not None:
        asked = draw(profile.workload, sweep.most_requests, profile.seed, entries=entries_of(profile))
    else:
        asked = everything_of(profile)[1]
    return Bound(len(asked), asked.tokens)


def door_of(part: Part, target: Target, keys: Mapping[str, Secret], scale: Scale) -> Door:
    model = part.model or target.models.get(part.api)
    if model is None:
        raise ConfigError(
            f"{target.name} declares no model for `{part.api}`", key="workload.mix.model", accepted=target.models
        )
    tenant = part.tenant or target.main_tenant
    if tenant not in target.tenants:
        problem = f"{target.name} has no tenant `{tenant}`{near_miss(tenant, target.tenants)}"
        raise ConfigError(problem, key="workload.mix.tenant", accepted=target.tenants)
    headers = {**resolve_headers(target, tenant), **target.auth_headers(keys.get(tenant))}
    stream = part.stream and part.api in {"chat", "completions", "responses", "messages"}
    return Door(part.api, target.path(part.api), host_of(target), model, stream, headers, scale)


def host_of(target: Target) -> str:
    return target.host or urlsplit(target.root_url).netloc.rpartition("@")[2]


def origin_of(target: Target) -> Origin:
    """Resolved once: a slow resolver must not look like a slow target."""
    parts = urlsplit(target.root_url)
    host, port = target.connect_to or (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TargetUnreachable(f"{target.name}: {host} does not resolve: {error.strerror}") from None
    family, _, _, _, address = found[0]
    if parts.scheme != "https":
        return Origin((str(address[0]), int(address[1])), family)
    return Origin((str(address[0]), int(address[1])), family, *security(target))
