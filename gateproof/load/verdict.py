"""May the numbers of a run be believed? Whatever makes them untrustworthy makes the run void, with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc  # type: ignore[import-untyped]  # no types

from gateproof.load.analysis import Numbers
from gateproof.load.histogram import Histogram
from gateproof.load.log import INTERRUPTED, Rows
from gateproof.load.profile import Trust
from gateproof.load.wire.outcome import Outcome

SKEW = 0.5
"""s by which a worker's clock may be off its master's: half of the head start that every worker is given."""


@dataclass(frozen=True, slots=True)
class WorkerSelf:
    """What a worker says of itself at its end."""

    worker: int
    rows: int
    cpu: float
    """Of one core, while the run lasted."""
    lag: Histogram
    clock_steps: int = 0
    stamped: bool = True
    lost_rows: str | None = None
    ahead: float = 0.0
    """s by which its clock was ahead of the master's when the order to begin came; the order's way is part of it."""

    def to_plain(self) -> dict[str, Any]:
        return {
            "worker": self.worker,
            "rows": self.rows,
            "cpu": self.cpu,
            "lag": self.lag.to_plain(),
            "clock_steps": self.clock_steps,
            "stamped": self.stamped,
            "lost_rows": self.lost_rows,
            "ahead": self.ahead,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> WorkerSelf:
        return cls(**{**plain, "lag": Histogram.from_plain(plain["lag"])})


@dataclass(frozen=True, slots=True)
class Belief:
    """``void`` has the reasons why the numbers are worth nothing; ``notes`` what a reader should know beside them."""

    void: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def and_also(self, void: Sequence[str], notes: Sequence[str]) -> Belief:
        return Belief((*self.void, *void), (*self.notes, *notes))


@dataclass
class _Reasons:
    void: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def belief(
    trust: Trust, due: int, rows: Rows, counted: Numbers, workers: Sequence[WorkerSelf], expected: int, *, closed: bool
) -> Belief:
    """``due`` is the number of requests of the whole schedule, ``expected`` that of the workers at the start."""
    reasons = _Reasons()
    _workers(reasons, trust, workers, expected)
    if not closed:
        _schedule(reasons, trust, due, rows, counted)
    _interrupted(reasons, trust, rows)
    _answers(reasons, trust, counted)
    for name in rows.unreadable:
        reasons.void.append(f"a part of the log cannot be read: {name}")
    if rows.twice:
        reasons.void.append(f"{rows.twice} requests stand twice in the log")
    return Belief(tuple(reasons.void), tuple(reasons.notes))


def _workers(reasons: _Reasons, trust: Trust, workers: Sequence[WorkerSelf], expected: int) -> None:
    if len(workers) < expected:
        reasons.void.append(f"{expected - len(workers)} of {expected} workers were lost")
    for each in workers:
        who, whose = (f"worker {each.worker}", f"worker {each.worker}'s") if expected > 1 else ("we", "our")
        lag = (each.lag.quantile(0.99) or 0.0) / 1e9
        if lag > trust.lag_p99:
            reasons.void.append(
                f"{who} ran late: p99 of our own timers {lag * 1e3:.1f} ms, {trust.lag_p99 * 1e3:g} ms allowed"
            )
        if each.cpu > trust.cpu:
            reasons.void.append(f"{who} used {each.cpu:.0%} of a core, {trust.cpu:.0%} allowed: use more workers")
        if each.clock_steps:
            reasons.void.append(f"{whose} clock was set {each.clock_steps} times during the run")
        if abs(each.ahead) > SKEW:
            where = "ahead of" if each.ahead > 0 else "behind"
            reasons.void.append(f"{whose} clock is {abs(each.ahead):.1f} s {where} the master's: set both by NTP")
        if each.lost_rows:
            reasons.void.append(f"{whose} log is incomplete: {each.lost_rows}")
        if not each.stamped:
            reasons.notes.append("this kernel stamps nothing: instants are those of our own reads")


def _schedule(reasons: _Reasons, trust: Trust, due: int, rows: Rows, counted: Numbers) -> None:
    logged = rows.table.num_rows
    if logged < due:
        reasons.void.append(f"{due - logged} of {due} due requests are in no log")
    share = counted.dispatched / counted.due if counted.due else 0.0
    if share < trust.achieved:
        reasons.void.append(
            f"{counted.due - counted.dispatched} of {counted.due} due requests did not leave: "
            f"{share:.1%}, {trust.achieved:.0%} needed"
        )
    slip = counted.metrics["slip"].quantiles.get("p99") or counted.metrics["slip"].high or 0.0
    if slip > trust.slip_p99:
        reasons.void.append(f"requests left late: p99 {slip * 1e3:.1f} ms, {trust.slip_p99 * 1e3:g} ms allowed")


def _interrupted(reasons: _Reasons, trust: Trust, rows: Rows) -> None:
    """What interruptions have cost of the load that was to be offered."""
    lost = int(pc.sum(pc.equal(rows.table["detail"], INTERRUPTED)).as_py() or 0)
    share = lost / rows.table.num_rows if lost else 0.0
    if share > 1 - trust.achieved:
        allowed = 1 - trust.achieved
        reasons.void.append(f"{lost} requests were lost in interruptions: {share:.1%}, {allowed:.0%} allowed")


def _answers(reasons: _Reasons, trust: Trust, counted: Numbers) -> None:
    good = counted.outcomes.get(Outcome.OK.value, 0)
    if not counted.due:
        reasons.void.append("nothing was due in the counted phases")
        return
    if not good:
        reasons.notes.append("no request ended well: there is nothing to measure latencies with")
        return
    usage = counted.metrics["completion_tokens"]
    told = usage.count / good
    if told < trust.usage:
        reasons.notes.append(f"{good - usage.count} of {good} answers do not tell their usage: token rates are too low")
