"""What is said of a verdict: whole sentences, with every number that it rests on."""

from __future__ import annotations

from gateproof.gate.metrics import Metric, shown
from gateproof.gate.model import RATIOS, ConformanceGate, MetricGate, Side
from gateproof.report.statistics import Interval

_SIGNS: dict[str, str] = {"max": "≤", "min": "≥", "max_ratio": "≤", "min_ratio": "≥"}
MANY = 1_000_000_000
"""Samples beyond which a number of them is no help."""


def gate_in_words(gate: MetricGate, side: Side, bound: float) -> str:
    """`ttft.p95 ≤ 2 s in steady`, or against the baseline."""
    ratio = side in RATIOS
    value = f"{bound:g} × baseline" if ratio else shown(gate.measured.unit, bound)
    return " ".join([f"{gate.metric} {_SIGNS[side]} {value}", *_where(gate)])


def _where(gate: MetricGate) -> list[str]:
    words = []
    if gate.within:
        bounds = [f"{name} ≤ {shown('s', bound)}" for name, bound in gate.within.items()]
        words.append(f"with {' and '.join(bounds)}")
    if gate.phase is not None:
        words.append(f"in {gate.phase}")
    if gate.begin is not None or gate.end is not None:
        end = "the end" if gate.end is None else f"{gate.end:g} s"
        words.append(f"from {gate.begin or 0:g} s to {end}")
    return words


def conformance_in_words(gate: ConformanceGate) -> str:
    """`MUST: no failed, untestable, disabled, expired`"""
    bounds = {"failed": gate.failed, "untestable": gate.untestable, "disabled": gate.disabled, "expired": gate.expired}
    if gate.known is not None:
        bounds["known"] = gate.known
    none = [name for name, bound in bounds.items() if not bound]
    some = [f"at most {bound} {name}" for name, bound in bounds.items() if bound]
    return f"{gate.conformance.upper()}: " + ", ".join([*([f"no {', '.join(none)}"] if none else []), *some])


def seen(unit: str, interval: Interval, confidence: float) -> str:
    """`412 ms, from 398 ms to 431 ms with 99 % confidence either way`"""
    value = in_unit(unit, interval.estimate)
    if interval.low == interval.high == interval.estimate:
        return value
    ends = [in_unit(unit, end) for end in (interval.low, interval.high)]
    if interval.low is None and interval.high is None:
        return f"{value}, with no end known"
    if interval.low is None:
        return f"{value}, at most {ends[1]} with {confidence * 100:g} % confidence"
    if interval.high is None:
        return f"{value}, at least {ends[0]} with {confidence * 100:g} % confidence"
    return f"{value}, from {ends[0]} to {ends[1]} with {confidence * 100:g} % confidence either way"


def in_unit(unit: str, value: float | None) -> str:
    if unit == "ratio":
        return "–" if value is None else f"{value:.3f}"
    return shown(unit, value)  # type: ignore[arg-type]  # every other word is one of Unit


def basis(interval: Interval, metric: Metric) -> str:
    """`from 480 samples, worth 312 independent ones (order statistics)`"""
    if metric.kind == "count":
        return f"of {interval.samples:,} requests"
    if metric.kind == "knee":
        return f"from {interval.samples:,} runs ({interval.method})"
    what = {"rate": "seconds", "overhead": "pairs of requests", "share": "requests"}.get(metric.kind, "samples")
    worth = ""
    if metric.kind == "overhead":
        worth = f" in {interval.effective:,.0f} pairs of blocks"
    elif round(interval.effective) < interval.samples:
        worth = f", worth {interval.effective:,.0f} independent ones"
    return f"from {interval.samples:,} {what}{worth} ({interval.method})"


def samples(number: int | None) -> str:
    if number is None:
        return "the value lies on the bound: no number of samples decides"
    return "more samples than can be had would decide" if number > MANY else f"about {number:,} samples would decide"


def length(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`"""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.2g} {unit}" if seconds < 10 * size else f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"
