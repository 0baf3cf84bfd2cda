"""The results of a run as metrics for monitoring systems, whatever their format.

Everything is a gauge or a summary of one finished run, never a counter: the next run replaces the values, and a rate
over them would mean nothing. Names and units follow OpenTelemetry (dots, UCUM units); Prometheus names come from them.

A void run exports that it is void and nothing that was measured: an alert must not take its numbers for numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gateproof.report.load_model import Distribution, Estimate, LoadReport
from gateproof.report.model import Report
from gateproof.report.saved import Saved

Labels = Mapping[str, str]
UNITS = {"s": "s", "tokens": "{token}"}
"""UCUM units by those of our metrics."""


@dataclass(frozen=True, slots=True)
class Value:
    """One number."""

    value: float
    labels: Labels = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """One distribution: values by quantile (0.5, 0.99), with the count and the sum of all."""

    count: int
    sum: float
    quantiles: Mapping[float, float]
    labels: Labels = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gauge:
    """``unit`` in UCUM: ``s``, ``1`` for a share, ``{request}/s``; empty where there is none."""

    name: str
    unit: str
    help: str
    values: Sequence[Value]
    kind: Literal["gauge"] = "gauge"


@dataclass(frozen=True, slots=True)
class Summary:
    name: str
    unit: str
    help: str
    values: Sequence[Quantiles]
    kind: Literal["summary"] = "summary"


Family = Gauge | Summary


@dataclass(frozen=True, slots=True)
class Exported:
    """``common`` are the labels that every value has: few, and the same from run to run.

    ``began`` and ``ended`` are seconds since 1970; ``ended`` is ``began`` where nobody saw the end.
    """

    common: Labels
    began: float
    ended: float
    suite_version: str
    families: tuple[Family, ...]


def exported(saved: Saved) -> Exported:
    """Everything that a run exports, in a fixed order."""
    report = saved.report
    common = {"target": report.target.name, "kind": report.kind}
    if isinstance(report, LoadReport):
        common["profile"] = str(report.profile.get("name", ""))
        families = [*_load(report)]
    else:
        families = [*_conformance(report)]
    began = report.started.timestamp()
    ended = began if report.ended is None else report.ended.timestamp()
    about = [
        Gauge("gateproof.run.info", "", "What the run was, in labels.", [Value(1, _info(saved))]),
        Gauge("gateproof.run.end_timestamp", "s", "When the run ended, since 1970.", [Value(ended)]),
    ]
    return Exported(common, began, ended, report.suite.version, (*about, *families))


def _info(saved: Saved) -> Labels:
    report = saved.report
    # one label for all: names of their own could clash once what is not legal in a label is replaced
    versions = ", ".join(f"{name} {version}" for name, version in sorted(report.target.versions.items()))
    info = {"run": saved.name, "suite": report.suite.version, "dialect": report.target.dialect, "versions": versions}
    if isinstance(report, LoadReport):
        return {**info, "schedule": report.schedule}
    return {**info, "catalogue": report.suite.catalogue_hash}


# --- load runs ---


def _load(report: LoadReport) -> Iterator[Family]:
    valid = report.verdict.verdict == "VALID"
    yield Gauge("gateproof.run.valid", "", "1: the numbers may be believed; 0: the run is void.", [Value(int(valid))])
    if not valid:
        return
    yield Gauge("gateproof.run.window", "s", "Length of the counted phases.", [Value(report.window_s)])
    requests = [Value(count, {"outcome": outcome}) for outcome, count in sorted(report.outcomes.items())]
    yield Gauge("gateproof.run.requests", "{request}", "Requests due in the counted phases, by outcome.", requests)
    tokens = [Value(report.tokens.prompt, {"of": "prompt"}), Value(report.tokens.completion, {"of": "completion"})]
    yield Gauge("gateproof.run.tokens", "{token}", "Tokens by the target's own count.", tokens)
    if report.error_share is not None:
        yield Gauge("gateproof.error", "1", "Share of requests that did not end well.", [Value(report.error_share)])
    yield from _rates(report)
    yield from (_summary(name, metric) for name, metric in sorted(report.metrics.items()) if metric.count)
    yield from _overhead(report)
    yield from _saturation(report)


def _rates(report: LoadReport) -> Iterator[Family]:
    rates = report.rates
    if rates.requests is not None:
        yield Gauge("gateproof.answers", "{request}/s", "Requests that ended well.", [Value(rates.requests)])
    if rates.output_tokens is not None:
        yield Gauge("gateproof.output_tokens", "{token}/s", "Tokens generated.", [Value(rates.output_tokens)])


def _summary(name: str, metric: Distribution) -> Summary:
    quantiles = {_share(quantile): value for quantile, value in metric.quantiles.items()}
    since = f", from {metric.start}" if metric.start else ""
    point = Quantiles(metric.count, (metric.mean or 0.0) * metric.count, dict(sorted(quantiles.items())))
    return Summary(f"gateproof.{name}", UNITS[metric.unit], f"{name} of requests that ended well{since}.", [point])


def _share(quantile: str) -> float:
    """0.999 of `p99.9`, without the rounding that a division leaves."""
    return round(float(quantile.removeprefix("p")) / 100, 6)


def _overhead(report: LoadReport) -> Iterator[Family]:
    if report.overhead is None:
        return
    found: list[tuple[Labels, Estimate]] = []
    for name, stage in sorted(report.overhead.stages.items()):
        estimates = {"median": stage.median, "mean": stage.mean, "p95": stage.tail}
        found += [({"stage": name, "of": of}, each) for of, each in estimates.items() if each is not None]
    what = "What the gateway adds to the backend, by stage"
    yield Gauge("gateproof.overhead", "s", f"{what}.", [Value(each.value, labels) for labels, each in found])
    bounds = [
        Value(bound, {**labels, "bound": side})
        for labels, each in found
        for side, bound in (("lower", each.low), ("upper", each.high))
        if bound is not None
    ]
    if bounds:
        yield Gauge("gateproof.overhead.bound", "s", f"{what}: bounds of the 95 % confidence interval.", bounds)


def _saturation(report: LoadReport) -> Iterator[Family]:
    if report.saturation is None:
        return
    rates = {"met": report.saturation.met, "not met": report.saturation.not_met}
    values = [Value(rate, {"objectives": objectives}) for objectives, rate in rates.items() if rate is not None]
    if values:
        what = "Highest rate that met the objectives, lowest that did not."
        yield Gauge("gateproof.saturation", "{request}/s", what, values)


# --- conformance runs ---


def _conformance(report: Report) -> Iterator[Family]:
    summary = report.summary
    yield Gauge("gateproof.run.complete", "", "1: every collected test gave a result.", [Value(int(report.complete))])
    whether = int(summary.verdict == "CONFORMANT")
    yield Gauge("gateproof.conformant", "", "1: no MUST is broken and nothing is in doubt.", [Value(whether)])
    counted = Counter((each.verdict.value, each.level.value) for each in report.requirements)
    values = [Value(count, {"verdict": v, "level": level}) for (v, level), count in sorted(counted.items())]
    yield Gauge("gateproof.requirements", "{requirement}", "Requirements by verdict and level.", values)
    red = [
        Value(1, {"id": each.id, "area": each.area, "verdict": each.verdict.value, "level": each.level.value})
        for each in sorted(report.requirements, key=lambda each: each.id)
        if each.red
    ]
    if red:
        yield Gauge("gateproof.requirement.broken", "", "1 for each that makes the target not conformant.", red)
    spent = summary.spent
    yield Gauge("gateproof.run.spent_requests", "{request}", "Requests sent by the run.", [Value(spent.requests)])
    yield Gauge("gateproof.run.spent_tokens", "{token}", "Tokens used by the run.", [Value(spent.tokens)])
