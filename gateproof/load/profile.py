"""A load profile: what arrives when, what it asks for, and when its numbers may be believed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, NonNegativeInt, ValidationError, field_validator, model_validator

from gateproof.errors import ConfigError, near_miss
from gateproof.load.blocks import Against, whole_pairs
from gateproof.load.saturation import Search, most, objectives_of
from gateproof.targets import explain, positions
from gateproof.targets.capabilities import Api
from gateproof.targets.positions import Tree
from gateproof.targets.values import Amount, Count, Duration, Model, mistake

PROFILES = Path("load/profiles")
OPEN = ("constant", "poisson", "gamma")
"""Arrivals with a rate of their own, which do not wait for answers."""

CONVERSES = ("chat", "responses", "messages")
"""APIs whose requests carry what was said before."""


class Trace(Model):
    """Recorded arrivals and lengths; see ``gateproof.load.traces``."""

    file: str
    speed: Amount = 1.0
    most: Count | None = None


class Arrivals(Model):
    """When requests arrive. ``closed`` keeps ``streams`` of them under way, whatever the target does."""

    kind: Literal["constant", "poisson", "gamma", "trace", "closed"] = "poisson"
    rate: Amount | None = None
    """Requests per second where a phase names no rate of its own."""
    smoothness: Amount = 1.0
    """For ``gamma``: 1 is Poisson, below is burstier, above more even."""
    streams: Count | None = None
    trace: Trace | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "closed" and self.streams is None:
            raise mistake("a closed loop needs a number of streams", accepted="streams: NUMBER", at=("streams",))
        if self.kind == "trace" and self.trace is None:
            raise mistake("a trace needs a file", accepted="trace: {file: PATH}", at=("trace",))
        if self.smoothness <= 0:
            raise mistake("more than 0 is needed", at=("smoothness",))
        return self


class Phase(Model):
    """A stretch of the run. Without ``rate`` it has that of ``arrivals``; with ``to`` it ramps there."""

    name: str
    duration: Duration
    rate: Amount | None = None
    to: Amount | None = None
    counted: bool = True
    """What warms up or recovers is logged, and left out of the numbers."""


class Length(Model):
    """So many tokens: a number alone is fixed."""

    kind: Literal["fixed", "uniform", "normal", "lognormal"] = "fixed"
    mean: Amount
    deviation: Amount = 0.0
    low: Count = 1
    high: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        return {"mean": value} if isinstance(value, int) and not isinstance(value, bool) else value

    @property
    def most(self) -> int:
        """The longest that can be drawn, for the bound of what a run may spend.

        An open end is cut at four deviations: a bound that is never reached says nothing.
        """
        if self.high is not None:
            return self.high
        return int(self.mean) if self.kind == "fixed" else int(self.mean + 4 * self.deviation)


class Part(Model):
    """One kind of request in the mix."""

    share: Amount = 1.0
    api: Api = "chat"
    model: str | None = None
    """None: the target's model of that API."""
    tenant: str | None = None
    """None: the target's main tenant."""
    stream: bool = True
    audio: Duration = 5.0
    """Of the sound that a transcription sends."""
    input_tokens: Length | None = None
    output_tokens: Length | None = None


class Prefix(Model):
    """A leading text that requests share, which a prefix cache can use."""

    tokens: Count
    groups: Count = 1
    """Different prefixes; requests are spread over them evenly."""


class Workload(Model):
    """What is asked for."""

    mix: list[Part] = Field(default_factory=lambda: [Part()])
    input_tokens: Length = Length(mean=128)
    output_tokens: Length = Length(mean=64)
    prefix: Prefix | None = None
    turns: Count = 1
    """Requests of one conversation, each with the history of those before; what arrives are then conversations."""
    think: Duration | None = None
    """Between the end of a turn and the next."""
    dataset: str | None = None
    """JSON lines with `messages` or `prompt`, and `output_tokens`; instead of synthetic prompts."""
    cache_bust: bool = True
    """Begin each prompt with a text of its own, so that no cache answers for the model."""
    ignore_eos: bool = True
    """Ask vLLM to go on to `max_tokens`, so that output lengths are those of the profile."""

    @field_validator("mix")
    @classmethod
    def _some(cls, mix: list[Part]) -> list[Part]:
        if not mix or not sum(part.share for part in mix):
            raise mistake("at least one part with a share is needed", accepted="mix: [{share, api, model, ...}]")
        return mix

    @model_validator(mode="after")
    def _sensible_turns(self) -> Self:
        if self.turns == 1:
            if self.think is not None:
                raise mistake(
                    "there is one turn: nothing to think about between", accepted="turns: NUMBER", at=("think",)
                )
            return self
        if self.dataset is not None:
            raise mistake("a line of a data set is a whole conversation: `turns` is 1 with it", at=("turns",))
        for number, part in enumerate(self.mix):
            if part.api not in CONVERSES:
                at = ("mix", number, "api")
                raise mistake(f"`{part.api}` has no conversations", accepted=", ".join(CONVERSES), at=at)
        return self


class Patience(Model):
    connect: Duration = 5.0
    stall: Duration = 60.0
    """Without a byte."""
    total: Duration = 600.0
    drain: Duration = 30.0
    """After the last phase; what is then still under way is abandoned."""


