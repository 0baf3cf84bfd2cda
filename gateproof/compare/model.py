"""A comparison of load runs as it is published (docs/schema/comparison.schema.json).

Times are seconds, shares of 1. An end of an interval is null where the samples are too few to tell it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from gateproof.report.likeness import Kind
from gateproof.report.parts import Count, Plain, Text

Number = Annotated[float, Field(allow_inf_nan=False)]
Unit = Literal["s", "share", "1/s"]
Scale = Literal["ratio", "points", "seconds"]
"""Candidate over baseline, or candidate minus baseline: of shares (of 1), or of seconds."""
Verdict = Literal["worse", "perhaps worse", "no change seen", "perhaps better", "better", "cannot tell"]
Trend = Literal["worse", "perhaps worse", "no trend seen", "too few runs", "perhaps better", "better"]


class Run(Plain):
    """One run, as a reader recognises it."""

    folder: Text
    name: Text
    """The stamp: the name of its folder."""
    target: Text
    profile: Text
    started: AwareDatetime
    verdict: Literal["VALID", "VOID"]
    reasons: list[Text]
    versions: dict[Text, Text]
    suite: Text


class Difference(Plain):
    """Something about two runs that is not the same. What is ``grave`` makes their numbers answer other questions."""

    kind: Kind
    what: Text
    baseline: Text
    candidate: Text
    grave: bool


class Side(Plain):
    """One number of one run. ``effective`` is what the samples are worth as independent ones."""

    value: Number
    low: Number | None
    high: Number | None
    samples: Count
    effective: Number


class Change(Plain):
    """One number of both runs, and what became of it on its scale."""

    metric: Text
    unit: Unit
    better: Literal["lower", "higher"]
    baseline: Side | None
    candidate: Side | None
    scale: Scale
    change: Number | None
    low: Number | None
    high: Number | None
    verdict: Verdict
    said: Text
    """The same in words, with how sure it is."""


class Curve(Plain):
    """Quantiles of one metric of one run; ``run`` counts the runs as they were named, the baseline is 0."""

    run: Count
    metric: Text
    shares: list[Number]
    values: list[Number]


class Against(Plain):
    """One candidate against the baseline."""

    run: Run
    differences: list[Difference]
    changes: list[Change]


class Comparison(Plain):
    """Candidates against one baseline. ``confidence`` is that of each end of each interval on its own."""

    schema_version: Literal["1.0"] = "1.0"
    kind: Literal["comparison"] = "comparison"
    confidence: Number
    baseline: Run
    candidates: list[Against]
    curves: list[Curve]


class Point(Plain):
    """One run of a track. A void run has no numbers, whatever its report says."""

    run: Run
    schedule: Text
    numbers: dict[Text, Side]
    missing: Text | None
    """Why numbers, or their intervals, are not there."""


class Mark(Plain):
    """Something that changed from one run to the next: ``at`` counts the points of the track, from 0."""

    at: Count
    differences: list[Difference]


class Course(Plain):
    """What became of one number over the runs since the profile last changed."""

    metric: Text
    unit: Unit
    better: Literal["lower", "higher"]
    verdict: Trend
    shape: Literal["creeps", "jumps"] | None
    at: Count | None
    """Of a jump: the first point of the new level."""
    runs: Count
    said: Text


class Track(Plain):
    """The runs of one target with one profile, in the order in which they began."""

    target: Text
    profile: Text
    points: list[Point]
    marks: list[Mark]
    courses: list[Course]


class LeftOut(Plain):
    """A folder of which nothing is told, and why."""

    folder: Text
    why: Text


class History(Plain):
    """Load runs over time."""

    schema_version: Literal["1.0"] = "1.0"
    kind: Literal["history"] = "history"
    confidence: Number
    tracks: list[Track]
    left_out: list[LeftOut]
