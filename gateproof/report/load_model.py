"""What one load run measured on one target, as it is published (docs/schema).

`gateproof.load.report` makes it from the log of the run. Version 1.0 is exact: a new field makes it 1.1. Times are
seconds, rates per second; what was not measured is null or left out, never 0.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, JsonValue

from gateproof.report.parts import Count, Plain, Seconds, Spent, TargetInfo, Text

Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Interval = tuple[Number, Number]


class LoadSuite(Plain):
    """What tested it."""

    version: Text
    command: Text | None = None
    """That repeats the run."""


class Machine(Plain):
    """What the load came from: the machine of the run's master."""

    system: Text
    python: Text
    cpus: Count | None
    usable_cpus: Count | None


class Belief(Plain):
    """Whether the numbers may be believed. VOID says nothing about the target."""

    verdict: Literal["VALID", "VOID"]
    reasons: list[Text]
    """Why the run is void."""
    notes: list[Text]
    """What a reader should know beside the numbers."""


class Distribution(Plain):
    """One metric, of the requests that ended well. A quantile with fewer than ten samples beyond it is left out."""

    unit: Literal["s", "tokens"]
    start: Text
    """The instant of a request from which it counts."""
    count: Count
    missing: Count
    """Requests that ended well and have no such value."""
    mean: Number | None
    low: Number | None
    high: Number | None
    quantiles: dict[Literal["p50", "p90", "p95", "p99", "p99.9"], Number]


class Rates(Plain):
    """Per second of the window."""

    requests: Number | None
    output_tokens: Number | None


class Tokens(Plain):
    prompt: Count
    completion: Count


class Numbers(Plain):
    """What the run, or one of its phases, comes to."""

    window_s: Seconds
    due: Count
    dispatched: Count
    outcomes: dict[Text, Count]
    """How requests ended, by the words of docs/load.md."""
    error_share: Share | None
    """Of the requests whose end is the target's doing: those that did not end well."""
    rates: Rates
    tokens: Tokens
    metrics: dict[Text, Distribution]


class Fidelity(Plain):
    """Tokens asked for and tokens told by the target; ``discrepancy`` is told over asked, minus 1."""

    requests: Count
    asked: Count
    told: Count
    off: Count
    discrepancy: Number | None


class Prompts(Plain):
    """How the prompts of one part of the mix were made to their length, and whether they came to it."""

    api: Text
    model: Text
    tenant: Text
    how: Text
    per_word: Number
    fixed: Number
    """Tokens of the chat template."""
    exact: bool
    per_turn: Number
    input: Fidelity
    output: Fidelity


class Series(Plain):
    """One series of a server's metrics over the counted phases."""

    word: Text
    """Ours: running, waiting, kv_cache, ttft, …"""
    name: Text
    """The server's own."""
    labels: Text


class Gauge(Series):
    kind: Literal["gauge"]
    samples: Count
    min: Number
    mean: Number
    max: Number
    last: Number


class Counter(Series):
    kind: Literal["counter"]
    increase: Number
    per_second: Number | None
    window_s: Seconds
    resets: Count


class Histogram(Series):
    kind: Literal["histogram"]
    count: Number
    mean: Number | None
    quantile_bounds: dict[Text, tuple[Number, Number | None] | None]
    """The edges between which each quantile lies; the upper one may be open."""
    window_s: Seconds
    resets: Count


class Unseen(Series):
    kind: Text
    missing: Text


class Source(Plain):
    """One server's metrics."""

    scrapes: Count
    gaps: dict[Text, Count]
    """Scrapes that failed, by reason."""
    series: list[Gauge | Counter | Histogram | Unseen]
    series_left_out: Count


class Sides(Plain):
    client: Count
    server: Count


class Compared(Plain):
    """One quantile as clients and as a server saw it; ``apart_s`` is 0 where the two can agree."""

    metric: Text
    quantile: Text
    source: Text
    name: Text
    client_s: tuple[Number, Number | None]
    server_s: tuple[Number, Number | None]
    requests: Sides
    apart_s: Number
    said: Text


class Server(Plain):
    sources: dict[Text, Source]
    unreadable: list[Text]
    compared: list[Compared]


class PerHour(Plain):
    """Sen's slope with its interval; ``p`` of there being no trend."""

    slope: Number
    low: Number
    high: Number
    confidence: Share
    p: Number
    inflation: Number


class LevelShift(Plain):
    """Pettitt's test: the likeliest break, and ``p`` of there being none."""

    at_s: Number | None
    before: Number
    after: Number
    p: Number


class Course(Plain):
    """What became of one series over a phase."""

    series: Text
    unit: Text
    verdict: Literal["steady", "drifts", "shifts", "cannot tell"]
    windows: Count
    span_s: Seconds
    level: Number | None
    said: Text
    per_hour: PerHour | None = None
    shift: LevelShift | None = None


class Drift(Plain):
    """One counted phase of a constant rate."""

    phase: Text
    window_s: Seconds
    steady: bool | None
    """Null: the windows scatter too much to tell."""
    series: list[Course]


class Estimate(Plain):
    """Seconds, gateway minus direct, with a confidence interval of 95 %; null where there are too few blocks."""

    value: Number
    low: Number | None
    high: Number | None


class Stage(Plain):
    """One stage of a request; ``tail`` is the difference of the sides' p95."""

    start: Text
    pairs: Count
    blocks: Count
    gateway: Seconds | None
    direct: Seconds | None
    median: Estimate | None
    mean: Estimate | None
    tail: Estimate | None


class Overhead(Plain):
    """What a gateway adds: paired differences of equal requests through it and past it."""

    unit: Literal["s"]
    pairs: Count
    lost: dict[Text, Count]
    stages: dict[Text, Stage]


class Trial(Plain):
    """One run of a search."""

    rate: Number
    length_s: Seconds
    judgement: Text
    why: list[Text]
    folder: Text


class Saturation(Plain):
    """The knee: objectives are met at the one rate and not at the other; null: no such rate in the range."""

    unit: Literal["requests/s"]
    met: Number | None
    not_met: Number | None
    limited_by_us: bool
    complete: bool
    objectives: list[Text]
    runs: list[Trial]


class Interruption(Plain):
    """The run stopped at a second of its schedule, whose clock then stood still until the run was resumed."""

    at_s: Seconds
    interrupted: AwareDatetime
    resumed: AwareDatetime
    lasted_s: Number
    workers: Count
    """That went on afterwards."""
    lost: Count
    """Requests due before that are in no log."""
    lost_s: Interval | None
    """When the first and the last of them were due."""


class LoadReport(Numbers):
    """One load run against one target."""

    schema_version: Literal["1.0"] = "1.0"
    kind: Literal["load"] = "load"
    target: TargetInfo
    suite: LoadSuite
    machine: Machine
    calibration: dict[str, JsonValue] | None = None
    """What `gateproof calibrate` found on that machine (null: it was not calibrated)."""
    profile: dict[str, JsonValue]
    """As it was played, with every setting; see docs/load.md."""
    seed: int
    schedule: Text
    """Digest of every arrival: runs with another one cannot be compared."""
    workers: Count
    started: AwareDatetime
    ended: AwareDatetime | None
    """When the last answer had come."""
    interruptions: list[Interruption] = Field(default_factory=list)
    verdict: Belief
    spent: Spent
    prompts: list[Prompts]
    phases: dict[Text, Numbers]
    server: Server
    drift: list[Drift]
    overhead: Overhead | None = None
    saturation: Saturation | None = None
