"""A bound is kept or broken by the ends of an interval; between them nothing is decided, and nothing missing passes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from gateproof.errors import ConfigError
from gateproof.gate.judge import LEAST_EFFECTIVE, decide
from gateproof.gate.result import Verdict
from gateproof.report.statistics import Interval
from tests.unit.gate_runs import gated, row
from tests.unit.load_runs import Floats, lognormal, made, profile, target

SHORT = [{"name": "warm-up", "duration": 5, "counted": False}, {"name": "steady", "duration": 2}]


def slow_start(random: np.random.Generator, number: int) -> Floats:
    """A second for the first half of the run, a tenth of it afterwards."""
    return np.where(np.arange(number) < number / 2, 1000.0, 100.0) * np.exp(random.normal(0.0, 0.1, number))


@pytest.fixture(name="run", scope="module")
def _run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("run"), lognormal(200.0), versions={"gateway": "1.0"}, failed=0.03)


@pytest.fixture(name="before", scope="module")
def _before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("before"), lognormal(200.0), noise=2, versions={"gateway": "1.0"})


@pytest.fixture(name="slower", scope="module")
def _slower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("slower"), lognormal(240.0), noise=3, versions={"gateway": "1.0"})


@pytest.fixture(name="short", scope="module")
def _short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("short"), lognormal(200.0), of=profile(phases=SHORT))


@pytest.mark.parametrize(
    ("low", "high", "upper", "verdict"),
    [
        (1.0, 2.0, True, Verdict.PASS),
        (1.0, 2.1, True, Verdict.UNDECIDED),
        (2.0, 3.0, True, Verdict.UNDECIDED),
        (2.1, 3.0, True, Verdict.FAIL),
        (1.0, None, True, Verdict.UNDECIDED),
        (2.1, None, True, Verdict.FAIL),
        (None, 2.0, True, Verdict.PASS),
        (2.0, 3.0, False, Verdict.PASS),
        (1.9, 3.0, False, Verdict.UNDECIDED),
        (1.0, 1.9, False, Verdict.FAIL),
        (None, 1.9, False, Verdict.FAIL),
        (None, 2.5, False, Verdict.UNDECIDED),
        (None, None, False, Verdict.UNDECIDED),
    ],
)
def test_ends_decide(low: float | None, high: float | None, upper: bool, verdict: Verdict) -> None:
    assert decide(Interval(1.5, low, high, 10, 10.0, ""), 2.0, upper=upper) is verdict


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        ("{metric: ttft.p50, max: 300ms}", Verdict.PASS),
        ("{metric: ttft.p50, max: 100ms}", Verdict.FAIL),
        ("{metric: ttft.p50, max: 200ms}", Verdict.UNDECIDED),
        ("{metric: ttft.p50, min: 100ms}", Verdict.PASS),
        ("{metric: ttft.p99, max: 1s}", Verdict.PASS),
        ("{metric: ttft.mean, max: 300ms}", Verdict.PASS),
        ("{metric: tpot.p95, max: 11ms}", Verdict.PASS),
        ("{metric: gap.p99, max: 20ms}", Verdict.PASS),
        ("{metric: gap.p50, max: 9ms}", Verdict.FAIL),
        ("{metric: completion_tokens.p50, min: 32}", Verdict.PASS),
        ("{metric: error_share, max: 10%}", Verdict.PASS),
        ("{metric: error_share, max: 1%}", Verdict.FAIL),
        ("{metric: errors, max: 0}", Verdict.FAIL),
        ("{metric: errors, max: 1000}", Verdict.PASS),
        ("{metric: outcomes.truncated, max: 0}", Verdict.PASS),
        ("{metric: outcomes.server_error, max: 0}", Verdict.FAIL),
        ("{metric: rates.requests, min: 30/s}", Verdict.PASS),
        ("{metric: rates.output_tokens, min: 2000/s}", Verdict.FAIL),
        ("{metric: good_share, within: {ttft: 500ms, tpot: 20ms}, min: 90%}", Verdict.PASS),
        ("{metric: good_share, within: {ttft: 200ms}, min: 90%}", Verdict.FAIL),
    ],
)
def test_every_kind_of_metric_is_judged(tmp_path: Path, run: Path, gate: str, verdict: Verdict) -> None:
    found = row(tmp_path, gate, run)
    assert (found.verdict, found.said) == (verdict, found.said)


def test_an_undecided_gate_says_how_many_samples_would_decide(tmp_path: Path, run: Path) -> None:
    found = row(tmp_path, "{metric: ttft.p50, max: 202ms}", run)
    assert found.verdict is Verdict.UNDECIDED
    assert found.asks_for is not None
    assert found.measured is not None
    assert found.asks_for > found.measured.samples
    assert f"about {found.asks_for:,} samples would decide, " in found.said
    assert found.said.endswith(" min of such a run")


def test_too_few_samples_for_a_quantile_say_how_many_it_takes(tmp_path: Path, short: Path) -> None:
    found = row(tmp_path, "{metric: ttft.p99, max: 10s}", short)
    assert found.verdict is Verdict.UNDECIDED
    assert found.asks_for is not None
    assert found.asks_for >= 459
    assert f"too few for p99, which needs {found.asks_for:,} samples" in found.said


def test_a_bound_that_is_broken_anyhow_needs_no_more_samples(tmp_path: Path, short: Path) -> None:
    assert row(tmp_path, "{metric: ttft.p99, max: 10ms}", short).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("{metric: connect.p50, max: 1s}", "no request gave a value of `connect`"),
        ("{metric: ttft.p50, max: 1s, profile: other}", "no load run of profile `other` was given"),
        ("{metric: ttft.p50, max: 1s, phase: stedy}", "no phase `stedy`; did you mean `steady`?"),
        ("{metric: ttft.p50, max: 1s, from: 2m}", "the run lasted 65 s"),
        ("{metric: overhead.ttft.median, max: 10ms}", "sends nothing past the gateway"),
        ("{metric: saturation.knee, min: 10/s}", "no knee"),
        ("{metric: ttft.p50, max_ratio: 1.05}", "no baseline was given"),
        ("{conformance: must}", "no conformance run was given"),
    ],
)
def test_what_was_not_measured_is_no_pass(tmp_path: Path, run: Path, gate: str, said: str) -> None:
    result = gated(tmp_path, gate, [run])
    assert (result.verdict, result.exit_code, result.rows[0].verdict) == ("FAIL", 1, Verdict.UNMEASURED)
    assert said in result.rows[0].said


def test_a_void_run_proves_nothing(tmp_path: Path) -> None:
    void = made(tmp_path, lognormal(200.0), of=profile(phases=SHORT), lost_worker=True)
    for bound in ("1ms", "10s"):
        result = gated(tmp_path, f"{{metric: ttft.p50, max: {bound}}}", [void])
        assert (result.verdict, result.exit_code) == ("VOID", 5)
        assert result.rows[0].said.startswith("the run is void: ")


def test_a_log_with_fewer_requests_than_its_report_is_void(tmp_path: Path, run: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    for file in (copy / "log").iterdir():
        file.unlink()
    result = gated(tmp_path, "{metric: ttft.p50, max: 1ms}", [copy])
    assert (result.verdict, result.exit_code) == ("VOID", 5)
    assert "the log has 0 of the " in result.rows[0].said


def test_a_profile_that_is_none_is_told(tmp_path: Path, run: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    told = json.loads((copy / "report.json").read_text(encoding="utf-8"))
    told["profile"]["phases"] = [{"name": "steady"}]
    (copy / "report.json").write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"profile\.phases: not the phases of a run"):
        gated(tmp_path, "{metric: ttft.p50, max: 1s}", [copy])


def test_only_the_time_frame_counts(tmp_path: Path) -> None:
    run = made(tmp_path, slow_start)
    whole, late = (
        row(tmp_path, f"{{metric: ttft.p95, max: 200ms{more}}}", run) for more in ("", ", from: 35s, to: 60s")
    )
    assert (whole.verdict, late.verdict) == (Verdict.FAIL, Verdict.PASS)
    assert late.gate == "ttft.p95 ≤ 200 ms from 35 s to 60 s"


def test_a_phase_that_does_not_count_may_be_asked_for(tmp_path: Path, run: Path) -> None:
    found = row(tmp_path, "{metric: ttft.p50, max: 1s, phase: warm-up}", run)
    assert found.verdict is Verdict.PASS
    assert found.measured is not None
    assert found.measured.samples < 400


# --- what only the report knows ---


def with_report(run: Path, copy: Path, **more: object) -> Path:
    shutil.copytree(run, copy)
    told = json.loads((copy / "report.json").read_text(encoding="utf-8"))
    (copy / "report.json").write_text(json.dumps({**told, **more}), encoding="utf-8")
    return copy


def overhead(low: float | None, high: float | None) -> dict[str, object]:
    """Of 5 ms at the median of TTFT, from 40 pairs of blocks; no tail."""
    median = {"value": 0.005, "low": low, "high": high}
    sides = {"start": "sent", "pairs": 400, "blocks": 40, "gateway": 0.1, "direct": 0.095}
    stage = {**sides, "median": median, "mean": median, "tail": None}
    return {"unit": "s", "pairs": 400, "lost": {"gateway": 0, "direct": 0}, "stages": {"ttft": stage}}


@pytest.mark.parametrize(
    ("ends", "gate", "verdict"),
    [
        ((0.004, 0.006), "{metric: overhead.ttft.median, max: 10ms}", Verdict.PASS),
        ((0.004, 0.006), "{metric: overhead.ttft.mean, max: 3ms}", Verdict.FAIL),
        ((0.004, 0.006), "{metric: overhead.ttft.median, max: 5500us}", Verdict.UNDECIDED),
        ((0.004, 0.006), "{metric: overhead.ttft.median, max: 6100us, confidence: 0.975}", Verdict.PASS),
        ((0.004, 0.006), "{metric: overhead.ttft.median, max: 6100us, confidence: 0.99}", Verdict.UNDECIDED),
        ((None, None), "{metric: overhead.ttft.median, max: 10ms}", Verdict.UNDECIDED),
        ((0.004, 0.006), "{metric: overhead.ttft.tail, max: 10ms}", Verdict.UNMEASURED),
        ((0.004, 0.006), "{metric: overhead.connect.median, max: 10ms}", Verdict.UNMEASURED),
    ],
)
def test_what_a_gateway_adds_is_judged_by_its_interval(
    tmp_path: Path, run: Path, ends: tuple[float | None, float | None], gate: str, verdict: Verdict
) -> None:
    copy = with_report(run, tmp_path / "copy", overhead=overhead(*ends))
    assert row(tmp_path, gate, copy).verdict is verdict


@pytest.mark.parametrize(
    ("met", "not_met", "ours", "verdict"),
    [
        (20.0, 24.0, False, Verdict.PASS),
        (18.0, 22.0, False, Verdict.UNDECIDED),
        (12.0, 16.0, False, Verdict.FAIL),
        (12.0, 16.0, True, Verdict.UNDECIDED),
        (12.0, None, False, Verdict.UNDECIDED),
        (None, 2.0, False, Verdict.FAIL),
    ],
    ids=["above", "around", "below", "our own limit", "no upper rate", "not met at all"],
)
def test_the_knee_lies_between_two_rates(
    tmp_path: Path, run: Path, met: float | None, not_met: float | None, ours: bool, verdict: Verdict
) -> None:
    search = {"unit": "requests/s", "met": met, "not_met": not_met, "limited_by_us": ours, "complete": True}
    copy = with_report(run, tmp_path / "copy", saturation={**search, "objectives": [], "runs": []})
    assert row(tmp_path, "{metric: saturation.knee, min: 20/s}", copy).verdict is verdict
    assert "a search has many runs" in row(tmp_path, "{metric: ttft.p50, max: 1s}", copy).said


# --- ratios ---


def test_a_regression_fails_and_says_both_numbers(tmp_path: Path, slower: Path, before: Path) -> None:
    found = row(tmp_path, "{metric: ttft.p50, max_ratio: 1.05}", slower, before)
    assert found.verdict is Verdict.FAIL
    assert found.ratio is not None
    assert found.baseline is not None
    assert found.measured is not None
    assert found.ratio.estimate == pytest.approx(found.measured.estimate / found.baseline.estimate)  # type: ignore[operator]
    assert " ms after " in found.said
    assert "to catch a ratio of 1.1" in found.said


def test_an_improvement_passes(tmp_path: Path, slower: Path, before: Path) -> None:
    assert row(tmp_path, "{metric: ttft.p50, max_ratio: 1.05}", before, slower).verdict is Verdict.PASS


def test_less_throughput_fails(tmp_path: Path, run: Path, before: Path) -> None:
    """Three answers in a hundred are lost."""
    kept, lost = (
        row(tmp_path, f"{{metric: rates.requests, min_ratio: {bound}, catches: 0.5}}", run, before)
        for bound in (0.8, 1.2)
    )
    assert (kept.verdict, lost.verdict) == (Verdict.PASS, Verdict.FAIL)


def test_few_samples_are_never_compared(tmp_path: Path) -> None:
    phases = [{"name": "steady", "duration": 1}]
    runs = [
        made(tmp_path / name, lognormal(median), of=profile(phases=phases)) for name, median in (("a", 9e3), ("b", 1.0))
    ]
    found = row(tmp_path, "{metric: ttft.p50, max_ratio: 1.05}", *runs)
    assert found.verdict is Verdict.UNDECIDED
    assert f"{LEAST_EFFECTIVE:g} independent ones are needed" in found.said


def test_a_void_baseline_is_void(tmp_path: Path, run: Path) -> None:
    void = made(tmp_path, lognormal(200.0), versions={"gateway": "1.0"}, lost_worker=True)
    result = gated(tmp_path, "{metric: ttft.p50, max_ratio: 1.05}", [run], [void])
    assert (result.exit_code, result.rows[0].verdict) == (5, Verdict.VOID)
    assert "the baseline is void" in result.rows[0].said


def test_an_optional_baseline_may_be_missing(tmp_path: Path, run: Path) -> None:
    text = "baseline: optional\ngates: [{metric: ttft.p50, max: 1s}, {metric: ttft.p50, max_ratio: 1.05}]"
    result = gated(tmp_path, text, [run])
    assert (result.verdict, [each.verdict for each in result.rows]) == ("PASS", [Verdict.PASS, Verdict.NOT_COMPARED])


def test_unlike_runs_are_refused_with_what_differs(tmp_path: Path, run: Path) -> None:
    gate = "{metric: ttft.p50, max_ratio: 1.05}"
    others = {
        "target mine, in the baseline theirs": {"tested": target("theirs")},
        "profile arrivals.rate 40.0, in the baseline 20.0": {"of": profile(arrivals={"kind": "poisson", "rate": 20})},
        "profile workload.turns 1, in the baseline 2": {"of": profile(workload={"turns": 2})},
        "and no baseline has": {"of": profile(name="q")},
        "gateway 1.0, in the baseline 0.9": {"versions": {"gateway": "0.9"}},
    }
    for number, (told, settings) in enumerate(others.items()):
        other = made(tmp_path / str(number), lognormal(200.0), **{"versions": {"gateway": "1.0"}, **settings})  # type: ignore[arg-type]
        with pytest.raises(ConfigError) as caught:
            row(tmp_path, gate, run, other)
        assert told in str(caught.value)


def test_versions_may_differ_where_that_is_the_question(tmp_path: Path, run: Path) -> None:
    other = made(tmp_path, lognormal(200.0), versions={"gateway": "0.9"})
    result = gated(tmp_path, "{metric: ttft.p50, max_ratio: 1.2}", [run], [other], other_versions=True)
    assert result.verdict == "PASS"
    assert "compared across versions: gateway 1.0, in the baseline 0.9" in result.notes


def test_a_run_is_not_its_own_baseline(tmp_path: Path, run: Path) -> None:
    with pytest.raises(ConfigError, match="is the run itself"):
        row(tmp_path, "{metric: ttft.p50, max_ratio: 1.05}", run, run)


def test_a_baseline_that_no_gate_looks_at_is_refused(tmp_path: Path, run: Path, before: Path) -> None:
    with pytest.raises(ConfigError, match="looks at a baseline"):
        row(tmp_path, "{metric: ttft.p50, max: 1s}", run, before)


# --- the whole ---


@pytest.mark.parametrize(
    ("gates", "verdict", "code"),
    [
        ("{metric: ttft.p50, max: 1s}", "PASS", 0),
        ("{metric: ttft.p50, max: 1s}\n{metric: ttft.p50, max: 1ms, level: advisory}", "PASS", 0),
        ("{metric: ttft.p50, max: 1s}\n{metric: ttft.p50, max: 200ms}", "VOID", 5),
        ("{metric: ttft.p50, max: 1ms}\n{metric: ttft.p50, max: 200ms}", "FAIL", 1),
        ("{metric: ttft.p50, max: 1s}\n{metric: connect.p50, max: 1s}", "FAIL", 1),
        ("{metric: connect.p50, max: 1s, level: advisory}", "PASS", 0),
    ],
    ids=["kept", "advisory broken", "undecided", "broken and undecided", "unmeasured", "advisory unmeasured"],
)
def test_broken_outweighs_undecided(tmp_path: Path, run: Path, gates: str, verdict: str, code: int) -> None:
    result = gated(tmp_path, gates, [run])
    assert (result.verdict, result.exit_code) == (verdict, code)


def test_every_bound_of_a_gate_is_a_row_of_its_own(tmp_path: Path, run: Path) -> None:
    result = gated(tmp_path, "{metric: ttft.p50, max: 1s, min: 500ms}", [run])
    assert [(each.gate, each.verdict) for each in result.rows] == [
        ("ttft.p50 ≤ 1 s", Verdict.PASS),
        ("ttft.p50 ≥ 500 ms", Verdict.FAIL),
    ]


def test_runs_of_two_targets_are_refused(tmp_path: Path, run: Path) -> None:
    other = made(tmp_path, lognormal(200.0), of=profile(phases=SHORT), tested=target("theirs"))
    with pytest.raises(ConfigError, match="runs of different targets: mine, theirs"):
        gated(tmp_path, "{metric: ttft.p50, max: 1s}", [run, other])


def test_a_run_counts_once(tmp_path: Path, run: Path) -> None:
    with pytest.raises(ConfigError, match="are one run"):
        gated(tmp_path, "{metric: ttft.p50, max: 1s}", [run, run.parent / "latest"])


def test_a_file_without_a_hard_gate_says_so(tmp_path: Path, run: Path) -> None:
    result = gated(tmp_path, "{metric: ttft.p50, max: 1s, level: advisory}", [run])
    assert "no gate of the file is hard: nothing could stop this release" in result.notes
