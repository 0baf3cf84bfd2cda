"""The numbers that are compared, from the log of a run: each with its interval, and curves of all quantiles."""

from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from gateproof.errors import ConfigError
from gateproof.gate.measure import overhead_of
from gateproof.gate.metrics import Metric, metric_of
from gateproof.load.analysis import BEYOND, QUANTILES
from gateproof.load.log import FOLDER, read_log
from gateproof.load.profile import Profile
from gateproof.load.ranks import ranks_of
from gateproof.load.samples import Sampled, Samples, Stretch
from gateproof.report.load_model import LoadReport
from gateproof.report.saved import Saved
from gateproof.report.statistics import Interval, mean_interval, quantile_interval, share_interval

COMPARED: tuple[Metric, ...] = tuple(
    metric_of(name)
    for name in (
        *("ttft.p50", "ttft.p95", "ttft.p99"),
        *("tpot.p50", "tpot.p95"),
        *("gap.p50", "gap.p99"),
        *("latency.p50", "latency.p95", "latency.p99"),
        *("error_share", "rates.requests", "rates.output_tokens"),
    )
)
OVERHEAD: tuple[Metric, ...] = tuple(
    metric_of(f"overhead.{stage}.{of}")
    for stage, of in (("first_byte", "median"), ("ttft", "median"), ("ttft", "tail"), ("latency", "median"))
)
"""What a gateway adds, of runs that know."""
CURVES = ("ttft", "tpot", "gap", "latency")
PER_DECADE = 24
"""Points of a curve for each further nine of the quantile: more cannot be told apart on a page."""
SHARE_DIGITS = 9
"""Of a share: a billion values would be needed to tell more."""

Floats = NDArray[np.float64]


def load_report(saved: Saved) -> LoadReport:
    assert isinstance(saved.report, LoadReport), "only load runs have numbers"
    return saved.report


def sampled(saved: Saved) -> Sampled:
    """The counted phases of a run, from its log. ConfigError where the log is not there or not whole."""
    report = load_report(saved)
    if report.saturation is not None:
        runs = ", ".join(trial.folder for trial in report.saturation.runs)
        raise ConfigError("a search has no log of its own", file=saved.folder, accepted=f"one of its runs: {runs}")
    rows = read_log(saved.folder)
    if rows.unreadable:
        raise ConfigError(f"a part of the log cannot be read: {rows.unreadable[0]}", file=saved.folder / FOLDER)
    if not rows.table.num_rows:
        raise ConfigError("the log of this run is not there, or empty", file=saved.folder / FOLDER)
    profile = _profile(saved, report)
    counted = [number for number, phase in enumerate(profile.phases) if phase.counted]
    edges = list(pairwise(accumulate((phase.duration for phase in profile.phases), initial=0.0)))
    return Sampled(rows, counted, Stretch(tuple(edges[number] for number in counted)), len(profile.workload.mix))


def _profile(saved: Saved, report: LoadReport) -> Profile:
    try:
        return Profile.model_validate(report.profile)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        key = ".".join(["profile", *map(str, first["loc"])])
        raise ConfigError(f"a profile of another version: {first['msg']}", file=saved.folder, key=key) from None


class Measured:
    """The numbers of one run. ConfigError where its log is not there or not whole."""

    def __init__(self, saved: Saved) -> None:
        self.report, self._sampled = load_report(saved), sampled(saved)
        self._last: tuple[str, Samples] | None = None

    def samples(self, name: str) -> Samples:
        """The last ones are kept: each metric is asked for several times in a row, and gaps are many."""
        if self._last is None or self._last[0] != name:
            self._last = None  # given away before the next are made
            self._last = name, self._sampled.of(name)
        return self._last[1]

    def interval(self, metric: Metric, confidence: float) -> Interval | None:
        """``confidence`` is that of each end. None where the run has no such value at all."""
        if metric.kind == "overhead":
            return overhead_of(self.report, metric, confidence)
        if metric.kind == "share":
            errors = self._sampled.errors()
            return share_interval(errors, confidence=confidence) if len(errors) else None
        if metric.kind == "rate":
            series = self._sampled.per_second(metric.statistic)
            return mean_interval(series, confidence=confidence) if len(series) else None
        found = self.samples(metric.name)
        assert metric.share is not None, metric.text
        if not len(found):
            return None
        return quantile_interval(found.values, metric.share, confidence=confidence, lengths=found.lengths)

    def curves(self) -> dict[str, tuple[list[float], list[float]]]:
        """By metric; those of which a run has nothing are left out."""
        found = {metric: curve(self.samples(metric).values) for metric in CURVES}
        return {metric: points for metric, points in found.items() if points[0]}


def curve(values: Floats) -> tuple[list[float], list[float]]:
    """Shares and their quantiles, up to the last that ``BEYOND`` values lie beyond: evenly spaced in nines, and those
    that have a name, by the same order statistics as the numbers beside them."""
    if len(values) <= BEYOND:
        return [], []
    last = 1 - BEYOND / len(values)
    spaced = 1 - 10 ** -np.linspace(0.0, -np.log10(1 - last), max(2, round(-np.log10(1 - last) * PER_DECADE) + 1))
    named = [share for share in QUANTILES.values() if share <= last]
    shares = np.unique(np.concatenate([spaced.round(SHARE_DIGITS), named]))
    return shares.tolist(), np.sort(values)[ranks_of(shares, len(values)) - 1].tolist()
