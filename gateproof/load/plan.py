"""From a target and a profile to everything that all workers agree on."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from gateproof.errors import ConfigError, TargetUnreachable, near_miss
from gateproof.load import schedule as schedules
from gateproof.load.arrivals import Process
from gateproof.load.engine import Plan
from gateproof.load.profile import Part, Profile
from gateproof.load.prompts import Scale
from gateproof.load.requests import BODIES, Door, Requests
from gateproof.load.schedule import Schedule
from gateproof.load.traces import Traced, read_trace
from gateproof.load.wire.call import Origin
from gateproof.load.workload import draw
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
    if arrivals.kind == "closed":
        return schedules.closed_loop(profile.requests or CLOSED_REQUESTS, phases[0], profile.seed), []
    if arrivals.trace is not None:
        rows = read_trace(Path(arrivals.trace.file), speed=arrivals.trace.speed, most=arrivals.trace.most)
        times = np.array([row.at for row in rows])
        return _at_most(schedules.replay(times[times < profile.duration], phases, profile.seed), profile), rows
    kind = "poisson" if arrivals.kind == "trace" else arrivals.kind
    return _at_most(schedules.open_loop(Process(kind, arrivals.smoothness), phases, profile.seed), profile), []


def _phase(profile: Profile, phase: Any) -> schedules.Phase:
    start = profile.rate_of(phase) or 0.0
    end = start if phase.to is None else phase.to
    return schedules.Phase(phase.name, phase.duration, start, end, phase.counted)


def _at_most(schedule: Schedule, profile: Profile) -> Schedule:
    if profile.requests is None or len(schedule) <= profile.requests:
        return schedule
    most = profile.requests
    return Schedule(schedule.times[:most], schedule.phase[:most], schedule.phases, schedule.seed)


def make_plan(profile: Profile, target: Target, keys: Mapping[str, Secret], scale: Scale) -> Plan:
    """Everything resolved: names, keys, the address."""
    schedule, trace = schedule_of(profile)
    asked = draw(profile.workload, len(schedule), profile.seed, trace)
    doors = [door_of(part, target, keys, scale) for part in profile.workload.mix]
    requests = Requests(profile.workload, asked, doors, profile.seed)
    return Plan(profile, schedule, asked, requests, origin_of(target))


def bound_of(profile: Profile) -> Bound:
    """Exact for requests of an open loop; tokens as asked for, prompts and answers."""
    schedule, trace = schedule_of(profile)
    return Bound(len(schedule), draw(profile.workload, len(schedule), profile.seed, trace).tokens)


def door_of(part: Part, target: Target, keys: Mapping[str, Secret], scale: Scale) -> Door:
    if part.api not in BODIES:
        raise ConfigError(f"no load is written for `{part.api}` yet", key="workload.mix.api", accepted=BODIES)
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
    context = ssl.create_default_context(cafile=target.tls.ca)
    if not target.tls.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    name = target.tls.server_name or (target.host or parts.hostname or "").partition(":")[0]
    return Origin((str(address[0]), int(address[1])), family, context, name)
