"""A run that creeps or jumps is told so, a quiet one is steady, and what cannot be told is not guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateproof.load.beside import Beside, beside, in_words
from gateproof.load.drift import ALLOWED, HOUR, Course, Drift, PhaseDrift, Series, drifts, judge
from gateproof.load.histogram import Histogram
from gateproof.load.log import FOLDER, Writer, read_log
from gateproof.load.metrics.exposition import Buckets
from gateproof.load.metrics.samples import FOLDER as SERVER
from gateproof.load.metrics.samples import Sample, SampleWriter
from gateproof.load.profile import Profile, Trust
from gateproof.load.run import LoadRun
from gateproof.load.schedule import Phase
from gateproof.load.trend import LEAST, Floats
from gateproof.load.verdict import WorkerSelf
from gateproof.targets.model import Target

SEED = 20_261_121
RUNS = 300
SOAK = 4 * HOUR
WINDOWS = 60
LEVEL = 0.200  # s
NOISE = 0.01  # of the level: the median of a thousand requests that vary by a third
NANO = 1_000_000_000


def soak(shape: Floats, generator: np.random.Generator, noise: float = NOISE) -> Drift:
    """A level of 200 ms that follows ``shape``, with the noise of windows."""
    at = np.linspace(0, SOAK, WINDOWS)
    return judge(Series("latency p50", "s", at, LEVEL * shape * (1 + noise * generator.normal(size=WINDOWS))))


def courses(shape: Floats, noise: float = NOISE) -> dict[Course, float]:
    generator = np.random.default_rng(SEED)
    found = [soak(shape, generator, noise).course for _ in range(RUNS)]
    return {course: found.count(course) / RUNS for course in Course}


FLAT = np.ones(WINDOWS)


def test_a_quiet_soak_is_steady() -> None:
    found = courses(FLAT)
    assert found[Course.STEADY] > 0.98
    assert found[Course.DRIFTS] + found[Course.SHIFTS] == 0


@pytest.mark.parametrize("whole", [0.08, 0.2])
def test_a_creep_beyond_what_is_allowed_is_found(whole: float) -> None:
    assert courses(1 + whole * np.linspace(0, 1, WINDOWS))[Course.DRIFTS] > 0.95


def test_a_creep_within_what_is_allowed_is_steady_though_it_is_there() -> None:
    assert courses(1 + ALLOWED / 4 * np.linspace(0, 1, WINDOWS))[Course.STEADY] > 0.95


def test_a_jump_is_a_shift_and_no_creep() -> None:
    assert courses(np.where(np.arange(WINDOWS) < 40, 1.0, 1.15))[Course.SHIFTS] > 0.95


def test_the_verdict_has_percent_per_hour_and_the_level_its_interval() -> None:
    found = soak(1 + 0.32 * np.linspace(0, 1, WINDOWS), np.random.default_rng(SEED))
    assert found.trend is not None
    assert found.level is not None
    slope, low, high = (
        100 * HOUR * each / found.level for each in (found.trend.slope, found.trend.low, found.trend.high)
    )
    assert low < 8 / 1.16 < high
    assert found.said == f"latency p50 drifts by {slope:+.3g} % per hour ({low:+.3g} to {high:+.3g})"


def test_a_shift_says_from_what_to_what_and_when() -> None:
    values = LEVEL * np.where(np.arange(WINDOWS) < 30, 1.0, 1.5)
    found = judge(Series("latency p50", "s", np.linspace(0, SOAK, WINDOWS), values))
    assert found.said == f"latency p50 shifts from 200 ms to 300 ms at {SOAK / 2:.0f} s"


def test_noise_that_hides_any_drift_cannot_tell() -> None:
    generator = np.random.default_rng(SEED)
    values = LEVEL * generator.lognormal(sigma=1.0, size=WINDOWS)
    found = judge(Series("latency p50", "s", np.linspace(0, 60, WINDOWS), values))
    assert (found.course, found.said.endswith("is too wide for 60 s")) == (Course.UNKNOWN, True)


def test_a_noisy_soak_is_not_called_steady_for_lying_level_by_luck() -> None:
    """With a fifth of noise, four of ten such soaks seem to change by less than is allowed."""
    assert courses(FLAT, noise=0.2)[Course.UNKNOWN] > 0.95


def test_a_few_windows_cannot_tell() -> None:
    found = judge(Series("errors", "share", np.arange(LEAST - 1.0), np.zeros(LEAST - 1)))
    assert found.said == f"errors: cannot tell: {LEAST - 1} windows with values, {LEAST} needed"


def test_nothing_at_all_cannot_tell() -> None:
    assert judge(Series("errors", "share", np.empty(0), np.empty(0))).course is Course.UNKNOWN


@pytest.mark.parametrize(
    ("unit", "last", "course"),
    [
        ("share", 0.0, Course.STEADY),
        ("share", 0.004, Course.STEADY),
        ("share", 0.05, Course.DRIFTS),
        ("requests", 0.5, Course.STEADY),
        ("requests", 20.0, Course.DRIFTS),
    ],
)
def test_what_begins_at_nought_is_judged_by_its_own_measure(unit: str, last: float, course: Course) -> None:
    values = np.linspace(0, last, WINDOWS)
    assert judge(Series("s", unit, np.linspace(0, SOAK, WINDOWS), values)).course is course


# --- from the logs ---

PHASES = (Phase("warm-up", 20.0, 20, 20, counted=False), Phase("steady", 100.0, 20, 20), Phase("ramp", 10.0, 20, 40))


def row(index: int, latency: float, **more: Any) -> dict[str, Any]:
    """A request every 50 ms; ten tokens, the first after half of the latency."""
    due = index * NANO // 20
    return {
        "index": index,
        "worker": 0,
        "phase": 0 if index < 400 else 1 if index < 2400 else 2,
        "part": 0,
        "scheduled": due,
        "dispatched": due,
        "sent": due,
        "first_token": due + int(latency * NANO / 2),
        "last_token": due + int(latency * NANO * 0.9),
        "ended": due + int(latency * NANO),
        "outcome": "ok",
        "completion_tokens": 10,
        **more,
    }


def run(folder: Path, latencies: Floats, memory: Floats | None = None, **trust: Any) -> Beside:
    """Of 120 s at 20 requests/s, and perhaps a server whose memory was looked at every second."""
    writer = Writer(folder / FOLDER, 0)
    for index, latency in enumerate(latencies):
        writer.add(row(index, float(latency)), np.empty(0, dtype=np.int64))
    writer.flush()
    if memory is not None:
        samples = SampleWriter(folder / SERVER)
        for second, value in enumerate(memory):
            at = second * NANO
            name = "process_resident_memory_bytes"
            samples.page("upstream", at, 1, [Sample("upstream", at, "memory", name, "", "gauge", float(value))])
        samples.flush()
    return beside(folder, read_log(folder), PHASES, Trust(**trust))


def noisy(shape: Floats) -> Floats:
    return LEVEL * shape * np.random.default_rng(SEED).lognormal(sigma=0.05, size=len(shape))


STEADY = noisy(np.ones(2400))
CREEPING = noisy(np.linspace(1, 1.6, 2400))


def verdicts(found: Beside) -> dict[str, str]:
    (phase,) = found.told["drift"]
    return {each["series"]: each["verdict"] for each in phase["series"]}


def test_only_counted_phases_with_a_constant_rate_are_judged(tmp_path: Path) -> None:
    (phase,) = run(tmp_path, STEADY).told["drift"]
    assert (phase["phase"], phase["window_s"], phase["steady"]) == ("steady", pytest.approx(100 / 60), True)


def test_a_steady_run_is_steady_in_all_that_clients_see(tmp_path: Path) -> None:
    found = run(tmp_path, STEADY, steady=True)
    assert verdicts(found) == dict.fromkeys(("errors", "ttft p50", "tpot p50", "latency p50"), "steady")
    assert found.void == ()


def test_a_run_that_must_be_steady_and_creeps_is_void(tmp_path: Path) -> None:
    found = run(tmp_path, CREEPING, steady=True)
    assert [reason.partition(" by ")[0] for reason in found.void] == [
        f"not steady: steady: {name} drifts" for name in ("ttft p50", "tpot p50", "latency p50")
    ]


def test_a_run_that_need_not_be_steady_is_told_and_not_void(tmp_path: Path) -> None:
    found = run(tmp_path, CREEPING)
    assert (verdicts(found)["latency p50"], found.void) == ("drifts", ())


def test_a_run_too_short_to_tell_is_not_called_steady(tmp_path: Path) -> None:
    found = run(tmp_path, STEADY[:500], steady=True)
    assert found.void[0] == f"not steady: steady: errors: cannot tell: 1 windows with values, {LEAST} needed"


def test_a_run_without_a_constant_rate_cannot_be_steady(tmp_path: Path) -> None:
    found = beside(tmp_path, read_log(tmp_path), PHASES[2:], Trust(steady=True))
    assert found.void == ("not steady: no counted phase has a constant rate",)


def test_memory_that_grows_is_told_and_voids_nothing(tmp_path: Path) -> None:
    found = run(tmp_path, STEADY, memory=2**30 * np.linspace(1, 1.5, 120), steady=True)
    assert (verdicts(found)["upstream memory"], found.void) == ("drifts", ())
    assert in_words(found.told)[0] == "upstream: 120 scrapes."
    assert in_words(found.told)[1].startswith("Drift in steady, windows of 1.67 s: upstream memory drifts by +")


def test_errors_that_become_more_are_seen(tmp_path: Path) -> None:
    generator = np.random.default_rng(SEED)
    writer = Writer(tmp_path / FOLDER, 0)
    for index in range(2400):
        bad = generator.random() < 0.3 * index / 2400
        more = {"outcome": "cut", "first_token": None} if bad else {}
        writer.add(row(index, LEVEL, **more), np.empty(0, dtype=np.int64))
    writer.flush()
    (phase,) = drifts(read_log(tmp_path), [], PHASES)
    assert {each.name: each.course for each in phase.series}["errors"] is Course.DRIFTS


def test_what_we_abandoned_is_no_error_of_the_target(tmp_path: Path) -> None:
    writer = Writer(tmp_path / FOLDER, 0)
    for index in range(2400):
        more = {"outcome": "abandoned", "ended": None} if index > 1200 and index % 2 else {}
        writer.add(row(index, LEVEL, **more), np.empty(0, dtype=np.int64))
    writer.flush()
    (phase,) = drifts(read_log(tmp_path), [], PHASES)
    assert {each.name: each.course for each in phase.series}["errors"] is Course.STEADY


def test_client_and_server_are_compared_in_the_report(tmp_path: Path) -> None:
    samples = SampleWriter(tmp_path / SERVER)
    for second, count in ((20, 0.0), (120, 2000.0)):
        buckets = Buckets((0.04, 0.08, np.inf), (0.0, count, count), 0.05 * count)
        name = "vllm:time_to_first_token_seconds"
        one = Sample("upstream", second * NANO, "ttft", name, "engine=0", "histogram", count, buckets)
        samples.page("upstream", second * NANO, 1, [one])
    samples.flush()
    found = run(tmp_path, STEADY)
    p50 = next(each for each in found.told["server"]["compared"] if each["quantile"] == "p50")
    assert (p50["server_s"], p50["requests"]) == ([0.04, 0.08], {"client": 2000, "server": 2000})
    assert p50["apart_s"] == pytest.approx(0.02, abs=0.002)
    assert f"Client and server: {p50['said']}." in in_words(found.told)


def test_a_report_has_servers_and_drift_beside_its_numbers(tmp_path: Path) -> None:
    plain = {"name": "t", "stack": "openai", "base_url": "http://127.0.0.1:1", "models": {"chat": "m"}}
    phases = [{"name": "steady", "duration": 120}]
    profile = Profile.model_validate(
        {"name": "p", "arrivals": {"kind": "constant", "rate": 20}, "phases": phases, "trust": {"steady": True}}
    )
    made = LoadRun.create(tmp_path, Target.model_validate(plain), profile, 1)
    made.selves[0] = WorkerSelf(0, 2400, 0.1, Histogram())
    writer = Writer(made.folder / FOLDER, 0)
    for index, latency in enumerate(CREEPING):
        writer.add(row(index, float(latency), phase=0), np.empty(0, dtype=np.int64))
    writer.flush()
    samples = SampleWriter(made.folder / SERVER)
    samples.gap("target", 0, 1, "status 404")
    samples.flush()

    told = made.finish()

    assert told["verdict"]["verdict"] == "VOID"
    assert [reason.partition(" drifts")[0] for reason in told["verdict"]["reasons"]] == [
        f"not steady: steady: {name}" for name in ("ttft p50", "tpot p50", "latency p50")
    ]
    assert told["server"]["sources"]["target"]["gaps"] == {"status 404": 1}
    written = (made.folder / "summary.md").read_text()
    assert "\ntarget: 0 scrapes, 1 gaps (status 404).\n" in written
    assert "\nDrift in steady, windows of 2 s: ttft p50 drifts by +" in written


def test_what_scatters_too_much_is_neither_steady_nor_refuted() -> None:
    times = np.arange(24.0)
    noisy = Series("ttft p50", "s", times, 0.1 * np.random.default_rng(5).lognormal(sigma=0.5, size=len(times)))
    found = PhaseDrift("steady", 1.0, (judge(noisy),))
    assert (found.unsteady, found.undecided, found.to_plain()["steady"]) == ([], ["ttft p50"], None)


def test_what_is_too_short_to_be_tested_is_not_called_steady() -> None:
    times = np.arange(float(LEAST - 1))
    found = PhaseDrift("steady", 1.0, (judge(Series("ttft p50", "s", times, np.full(len(times), 0.1))),))
    assert (len(found.unsteady), found.undecided, found.to_plain()["steady"]) == (1, [], False)
