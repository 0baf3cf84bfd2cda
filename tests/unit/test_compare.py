"""Load runs against a baseline: what may be compared, what became of each number, and how sure that is."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from gateproof.compare.changes import change, difference_of
from gateproof.compare.model import Against, Change, Comparison
from gateproof.compare.numbers import COMPARED, Measured, curve
from gateproof.compare.pairs import VoidRun, compare
from gateproof.compare.sides import amount, span
from gateproof.compare.text import rendered
from gateproof.errors import EXIT_VOID, ConfigError
from gateproof.gate.metrics import Metric, metric_of
from gateproof.load.samples import Samples
from gateproof.report.likeness import differences
from gateproof.report.load_model import Estimate, Overhead, Stage
from gateproof.report.saved import Saved, read_run
from gateproof.report.statistics import CONFIDENCE, Interval, quantile_interval
from tests.unit import load_runs
from tests.unit.load_runs import lognormal, made, profile

SLOWER = 1.15
VERSIONS = {"litellm": "1.2"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Saved]:
    """A baseline, the same once more, and runs that differ from it in one way each."""
    root = tmp_path_factory.mktemp("reports")
    made_of: dict[str, dict[str, Any]] = {
        "baseline": {"ttft": lognormal(200), "noise": 1, "failed": 0.01},
        "same": {"ttft": lognormal(200), "noise": 2, "failed": 0.01},
        "slower": {"ttft": lognormal(200 * SLOWER), "noise": 3, "failed": 0.01},
        "failing": {"ttft": lognormal(200), "noise": 4, "failed": 0.06},
        "newer": {"ttft": lognormal(200), "noise": 5, "versions": {"litellm": "1.3", "redis": "8"}},
        "void": {"ttft": lognormal(200), "noise": 6, "lost_worker": True},
    }
    return {name: read_run(made(root, **{"versions": VERSIONS, **how})) for name, how in made_of.items()}


def against(runs: dict[str, Saved], *names: str, **more: Any) -> list[Against]:
    return compare([runs["baseline"], *(runs[name] for name in names)], **more).candidates


def by_metric(found: Against) -> dict[str, Change]:
    return {each.metric: each for each in found.changes}


# --- what became of each number ---


def test_what_has_not_changed_is_not_called_worse(runs: dict[str, Saved]) -> None:
    [same] = against(runs, "same")
    assert {each.verdict for each in same.changes} == {"no change seen"}
    assert [each.metric for each in same.changes] == [metric.text for metric in COMPARED]


def test_a_true_change_is_found_and_its_interval_holds_the_truth(runs: dict[str, Saved]) -> None:
    [slower] = against(runs, "slower")
    ttft = by_metric(slower)["ttft.p50"]
    assert (ttft.verdict, ttft.scale, ttft.better) == ("worse", "ratio", "lower")
    assert ttft.low is not None
    assert ttft.high is not None
    assert 1 < ttft.low < SLOWER < ttft.high
    assert ttft.baseline is not None
    assert ttft.baseline.value == pytest.approx(0.2, rel=0.03)
    assert ttft.said.startswith(f"worse: {amount('ratio', ttft.change or 0)} ({span('ratio', ttft.low, ttft.high)}), ")
    assert by_metric(slower)["gap.p99"].verdict == "no change seen"


def test_the_other_way_round_it_is_better(runs: dict[str, Saved]) -> None:
    [found] = compare([runs["slower"], runs["baseline"]]).candidates
    assert by_metric(found)["ttft.p50"].verdict == "better"


def test_error_shares_are_compared_by_difference(runs: dict[str, Saved]) -> None:
    [failing] = against(runs, "failing")
    errors = by_metric(failing)["error_share"]
    assert (errors.verdict, errors.scale, errors.unit) == ("worse", "points", "share")
    assert errors.low is not None
    assert errors.high is not None
    assert 0 < errors.low < 0.05 < errors.high
    assert "points" in errors.said


def test_fewer_answers_a_second_are_worse(tmp_path: Path) -> None:
    root = tmp_path / "reports"
    one, other = (made(root, lognormal(200), noise=noise, failed=failed) for noise, failed in ((1, 0.0), (2, 0.5)))
    [found] = compare([read_run(one), read_run(other)]).candidates
    rate = by_metric(found)["rates.requests"]
    assert (rate.verdict, rate.better) == ("worse", "higher")
    assert rate.change == pytest.approx(0.5, abs=0.1)


def test_a_change_is_sure_only_if_it_holds_for_all_comparisons_at_once(runs: dict[str, Saved]) -> None:
    """The same two runs: alone the change is clear, as one of a million comparisons it is not."""
    one, other = Measured(runs["baseline"]), Measured(runs["slower"])
    metric = metric_of("ttft.p99")
    alone, among_many = (change(metric, one, other, comparisons=number) for number in (1, 10**9))
    assert (alone.verdict, among_many.verdict) == ("worse", "perhaps worse")
    assert "by chance one number in 100 looks so, 1000000000 were compared" in among_many.said
    assert (alone.low, alone.high) == (among_many.low, among_many.high)


def test_too_few_samples_are_told_with_how_many_are_needed(tmp_path: Path) -> None:
    few = profile(phases=[{"name": "steady", "duration": 5}])
    saved = [read_run(made(tmp_path, lognormal(200), noise=noise, of=few)) for noise in (1, 2)]
    [found] = compare(saved).candidates
    p99 = by_metric(found)["ttft.p99"]
    assert p99.verdict == "cannot tell"
    assert "too few" in p99.said
    assert "459 are needed" in p99.said  # 0.99 ** 459 < 1 %: the least of which one lies above p99
    assert p99.high is None


def test_what_one_run_does_not_have_is_told(runs: dict[str, Saved], tmp_path: Path) -> None:
    dead = read_run(made(tmp_path, lognormal(200), failed=1.0, versions=VERSIONS))
    [found] = compare([runs["baseline"], dead]).candidates
    ttft = by_metric(found)["ttft.p50"]
    assert (ttft.verdict, ttft.candidate, ttft.change) == ("cannot tell", None, None)
    assert ttft.said == "cannot tell: the candidate has no ttft"
    assert by_metric(found)["error_share"].verdict == "worse"


def at_zero(runs: int) -> Samples:
    return Samples(np.arange(float(runs)), np.zeros(runs))


@dataclasses.dataclass
class Given:
    """What stands in for a run: one number, whatever it is asked for."""

    values: Samples

    def interval(self, metric: Metric, confidence: float) -> Interval:
        assert metric.share is not None
        return quantile_interval(self.values.values, metric.share, confidence=confidence)


def test_nothing_in_both_runs_is_no_change_and_in_one_it_has_no_ratio() -> None:
    """Tokens that arrive together have gaps of 0."""
    zero, some = Given(at_zero(500)), Given(Samples(np.arange(500.0), np.ones(500)))
    metric = metric_of("gap.p50")
    same, grown = (change(metric, zero, each, comparisons=1) for each in (zero, some))  # type: ignore[arg-type]
    assert (same.verdict, same.said, same.change) == ("no change seen", "no change seen: 0 s in both", None)
    assert (grown.verdict, grown.said) == ("cannot tell", "cannot tell: 0 s in the baseline, which has no ratio")


def test_shares_are_joined_as_newcombe_has_it() -> None:
    """Newcombe 1998, table II, example (a): 56/70 against 48/80; here from his own single intervals (Wilson)."""
    one = Interval(48 / 80, 0.4905, 0.7005, 80, 80, "")
    other = Interval(56 / 70, 0.6917, 0.8773, 70, 70, "")
    found = difference_of(other, one)
    assert found.estimate == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=5e-4), pytest.approx(0.3339, abs=5e-4))


def test_curves_are_quantiles_up_to_where_ten_values_lie_beyond() -> None:
    values = np.arange(1.0, 10_001.0)
    shares, quantiles = curve(values)
    assert shares[0] == 0.0
    assert shares[-1] == pytest.approx(0.999)
    assert quantiles == sorted(quantiles)
    assert quantiles[-1] == pytest.approx(9991, abs=1)
    assert curve(values[:10]) == ([], [])


def with_overhead(saved: Saved, milliseconds: float, width: float) -> Saved:
    """A run that knows what its gateway adds."""
    low, high = (milliseconds - width) / 1e3, (milliseconds + width) / 1e3
    added = Estimate(value=milliseconds / 1e3, low=low, high=high)
    stage = Stage(start="sent", pairs=900, blocks=30, gateway=0.2, direct=0.19, median=added, mean=None, tail=None)
    overhead = Overhead(unit="s", pairs=900, lost={}, stages={"ttft": stage})
    return Saved(saved.folder, saved.report.model_copy(update={"overhead": overhead}))


def test_what_a_gateway_adds_is_compared_in_seconds(runs: dict[str, Saved]) -> None:
    """8 ms and 12 ms, half a millisecond off at 97.5 %, so 0.6 ms at 99 %: together 0.84 ms."""
    one, other = with_overhead(runs["baseline"], 8, 0.5), with_overhead(runs["same"], 12, 0.5)
    [found] = compare([one, other]).candidates
    added = by_metric(found)["overhead.ttft.median"]
    assert (added.verdict, added.scale, added.unit, added.better) == ("worse", "seconds", "s", "lower")
    assert added.change == pytest.approx(0.004)
    assert (added.low, added.high) == (pytest.approx(0.004 - 0.00084, abs=1e-5), pytest.approx(0.00484, abs=1e-5))
    assert added.said == "worse: +4 ms (+3.16 to +4.84 ms), 8 ms → 12 ms"
    assert "overhead.latency.median" not in by_metric(found)


# --- what may be compared ---


def test_a_void_run_has_no_numbers_to_compare(runs: dict[str, Saved]) -> None:
    with pytest.raises(VoidRun, match="worker 0 left no word of itself") as raised:
        compare([runs["baseline"], runs["void"]])
    assert raised.value.exit_code == EXIT_VOID


def test_another_version_is_refused_by_name(runs: dict[str, Saved]) -> None:
    with pytest.raises(ConfigError) as raised:
        compare([runs["baseline"], runs["newer"]])
    assert "version litellm: 1.2 there, 1.3 here" in str(raised.value)
    assert "version redis: none there, 8 here" in str(raised.value)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"of": profile(arrivals={"kind": "poisson", "rate": 41})}, "profile arrivals.rate: 40.0 there, 41.0 here"),
        ({"of": profile(seed=2)}, "profile seed: 1 there, 2 here"),
        ({"tested": load_runs.target("other")}, "target: mine there, other here"),
        ({"tested": load_runs.target(stack="vllm")}, "dialect: openai there, vllm here"),
    ],
)
def test_unlike_runs_are_refused_with_what_differs(
    runs: dict[str, Saved], tmp_path: Path, how: dict[str, Any], words: str
) -> None:
    unlike = read_run(made(tmp_path, lognormal(200), versions=VERSIONS, **how))
    with pytest.raises(ConfigError) as raised:
        compare([runs["baseline"], unlike])
    assert words in str(raised.value)
    assert "--force" in str(raised.value)


def test_another_schedule_of_the_same_profile_is_refused(runs: dict[str, Saved]) -> None:
    report = runs["same"].report.model_copy(update={"schedule": "0" * 16})
    with pytest.raises(ConfigError, match=r"schedule: \w+ there, 0000000000000000 here"):
        compare([runs["baseline"], Saved(runs["same"].folder, report)])


def test_what_changes_nothing_of_what_is_sent_refuses_nothing(runs: dict[str, Saved]) -> None:
    report = runs["same"].report
    settings = {
        **report.profile,
        "name": "q",
        "description": "another",
        "trust": {**report.profile["trust"], "cpu": 0.5},
    }
    assert differences(report, report.model_copy(update={"profile": settings})) == []


def test_another_machine_is_told_and_refuses_nothing(runs: dict[str, Saved]) -> None:
    report = runs["same"].report
    moved = report.model_copy(update={"machine": report.machine.model_copy(update={"cpus": 1000}), "workers": 7})
    [found] = compare([runs["baseline"], Saved(runs["same"].folder, moved)]).candidates
    assert [(each.what, each.candidate, each.grave) for each in found.differences] == [
        ("workers", "7", False),
        ("machine cpus", "1000", False),
    ]
    assert "workers: 1 in the baseline, 7 here" in shown(compare([runs["baseline"], Saved(runs["same"].folder, moved)]))


def test_a_log_that_is_not_whole_is_no_baseline(tmp_path: Path) -> None:
    folder = made(tmp_path, lognormal(200))
    segments = list((folder / "log").glob("*.parquet"))
    segments[0].write_bytes(segments[0].read_bytes()[:1000])
    with pytest.raises(ConfigError, match="a part of the log cannot be read: worker-0"):
        Measured(read_run(folder))
    for segment in segments:
        segment.unlink()
    with pytest.raises(ConfigError, match="not there, or empty"):
        Measured(read_run(folder))


# --- text ---


def shown(told: Comparison, width: int = 80) -> str:
    console = Console(width=width, highlight=False, emoji=False, markup=False, color_system=None)
    with console.capture() as captured:
        console.print(rendered(told, width))
    return captured.get()


@pytest.mark.parametrize("width", [80, 200])
def test_the_text_has_every_number_and_fits_its_width(runs: dict[str, Saved], width: int) -> None:
    told = compare([runs["baseline"], runs["slower"], runs["failing"]])
    lines = shown(told, width).splitlines()
    assert max(map(len, lines)) <= width
    for metric in COMPARED:
        assert sum(line.startswith(f"{metric.text} ") and "…" not in line for line in lines) >= 2
    assert any("✗ worse" in line and line.startswith("ttft.p50") for line in lines)


def test_forced_comparisons_tell_what_is_wrong_above_their_numbers(runs: dict[str, Saved]) -> None:
    text = shown(compare([runs["baseline"], runs["newer"], runs["void"]], force=True), 200)
    first, second = text.split("\ncandidate ")[1:]
    assert (
        first.index("UNLIKE RUNS")
        < first.index("version litellm: 1.2 in the baseline, 1.3 here")
        < first.index("ttft.p50")
    )
    assert "is VOID, its numbers are worth nothing" in second


def test_what_is_only_perhaps_is_told_in_words(runs: dict[str, Saved]) -> None:
    told = compare([runs["baseline"], runs["slower"]])
    unsure = [each for each in told.candidates[0].changes if each.verdict.startswith("perhaps")]
    text = " ".join(shown(told, 200).split())
    assert all(f"{each.metric}: {each.said}" in text for each in unsure)
    assert f"{CONFIDENCE:.0%}" in text


@pytest.mark.parametrize(
    ("scale", "value", "words"),
    [
        ("ratio", 1.1234, "+12.3 %"),
        ("ratio", 0.9999999, "0.0 %"),
        ("ratio", 4.2, "4.2 times"),
        ("ratio", 0.25, "0.25 times"),
        ("points", 0.0123, "+1.23 points"),
        ("points", -0.00001, "0.00 points"),
        ("seconds", 0.0123, "+12.3 ms"),
        ("seconds", -0.00002, "-20 µs"),
    ],
)
def test_amounts_read_as_people_say_them(scale: Any, value: float, words: str) -> None:
    assert amount(scale, value) == words


def test_an_interval_names_its_unit_once_and_an_unknown_end() -> None:
    assert span("ratio", 1.08, 1.162) == "+8.0 to +16.2 %"
    assert span("ratio", 1.08, None) == "+8.0 to ? %"
    assert span("ratio", 1.5, 3.5) == "+50.0 % to 3.5 times"


def test_the_comparison_is_the_same_byte_for_byte(runs: dict[str, Saved]) -> None:
    one, other = (compare([runs["baseline"], runs["slower"]]).model_dump_json() for _ in range(2))
    assert one == other
    assert Comparison.model_validate_json(one).model_dump_json() == one
    assert json.loads(one)["schema_version"] == "1.0"