class Trust(Model):
    """Bounds beyond which the numbers of a run are void, not bad. Units in the names; origins in docs/load.md."""

    slip_p99: Duration = 0.010
    """By which requests leave later than they are due."""
    achieved: Amount = 0.99
    """Least share of the due requests that left."""
    lag_p99: Duration = 0.005
    """By which our own timers are late."""
    cpu: Amount = 0.8
    """Of one core, by any worker."""
    usage: Amount = 0.99
    """Least share of the answers that tell what they cost."""
    steady: bool = False
    """Whether a counted phase that drifts or jumps, or is too short to be tested for it, makes the run void."""
    interruptions: NonNegativeInt = 0
    """How often the run may be resumed."""


class Profile(Model):
    """One file under ``load/profiles``."""

    name: str
    description: str = ""
    seed: int = 1
    arrivals: Arrivals
    phases: list[Phase] = Field(default_factory=list)
    workload: Workload = Workload()
    requests: Count | None = None
    """The most that are sent; a closed loop ends with them."""
    in_flight: Count = 4096
    """More at once are not dispatched, and counted so."""
    patience: Patience = Patience()
    trust: Trust = Trust()
    keepalive: bool = True
    """Whether connections are used again."""
    objectives: dict[str, dict[str, Duration]] = Field(default_factory=dict)
    """By metric and quantile, as `ttft: {p95: 500ms}`: what a good request, or the knee of a sweep, must keep."""
    search: Search | None = None
    """For the knee: many short runs instead of one with phases."""
    against: Against | None = None
    """For what a gateway adds: every other block goes past it."""

    @model_validator(mode="after")
    def _special(self) -> Self:
        open_loop = self.arrivals.kind in OPEN
        if self.search is not None:
            if self.phases or self.requests or not open_loop or self.against is not None:
                problem = "a search makes its own phases, rates and numbers of requests, in an open loop"
                raise mistake(problem, accepted=f"arrivals: {', '.join(OPEN)}", at=("search",))
            objectives_of(self.objectives, self.search)
        if self.against is not None:
            if not open_loop or self.requests or self.workload.turns > 1 or self.workload.dataset:
                problem = "blocks that repeat each other need an open loop of single, synthetic requests, all of them"
                raise mistake(problem, accepted=f"arrivals: {', '.join(OPEN)}", at=("against",))
            for index, phase in enumerate(self.phases):
                if not whole_pairs(phase.duration, self.against.block):
                    problem = f"not a whole number of pairs of blocks of {self.against.block:g} s"
                    raise mistake(problem, at=("phases", index, "duration"))
        return self

    @model_validator(mode="after")
    def _rates(self) -> Self:
        if self.search is not None:
            return self
        if not self.phases:
            raise mistake("at least one phase is needed", accepted="phases: [{name, duration}]", at=("phases",))
        for index, phase in enumerate(self.phases):
            if self.arrivals.kind in OPEN and self.rate_of(phase) is None:
                raise mistake("no rate, here or in `arrivals`", accepted="rate: NUMBER", at=("phases", index, "rate"))
        return self

    def rate_of(self, phase: Phase) -> float | None:
        return self.arrivals.rate if phase.rate is None else phase.rate

    @property
    def duration(self) -> float:
        """Seconds of all phases; of a search, the most that its runs may take."""
        if self.search is not None:
            return most(self.search, objectives_of(self.objectives, self.search)).seconds
        return sum(phase.duration for phase in self.phases)


def load_profile(name: str, folder: Path = PROFILES, settings: Iterable[str] = ()) -> Profile:
    """A profile by name, with ``--set key.path=value`` laid over it; every mistake is a ConfigError."""
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    if name not in known:
        raise ConfigError(f"unknown profile `{name}`{near_miss(name, known)}", key="--profile", accepted=known)
    file = folder / f"{name}.yaml"
    tree = positions.read(file.read_text(encoding="utf-8"), file)
    data = tree.plain()
    if not isinstance(data, Mapping):
        raise ConfigError(f"expected a mapping, found {explain.shown(data)}", file=file, line=tree.line)
    plain = dict(data)
    for setting in settings:
        lay_over(plain, setting)
    try:
        return Profile.model_validate({"name": name, **plain})
    except ValidationError as error:
        raise explained(error, tree, file, name, changed=plain != data) from None


def lay_over(plain: dict[str, Any], setting: str) -> None:
    """``a.b=value``: the value is YAML, numbers in the path count into lists."""
    path, equals, text = setting.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(f"`{setting}` is no setting", key="--set", accepted="KEY=VALUE, such as arrivals.rate=20")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    here: Any = plain
    for key, following in pairwise(keys):
        here = _below(here, key, setting, empty=[] if following.isdigit() else {})
    if isinstance(here, list):
        here[_index(here, keys[-1], setting)] = value
    elif isinstance(here, dict):
        here[keys[-1]] = value
    else:
        raise ConfigError(f"`{setting}`: there is nothing to set below {explain.shown(here)}", key="--set")


def _below(here: Any, key: str, setting: str, *, empty: Any) -> Any:
    if isinstance(here, list):
        return here[_index(here, key, setting)]
    if not isinstance(here, dict):
        raise ConfigError(f"`{setting}`: there is nothing below {explain.shown(here)}", key="--set")
    if here.get(key) is None:
        here[key] = empty
    return here[key]


def _index(items: list[Any], key: str, setting: str) -> int:
    if not key.isdigit() or int(key) >= len(items):
        raise ConfigError(f"`{setting}`: `{key}` is none of {len(items)} items, counted from 0", key="--set")
    return int(key)


def explained(error: ValidationError, tree: Tree, file: Path, name: str, *, changed: bool) -> ConfigError:
    """The mistake where it stands; of a setting on the command line there is no line to show."""
    found = explain.first(error, tree, file, name, Profile)
    if changed:
        return ConfigError(found.problem, file=file, key=found.key, accepted=found.accepted)
    return found
