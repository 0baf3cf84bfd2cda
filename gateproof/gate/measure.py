"""A number of a run with its interval, from the log of the run, or from its report where the log has no such values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from statistics import NormalDist
from typing import Any

from gateproof.errors import ConfigError, near_miss
from gateproof.gate.metrics import OUTCOMES, Metric
from gateproof.gate.model import MetricGate
from gateproof.load.log import read_log
from gateproof.load.samples import Sampled, Stretch
from gateproof.report.load_model import Estimate, LoadReport
from gateproof.report.saved import REPORT, Saved
from gateproof.report.statistics import Interval, mean_interval, quantile_interval, share_interval

OVERHEAD_CONFIDENCE = 0.975
"""Of each end of the intervals of a report's overhead, which are two-sided ones of 95 %."""


class Unmeasured(Exception):
    """There is no such number in this run; says why."""


@dataclass(frozen=True, slots=True)
class _Phase:
    name: str
    start: float
    end: float
    counted: bool


class LoadRun:
    """A load run as it lies on the disk. Its log is read when the first gate asks for it."""

    def __init__(self, saved: Saved, report: LoadReport) -> None:
        self.saved, self.report = saved, report

    @property
    def folder(self) -> Path:
        return self.saved.folder

    @property
    def profile(self) -> str:
        return str(self.report.profile.get("name", ""))

    @cached_property
    def void(self) -> list[str]:
        """Why its numbers prove nothing; empty when they may be believed."""
        if self.report.verdict.verdict == "VOID":
            return list(self.report.verdict.reasons)
        if self.report.saturation is not None:
            return []  # its runs have logs of their own
        try:
            found = self._sampled(None).due
        except Unmeasured as error:
            return [str(error)]
        missing = found < self.report.due
        return [f"the log has {found} of the {self.report.due} requests that the report counts"] if missing else []

    def interval(self, metric: Metric, gate: MetricGate) -> Interval:
        """Unmeasured when there is none."""
        if metric.kind == "overhead":
            return self._overhead(metric, gate.confidence)
        if metric.kind == "knee":
            return self._knee()
        if self.report.saturation is not None:
            raise Unmeasured("a search has many runs, each with a folder of its own: give that of one of them")
        sampled = self._sampled(gate)
        if not sampled.due:
            raise Unmeasured("no request was due in what the gate looks at")
        if metric.kind == "count":
            return _count(sampled, metric)
        if metric.kind == "share":
            hits = sampled.errors() if metric.name == "error_share" else sampled.within(gate.within or {})
            return share_interval(_some(hits, metric), confidence=gate.confidence)
        if metric.kind == "rate":
            series = sampled.per_second(metric.statistic)
            return mean_interval(_some(series, metric), confidence=gate.confidence)
        samples = sampled.of(metric.name)
        values = _some(samples.values, metric)
        if metric.share is None:
            return mean_interval(values, confidence=gate.confidence)
        return quantile_interval(values, metric.share, confidence=gate.confidence, lengths=samples.lengths)

    def seconds(self, gate: MetricGate) -> float | None:
        """Of the part of the run that the gate looks at; None where its number is not of requests or seconds."""
        return None if gate.measured.kind in ("overhead", "knee") else self._sampled(gate).seconds

    # --- which requests ---

    @cached_property
    def _phases(self) -> list[_Phase]:
        start, found = 0.0, []
        try:
            for each in _list(self.report.profile.get("phases")):
                end = start + float(each["duration"])
                found.append(_Phase(str(each["name"]), start, end, bool(each["counted"])))
                start = end
        except (KeyError, TypeError, ValueError):
            raise ConfigError("not the phases of a run", file=self.folder / REPORT, key="profile.phases") from None
        return found

    @cached_property
    def _rows(self) -> Any:
        return read_log(self.folder)

    @cached_property
    def _parts(self) -> int:
        """Of the mix; what an overhead run sends past the gateway has numbers beyond them."""
        workload = self.report.profile.get("workload")
        mix = workload.get("mix") if isinstance(workload, dict) else None
        return max(1, len(_list(mix)))

    def _sampled(self, gate: MetricGate | None) -> Sampled:
        chosen = [number for number, phase in enumerate(self._phases) if phase.counted]
        begin, end = 0.0, math.inf
        if gate is not None:
            chosen = [self._numbered(gate.phase)] if gate.phase is not None else chosen
            begin, end = gate.begin or 0.0, math.inf if gate.end is None else gate.end
        return self._cut(tuple(chosen), begin, end)

    @cache  # noqa: B019 - as long as the run itself, which is as long as the command
    def _cut(self, chosen: tuple[int, ...], begin: float, end: float) -> Sampled:
        spans = [(self._phases[number].start, self._phases[number].end) for number in chosen]
        cut = [(max(first, begin), min(last, end)) for first, last in spans]
        stretch = Stretch(tuple((first, last) for first, last in cut if first < last))
        if not stretch.spans:
            lasted = self._phases[-1].end if self._phases else 0.0
            raise Unmeasured(f"the time frame holds nothing that counts: the run lasted {lasted:g} s")
        return Sampled(self._rows, chosen, stretch, self._parts)

    def _numbered(self, name: str) -> int:
        names = [phase.name for phase in self._phases]
        if name not in names:
            hint = near_miss(name, names) or f"; its phases are {', '.join(names) or 'none'}"
            raise Unmeasured(f"the run has no phase `{name}`{hint}")
        return names.index(name)

    # --- from the report ---

    def _overhead(self, metric: Metric, confidence: float) -> Interval:
        if self.report.overhead is None:
            raise Unmeasured("the run has no overhead: its profile sends nothing past the gateway (`against`)")
        if (found := overhead_of(self.report, metric, confidence)) is None:
            raise Unmeasured("too few pairs of requests have this stage")
        return found

    def _knee(self) -> Interval:
        found = self.report.saturation
        if found is None:
            raise Unmeasured("the run has no knee: its profile is no search (`search`)")
        high = None if found.limited_by_us else found.not_met
        return Interval(found.met or 0.0, found.met or 0.0, high, len(found.runs), float(len(found.runs)), "bracketing")


def overhead_of(report: LoadReport, metric: Metric, confidence: float) -> Interval | None:
    """From the report, whose bootstrap is of pairs of blocks; ``confidence`` is of each end. None where it has none."""
    stage = None if report.overhead is None else report.overhead.stages.get(metric.name)
    found: Estimate | None = getattr(stage, metric.statistic) if stage is not None else None
    if stage is None or found is None:
        return None
    wider = NormalDist().inv_cdf(confidence) / NormalDist().inv_cdf(OVERHEAD_CONFIDENCE)
    low, high = (None if end is None else found.value + wider * (end - found.value) for end in (found.low, found.high))
    method = "bootstrap of pairs of blocks, its 95 % scaled as a normal's"
    return Interval(found.value, low, high, stage.pairs, float(stage.blocks), method)


def _count(sampled: Sampled, metric: Metric) -> Interval:
    hits = sampled.errors() if metric.name == "errors" else sampled.ended(OUTCOMES[metric.statistic])
    number = float(hits.sum())
    return Interval(number, number, number, sampled.due, float(sampled.due), "counted")


def _some(values: Any, metric: Metric) -> Any:
    if not len(values):
        raise Unmeasured(f"no request gave a value of `{metric.name}`")
    return values


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []
