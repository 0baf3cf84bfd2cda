"""The file of a gate: what a release must keep (docs/gate.md, docs/schema/gates.schema.json)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from gateproof.errors import ConfigError
from gateproof.gate.metrics import DISTRIBUTIONS, Metric, bound_of, metric_of
from gateproof.report.statistics import CONFIDENCE
from gateproof.targets import explain, positions
from gateproof.targets.positions import Tree
from gateproof.targets.values import Duration, Model, mistake, parse_duration

Level = Literal["hard", "advisory"]
Side = Literal["max", "min", "max_ratio", "min_ratio"]
RATIOS: frozenset[Side] = frozenset({"max_ratio", "min_ratio"})
"""The sides that look at a baseline."""

LEAST_CONFIDENCE, MOST_CONFIDENCE = 0.8, 0.9999
"""Below, a verdict is a guess; above, the tails that it rests on have never been looked at."""


def _metric(text: Any) -> Any:
    """Refused here already, so that the mistake stands at its own line; what it means is asked again when needed."""
    if isinstance(text, str):
        metric_of(text)
    return text


def _bound(value: Any, info: ValidationInfo) -> float | None:
    metric = info.data.get("metric")
    return None if metric is None or value is None else bound_of(metric_of(metric), value)


def _second(value: Any) -> float:
    """As a duration, and 0, which is the start of the run."""
    return 0.0 if value in (0, "0s") and value is not False else parse_duration(value)


_NUMBER_OR_TEXT = {"type": ["number", "string", "null"]}
MetricName = Annotated[str, BeforeValidator(_metric)]
Bound = Annotated[
    float | None,
    BeforeValidator(_bound),
    WithJsonSchema({**_NUMBER_OR_TEXT, "description": 'with the unit of the metric: "500ms", "1%", "100/s", 0'}),
]
Second = Annotated[float, BeforeValidator(_second), WithJsonSchema({"type": ["number", "string"]})]
Ratio = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)]


class Gate(Model):
    """What gates of both kinds have."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    level: Level = "hard"
    """A hard gate stops a release, an advisory one is only told."""
    why: str | None = None
    """Told with the verdict: where the bound comes from."""


class MetricGate(Gate):
    """A bound on one number of the load runs. Every bound that is named must hold."""

    metric: MetricName
    max: Bound = None
    min: Bound = None
    max_ratio: Ratio | None = None
    """Of the run over the baseline, for what must not grow."""
    min_ratio: Ratio | None = None
    """Of the run over the baseline, for what must not shrink."""
    catches: Ratio | None = None
    """The ratio that must not go unnoticed; decides how many samples are asked for. Without it, twice as far off 1 as
    the bound: ``max_ratio: 1.05`` catches 1.10."""
    within: dict[str, Duration] | None = None
    """For ``good_share``: the bounds that make an answer good, as ``{ttft: 500ms, tpot: 50ms}``."""
    profile: str | None = None
    """Of which runs; without it, of every load run that is given."""
    phase: str | None = None
    """Of which phase; without it, of all that count."""
    begin: Second | None = Field(default=None, alias="from")
    """Seconds of the run: requests that were due from then on."""
    end: Second | None = Field(default=None, alias="to")
    """And before then."""
    confidence: Annotated[float, Field(ge=LEAST_CONFIDENCE, le=MOST_CONFIDENCE)] = CONFIDENCE
    """With which a bound must be kept to pass, and broken to fail."""

    @property
    def measured(self) -> Metric:
        return metric_of(self.metric)

    @property
    def sides(self) -> list[tuple[Side, float]]:
        """The bounds that are named, each judged on its own."""
        named: list[tuple[Side, float | None]] = [
            ("max", self.max),
            ("min", self.min),
            ("max_ratio", self.max_ratio),
            ("min_ratio", self.min_ratio),
        ]
        return [(side, bound) for side, bound in named if bound is not None]

    def caught(self, bound: float) -> float:
        """The ratio that must not go unnoticed, of a gate with a ratio of ``bound``."""
        return self.catches if self.catches is not None else 1 + 2 * (bound - 1)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.sides:
            raise mistake("a gate without a bound", accepted="max, min, max_ratio, min_ratio", at=("metric",))
        if self.max is not None and self.min is not None and self.min > self.max:
            raise mistake("nothing can be above `min` and below `max`", at=("min",))
        if self.begin is not None and self.end is not None and self.begin >= self.end:
            raise mistake("the time frame ends before it begins", at=("to",))
        self._sensible_share()
        self._sensible_ratios()
        return self

    def _sensible_share(self) -> None:
        if (self.metric == "good_share") != (self.within is not None):
            accepted = "{metric: good_share, within: {ttft: 500ms}, min: 95%}"
            raise mistake("`within` and `good_share` belong together", accepted=accepted, at=("within",))
        for name in self.within or {}:
            if DISTRIBUTIONS.get(name) != "s" or name == "gap":
                known = ", ".join(each for each, unit in DISTRIBUTIONS.items() if unit == "s" and each != "gap")
                raise mistake(f"`{name}` is no duration of a request", accepted=known, at=("within", name))
        if self.measured.unit == "share" and (self.max == 0 or self.min == 1):
            accepted = "the highest share that would do, such as 0.1%; or {metric: errors, max: 0}, which counts"
            raise mistake("no number of samples proves that it never happens", accepted=accepted, at=("metric",))

    def _sensible_ratios(self) -> None:
        if self.measured.kind in ("overhead", "knee", "count") and (self.max_ratio or self.min_ratio):
            raise mistake(f"`{self.metric}` has no ratio to a baseline", accepted="max, min", at=("metric",))
        if self.measured.kind in ("overhead", "knee") and (self.phase or self.begin is not None or self.end):
            raise mistake(f"`{self.metric}` is of the whole run", at=("metric",))
        for side, bound in self.sides:
            if side in RATIOS:
                self._sensible_catch(side, bound)

    def _sensible_catch(self, side: Side, bound: float) -> None:
        caught = self.caught(bound)
        beyond = caught > bound if side == "max_ratio" else 0 < caught < bound
        if not beyond:
            word = "above" if side == "max_ratio" else "below"
            accepted = f"catches: a ratio {word} {bound:g}"
            raise mistake(f"what must be caught must lie {word} the bound", accepted=accepted, at=(side,))


class ConformanceGate(Gate):
    """How many requirements of a level may be what. What is not named is 0, but for what expectations excuse."""

    conformance: Literal["must", "should", "may"]
    failed: Annotated[int, Field(ge=0)] = 0
    """Broken, and excused by no expectation."""
    untestable: Annotated[int, Field(ge=0)] = 0
    """Declared, but a prerequisite of the test was missing; or the measurement was not good enough."""
    disabled: Annotated[int, Field(ge=0)] = 0
    """By whoever started the run."""
    expired: Annotated[int, Field(ge=0)] = 0
    """Whose expectation has expired, has become stale, or is of another failure."""
    known: Annotated[int, Field(ge=0)] | None = None
    """Broken, and excused by an expectation; without it, any number."""


class GatesFile(Model):
    """The whole file."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    baseline: Literal["required", "optional"] = "required"
    """Whether gates with a ratio fail, or are passed over, where no baseline is given."""
    gates: list[MetricGate | ConformanceGate]


@dataclass(frozen=True, slots=True)
class Placed:
    """A gate with the line on which it stands."""

    gate: MetricGate | ConformanceGate
    line: int


@dataclass(frozen=True, slots=True)
class Gates:
    """A file that was read: ``placed`` in its order."""

    file: Path
    placed: list[Placed]
    baseline_needed: bool

    @property
    def ratios(self) -> bool:
        """Whether any gate looks at a baseline."""
        gates = [each.gate for each in self.placed if isinstance(each.gate, MetricGate)]
        return any(side in RATIOS for gate in gates for side, _ in gate.sides)


SAMPLE = "gates: [{metric: ttft.p50, max: 2s}]"


def read_gates(file: Path) -> Gates:
    """Every mistake is a ConfigError with its line."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", file=file, accepted="a file of gates") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"not a file of gates: no UTF-8 at byte {error.start}", file=file) from None
    if not text.strip():
        raise ConfigError("the file is empty", file=file, accepted=SAMPLE)
    tree = positions.read(text, file)
    return _checked(tree, file)


def _checked(tree: Tree, file: Path) -> Gates:
    listed = tree.child("gates")
    if not isinstance(tree.value, dict) or listed is None:
        found = ", ".join(map(str, tree.value)) if isinstance(tree.value, dict) else explain.shown(tree.plain())
        raise ConfigError(f"no `gates`, found {found}", file=file, line=tree.line, accepted=SAMPLE)
    if not isinstance(listed.value, list) or not listed.value:
        problem = f"expected a list of gates, found {explain.shown(listed.plain()) if listed.value else 'none'}"
        raise ConfigError(problem, file=file, line=listed.line, key="gates", accepted=SAMPLE)
    placed = [Placed(_gate(each, file, number), each.line) for number, each in enumerate(listed.value)]
    try:
        whole = GatesFile.model_validate({**tree.plain(), "gates": [each.gate for each in placed]})
    except ValidationError as error:
        raise explain.first(error, tree, file, "gates file", GatesFile) from None
    return Gates(file, placed, whole.baseline == "required")


def _gate(tree: Tree, file: Path, number: int) -> MetricGate | ConformanceGate:
    if not isinstance(tree.value, dict):
        problem = f"expected a gate, found {explain.shown(tree.plain())}"
        raise ConfigError(problem, file=file, line=tree.line, key=f"gates.{number}", accepted=SAMPLE)
    for key, child in tree.value.items():
        if child.value is None and " " in key:
            problem = f"`{key}` has no value: between braces, a text with a comma needs quotes"
            raise ConfigError(
                problem, file=file, line=child.line, key=f"gates.{number}", accepted='why: "this, and that"'
            )
    kind = ConformanceGate if "conformance" in tree.value else MetricGate
    try:
        return kind.model_validate(tree.plain())
    except ValidationError as error:
        raise explain.first(error, tree, file, f"gates.{number}", kind) from None
