"""The state of one run: what is tested, what was found out about it, and what has been spent.

Imports neither pytest nor a pack, so that fixtures and plugin modules can share it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gateproof import __version__
from gateproof.report.records import EvidenceItem, Record
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret
from gateproof.tenants.lease import Leases
from gateproof.verdict.catalogue import Catalogue
from gateproof.verdict.expectations import Expectations
from gateproof.verdict.outcomes import Level
from gateproof.verdict.watch import Watch
from gateproof.wire.client import Client, Limits, Tls
from gateproof.wire.exchange import Exchange
from gateproof.wire.redact import Redactor

# Exchanges kept as evidence of one test: the last ones tell what went wrong, the rest only fills the disk.
EVIDENCE_KEPT = 6

UNAUTHORIZED, FORBIDDEN = 401, 403

DEFAULT_MAX_WAIT = 300.0  # s; the default of --max-wait


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user restricted the run to; empty sets restrict nothing."""

    areas: frozenset[str] = frozenset()
    requirements: frozenset[str] = frozenset()
    disabled: frozenset[str] = frozenset()
    level: Level = Level.MAY
    smoke: bool = False

    def __str__(self) -> str:
        parts = [f"area {', '.join(sorted(self.areas))}"] if self.areas else []
        parts += [", ".join(sorted(self.requirements))] if self.requirements else []
        parts += [f"level {self.level} and above"] if self.level is not Level.MAY else []
        parts += ["smoke"] if self.smoke else []
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Spend:
    """A bound on requests and tokens; None is no bound."""

    requests: int | None
    tokens: int | None


class SpendExceeded(Exception):
    """A test sent more than its claim allows: our own defect, since the bound was promised to the user."""


@dataclass
class Recorder:
    """What one test sends: its evidence, and its spending held to what its claim allows."""

    requirement: str
    requests_allowed: int
    exchanges: list[Exchange] = field(default_factory=list)
    requests: int = 0
    tokens: int = 0
    doubts: dict[Secret, Holder] = field(default_factory=dict)
    """The keys that got a 401 in this test, and whose they are."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> None:
        with self.lock:
            self.requests += 1
            if self.requests > self.requests_allowed:
                raise SpendExceeded(f"request number {self.requests} of {self.requests_allowed} claimed")

    def saw(self, exchange: Exchange, tokens: int) -> None:
        with self.lock:
            self.exchanges.append(exchange)
            del self.exchanges[:-EVIDENCE_KEPT]
            self.tokens += tokens

    def take_over(self, other: Recorder) -> None:
        """What was recorded for several tests is evidence of each, and is paid for by the first."""
        with self.lock, other.lock:
            self.exchanges = other.exchanges[-EVIDENCE_KEPT:]
            self.requests, self.tokens = self.requests + other.requests, self.tokens + other.tokens
            self.requests_allowed += other.requests
            other.requests = other.tokens = 0


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose key it is."""

    name: str
    minted: bool
    auth: Mapping[str, str] = field(repr=False)
    """The headers that carry it."""


