"""What a gate may be about: the names of metrics, their units, and bounds as people write them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateproof.errors import near_miss
from gateproof.load.samples import BETWEEN, TOKENS
from gateproof.load.wire.outcome import Outcome
from gateproof.targets.values import mistake

Unit = Literal["s", "tokens", "share", "1/s", "count"]
Kind = Literal["quantile", "mean", "share", "rate", "count", "overhead", "knee"]

DISTRIBUTIONS: Mapping[str, Unit] = {
    **dict.fromkeys((*BETWEEN, "tpot", "gap"), "s"),
    **dict.fromkeys(TOKENS, "tokens"),
}
"""Metrics with a distribution; a gate names a statistic of one: ``ttft.p95``, ``tpot.mean``."""
RATES = ("requests", "output_tokens")
STAGES = ("connect", "first_byte", "ttft", "latency", "gap_p99")
"""Of the overhead of a gateway; see docs/load.md."""
STAGE_STATISTICS = ("median", "mean", "tail")
OUTCOMES = {outcome.value.replace(" ", "_"): outcome for outcome in Outcome}

_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
_NUMBER = r"\d+(?:\.\d+)?"
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(rf"({_NUMBER})\s*(us|ms|s|m|h)")
_PERCENT = re.compile(rf"({_NUMBER})\s*%")
_PER = {"s": 1.0, "min": 60.0, "h": 3600.0}
_RATE = re.compile(rf"({_NUMBER})\s*/\s*(s|min|h)")

ACCEPTED: Mapping[Unit, str] = {
    "s": 'a duration with its unit: "200us", "500ms", "2s"',
    "tokens": "a number of tokens",
    "share": 'a share: "1%" or 0.01',
    "1/s": 'a rate: "100/s", "6000/min"',
    "count": "a whole number",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a run. ``name`` is the part before the dot, ``statistic`` the one after, in which ``share`` is that
    of a quantile."""

    text: str
    kind: Kind
    unit: Unit
    name: str
    statistic: str = ""
    share: float | None = None


def metric_of(text: str) -> Metric:
    """The metric of a name; a validation error with the near miss for any other."""
    name, _, statistic = text.partition(".")
    found = _plain(text) or _statistic(text, name, statistic)
    if found is None:
        # of a known name only the statistic is wrong, and the nearest of p50, p90 and p95 is a guess
        hint = "" if name in DISTRIBUTIONS else near_miss(text, names())
        raise mistake(f"unknown metric `{text}`{hint}", accepted=_accepted(name))
    return found


def _plain(text: str) -> Metric | None:
    if text in ("error_share", "good_share"):
        return Metric(text, "share", "share", text)
    if text == "errors":
        return Metric(text, "count", "count", text)
    return Metric(text, "knee", "1/s", "saturation", "knee") if text == "saturation.knee" else None


def _statistic(text: str, name: str, statistic: str) -> Metric | None:
    if name in DISTRIBUTIONS:
        unit = DISTRIBUTIONS[name]
        if statistic == "mean":
            return Metric(text, "mean", unit, name, statistic)
        share = _share(statistic)
        return Metric(text, "quantile", unit, name, statistic, share) if share else None
    if name == "rates" and statistic in RATES:
        return Metric(text, "rate", "1/s", name, statistic)
    if name == "outcomes" and statistic in OUTCOMES:
        return Metric(text, "count", "count", name, statistic)
    stage, _, which = statistic.partition(".")
    if name == "overhead" and stage in STAGES and which in STAGE_STATISTICS:
        return Metric(text, "overhead", "s", stage, which)
    return None


def _share(statistic: str) -> float | None:
    match = _QUANTILE.fullmatch(statistic)
    if match is None or not 0 < float(match[1]) < 100:
        return None
    return float(match[1]) / 100


def names() -> list[str]:
    """Every metric, with the statistics that people ask for most."""
    return [
        *(f"{name}.{each}" for name in DISTRIBUTIONS for each in ("p50", "p90", "p95", "p99", "p99.9", "mean")),
        *("errors", "error_share", "good_share"),
        *(f"rates.{rate}" for rate in RATES),
        *(f"outcomes.{word}" for word in OUTCOMES),
        *(f"overhead.{stage}.{each}" for stage in STAGES for each in STAGE_STATISTICS),
        "saturation.knee",
    ]


def _accepted(name: str) -> str:
    if name in DISTRIBUTIONS:
        return f"{name}.p50, or any other quantile up to {name}.p99.99; {name}.mean"
    if name == "outcomes":
        return ", ".join(f"outcomes.{word}" for word in OUTCOMES)
    first = ", ".join(f"{each}.p95" for each in DISTRIBUTIONS)
    return f"{first}, errors, error_share, good_share, rates.requests, outcomes.truncated, overhead.ttft.median, …"


def bound_of(metric: Metric, value: object) -> float:
    """A bound in the metric's own unit: seconds, tokens, a share of 1, per second, a count."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        found = None
    elif isinstance(value, str):
        found = _read(metric.unit, value.strip())
    else:
        found = _bare(metric.unit, float(value))
    if found is None or not math.isfinite(found):
        problem = f"{value!r} is no bound of `{metric.text}`"
        if metric.unit in ("s", "1/s") and isinstance(value, int | float):
            problem = f"{value!r} has no unit"
        raise mistake(problem, accepted=ACCEPTED[metric.unit])
    return found


def _read(unit: Unit, text: str) -> float | None:
    if unit == "s" and (match := _DURATION.fullmatch(text)):
        return float(match[1]) * _SECONDS[match[2]]
    if unit == "share" and (match := _PERCENT.fullmatch(text)):
        return _bare(unit, float(match[1]) / 100)
    if unit == "1/s" and (match := _RATE.fullmatch(text)):
        return float(match[1]) / _PER[match[2]]
    return _bare(unit, float(text)) if re.fullmatch(_NUMBER, text) else None


def _bare(unit: Unit, number: float) -> float | None:
    """Without a unit; seconds and rates need one, for who writes 500 may mean milliseconds."""
    if unit in ("s", "1/s") or number < 0 or (unit == "share" and number > 1):
        return None
    return None if unit == "count" and not number.is_integer() else number


def shown(unit: Unit, value: float | None) -> str:
    """As people read it: `412 ms`, `0.21 %`, `38.2/s`."""
    if value is None:
        return "–"
    if unit == "s":
        return _duration(value)
    if unit == "share":
        return f"{value * 100:.3g} %"
    if unit == "1/s":
        return f"{_digits(value)}/s"
    return f"{value:,.0f}" if unit == "count" else f"{_digits(value)} {unit}"


def _duration(seconds: float) -> str:
    size = abs(seconds)
    if size >= 1 or size == 0:
        return f"{_digits(seconds)} s"
    return f"{_digits(seconds * 1e3)} ms" if size >= 1e-3 else f"{_digits(seconds * 1e6)} µs"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
