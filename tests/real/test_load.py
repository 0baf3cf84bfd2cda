"""Load on a real vLLM, and on a real LiteLLM in front of it: numbers that its own metrics bear out.

Nothing here says how good the timing of the machine was: a run may be void, for reasons of timing alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateproof.load.log import read_log

ROOT = Path(__file__).parents[2]
HANG_GUARD = 600.0  # s; with the installation, which happens once per machine
VALID, VOID = 0, 5
TIMING = ("left late", "ran late", "of a core, ")
"""What a busy machine may do to a run, in the words of its report."""

NOT_SENT = "did not leave"

RATE = 4.0  # requests/s; ten times less than a tiny model on two cores can answer
SHARED = 10
"""One in so many requests may be counted on one side only: those under way at the ends of the window."""


def loaded(
    folder: Path, target: str, profile: str, *settings: str, void_for: tuple[str, ...] = TIMING
) -> tuple[Path, dict[str, Any]]:
    """The folder of a run, and its report, void for no other reasons than these."""
    chosen = [word for setting in settings for word in ("--set", setting)]
    command = [Path(sys.executable).with_name("gateproof"), "load", "--target", target, "--profile", profile]
    done = subprocess.run(
        [*command, *chosen, "--report-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANG_GUARD,
        check=False,
    )
    assert done.returncode in (VALID, VOID), done.stdout + done.stderr
    run = (folder / target / "load" / "latest").resolve()
    told: dict[str, Any] = json.loads((run / "report.json").read_text())
    reasons = told["verdict"]["reasons"]
    assert [each for each in reasons if not any(words in each for words in void_for)] == []
    assert (done.returncode == VOID) == bool(reasons)
    return run, told


def assert_counted_once(run: Path, told: dict[str, Any]) -> None:
    rows = read_log(run)
    index = rows.table["index"].to_pylist()
    assert (index, rows.twice) == (list(range(len(index))), 0)
    assert told["spent"]["requests"] == len(index)


def series(told: dict[str, Any], source: str, word: str) -> dict[str, Any]:
    [found] = [each for each in told["server"]["sources"][source]["series"] if each["word"] == word]
    return dict(found)


Loaded = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A run on a real vLLM."""
    return loaded(
        tmp_path_factory.mktemp("direct"),
        "real-vllm",
        "smoke",
        f"arrivals.rate={RATE:g}",
        "phases=[{name: warm-up, duration: 3s, counted: false}, {name: steady, duration: 20s}]",
    )


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A run through a real LiteLLM in front of it, and past it."""
    return loaded(
        tmp_path_factory.mktemp("proxied"),
        "real-litellm-vllm",
        "overhead",
        "arrivals.rate=3",
        "against.block=2s",
        "workload.input_tokens=64",
        "workload.output_tokens=16",
        "phases=[{name: warm-up, duration: 8s, counted: false}, {name: steady, duration: 40s}]",
    )


def test_the_first_token_of_a_real_vllm_is_where_it_says(direct: Loaded) -> None:
    """Its histogram knows between which edges a quantile lies; the way there and back is on loopback."""
    run, told = direct
    assert_counted_once(run, told)
    assert told["outcomes"] == {"ok": told["due"]}
    assert all(told["metrics"][name]["count"] == told["due"] for name in ("ttft", "tpot", "latency"))
    [prompts] = told["prompts"]
    assert (prompts["exact"], prompts["input"]["off"]) == (True, 0)
    assert prompts["output"]["off"] == 0  # `ignore_eos` makes every answer as long as was asked for

    own = series(told, "target", "ttft")
    assert own["name"] == "vllm:time_to_first_token_seconds"
    assert abs(own["count"] - told["due"]) <= max(2, told["due"] / SHARED)
    [compared] = [each for each in told["server"]["compared"] if (each["metric"], each["quantile"]) == ("ttft", "p50")]
    # The engine counts from when it has the request: until then the server reads and tokenizes it, and sends its head.
    # What is more than that can only be our own reading.
    before = told["metrics"]["first_byte"]["quantiles"]["p50"]
    assert 0 <= compared["apart_s"] <= before + told["metrics"]["read_delay"]["high"], compared["said"]


def test_what_litellm_adds_is_told_with_an_interval(proxied: Loaded) -> None:
    run, told = proxied
    assert_counted_once(run, told)
    added = told["overhead"]
    assert (added["pairs"], added["lost"]) == (told["due"], {"gateway": 0, "direct": 0})
    first = added["stages"]["ttft"]
    assert first["pairs"] == added["pairs"]
    assert first["gateway"] > first["direct"] > 0
    median = first["median"]
    assert 0 < median["low"] <= median["value"] <= median["high"], "a proxy takes its time"


def gated(tmp_path: Path, run: Path, *gates: str) -> tuple[int, set[str]]:
    """The exit code of `gateproof gate`, and its verdicts."""
    file, told = tmp_path / "gates.yaml", tmp_path / "gate.json"
    file.write_text("gates:\n" + "".join(f"  - {gate}\n" for gate in gates), encoding="utf-8")
    command = [Path(sys.executable).with_name("gateproof"), "gate", run, "--gates", file, "--json", told]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANG_GUARD, check=False)
    return done.returncode, {row["verdict"] for row in json.loads(told.read_text())["rows"]}


def believed(told: dict[str, Any], code: int, verdict: str) -> tuple[int, set[str]]:
    """What a gate says of a run that it may believe; a void one is void, whatever its numbers."""
    return (VOID, {"VOID"}) if told["verdict"]["verdict"] == "VOID" else (code, {verdict})


def test_a_real_vllm_passes_the_gate_that_it_keeps(direct: Loaded, tmp_path: Path) -> None:
    run, told = direct
    found = gated(tmp_path, run, "{metric: ttft.p50, max: 2s}", "{metric: errors, max: 0}")
    assert found == believed(told, 0, "PASS")


def test_a_real_litellm_fails_the_gate_that_it_breaks(proxied: Loaded, tmp_path: Path) -> None:
    """A proxy in Python adds more than a microsecond."""
    run, told = proxied
    assert gated(tmp_path, run, "{metric: overhead.ttft.median, max: 1us}") == believed(told, 1, "FAIL")


def test_a_generator_that_cannot_keep_up_proves_nothing(tmp_path: Path) -> None:
    """One request at a time, of twenty a second that take longer than the twentieth of one."""
    choked = ("in_flight=1", "arrivals.rate=20", "workload.output_tokens=64")
    run, told = loaded(tmp_path, "real-vllm", "smoke", *choked, void_for=(*TIMING, NOT_SENT))
    assert any(NOT_SENT in reason for reason in told["verdict"]["reasons"])
    assert gated(tmp_path, run, "{metric: ttft.p50, max: 2s}") == (VOID, {"VOID"})