@dataclass(repr=False)
class TargetRun:
    """One target in this run, with what launching and probing added to its description."""

    target: Target
    redactor: Redactor
    expectations: Expectations
    run_id: str
    keys: dict[str, Secret] = field(default_factory=dict)
    admin_key: Secret | None = None
    headers: dict[str, str] = field(default_factory=dict)
    detected: dict[str, bool] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    max_wait: float = DEFAULT_MAX_WAIT
    """s; the longest that one check may wait for a window to end."""
    recorder: Recorder | None = None
    leases: Leases | None = None
    accepted: set[Secret] = field(default_factory=set)
    """Keys that this process has seen to work."""
    watched: dict[str, list[str]] = field(default_factory=dict)
    """By watch that this process may be asked for: the requirements that judge it."""
    scenes: dict[str, Watch[Any]] = field(default_factory=dict)
    """The same watches themselves."""
    stages: Any = None
    """What ``fixtures.watches`` keeps of those that are played."""

    def __repr__(self) -> str:
        return f"TargetRun({self.target.name})"

    @cached_property
    def client(self) -> Client:
        target = self.target
        return Client(
            target.root_url,
            headers={"user-agent": f"gateproof/{__version__}", **self.headers},
            limits=Limits(connect=target.timeouts.connect, read=target.timeouts.read, total=target.timeouts.total),
            tls=Tls(verify=target.tls.verify, ca=target.tls.ca, server_name=target.tls.server_name),
            host=target.host,
            connect_to=target.connect_to,
            redactor=self.redactor,
            observe=self.observe,
        )

    def hide_secrets(self) -> None:
        """Tell the redactor every key of this target."""
        for secret in [*self.keys.values(), *filter(None, [self.admin_key])]:
            self.redactor.add(secret.reveal())

    @property
    def user_agent(self) -> str:
        """Names the check and the run, so that the target's own logs can be joined to the report."""
        check = f"{self.recorder.requirement}; " if self.recorder else ""
        return f"gateproof/{__version__} ({check}run {self.run_id})"

    def observe(self, exchange: Exchange) -> None:
        if self.recorder is not None:
            self.recorder.saw(exchange, tokens_of(exchange))

    def heard(self, exchange: Exchange, key: Secret, holder: Holder) -> None:
        """What an answer says about the key that the request carried."""
        if exchange.answer is None:
            return
        if exchange.status not in (UNAUTHORIZED, FORBIDDEN):
            self.accepted.add(key)
        elif exchange.status == UNAUTHORIZED and self.recorder is not None:
            self.recorder.doubts.setdefault(key, holder)

    def evidence(self) -> tuple[EvidenceItem, ...]:
        """The last exchanges of the running test, newest last."""
        exchanges = self.recorder.exchanges if self.recorder else []
        return tuple(EvidenceItem(text=e.evidence(), curl=e.curl(), line=repr(e)) for e in exchanges)


ALONE = "alone"
"""The group of those tests that run last, one after the other, while all else is idle."""


@dataclass
class Plan:
    """What will run: filled by whoever collects, read by whoever reports."""

    requests: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    awaited: dict[str, dict[str, str]] = field(default_factory=dict)
    """By target: the id of every collected test, and its requirement."""
    windows: dict[str, str] = field(default_factory=dict)
    """By test id: the window of a declared tenant that it uses up; tests of one window never run side by side."""
    waits: dict[str, float] = field(default_factory=dict)
    """By test id: the seconds that it waits on purpose; only what is long enough to be noticed."""
    together: dict[str, str] = field(default_factory=dict)
    """By test id: what its wait is shared with; tests that wait side by side, or for the same, wait once."""
    settled: list[dict[str, Any]] = field(default_factory=list)
    """Records that need no test: NOT_DECLARED and DISABLED ones, as JSON."""
    problem: str | None = None
    """Why nothing can run, when a worker found it out."""

    def waits_of(self, tests: Iterable[str]) -> list[float]:
        """The waits of these tests, what is waited out together once."""
        longest: dict[str, float] = {}
        for nodeid in tests:
            if nodeid in self.waits:
                shared = self.together.get(nodeid, nodeid)
                longest[shared] = max(longest.get(shared, 0.0), self.waits[nodeid])
        return list(longest.values())


@dataclass
class Run:
    """Everything that the modules of the plugin share."""

    catalogue: Catalogue
    targets: dict[str, Target]
    selection: Selection
    spend: Spend | None
    expectations_folder: Path
    max_wait: float
    report_root: Path
    command: list[str]
    ready: dict[str, TargetRun] = field(default_factory=dict)
    plan: Plan = field(default_factory=Plan)
    records: list[Record] = field(default_factory=list)
    interrupted: str | None = None

    def bound(self, target: Target) -> Spend:
        """The most that may be spent on a target: the command line's word, else the target's own."""
        given = self.spend
        own = target.spend
        if given is None:
            return Spend(own.requests, own.tokens)
        return Spend(given.requests, given.tokens if given.tokens is not None else own.tokens)


# The last number that a reply gives for what it cost; a stream tells it at its end.
TOTAL_TOKENS = re.compile(rb'"total_tokens"\s*:\s*(\d{1,9})')
TAIL = 4096  # bytes at the end of a body in which usage stands


def tokens_of(exchange: Exchange) -> int:
    """What the reply says it cost, 0 when it says nothing."""
    tail = b"".join(chunk.data for chunk in exchange.chunks[-8:])[-TAIL:]
    found = TOTAL_TOKENS.findall(tail)
    return int(found[-1]) if found else 0
