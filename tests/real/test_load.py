"""Load on a real vLLM, and on a real LiteLLM in front of it: numbers that its own metrics bear out.

Nothing here says how good the timing of the machine was: a run may be void, for reasons of timing alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from gateproof.load.log import read_log

ROOT = Path(__file__).parents[2]
HANG_GUARD = 600.0  # s; with the installation, which happens once per machine
VALID, VOID = 0, 5
TIMING = ("left late", "ran late", "of a core, ")
"""What a busy machine may do to a run, in the words of its report."""

RATE = 4.0  # requests/s; ten times less than a tiny model on two cores can answer
SHARED = 10
"""One in so many requests may be counted on one side only: those under way at the ends of the window."""


def loaded(folder: Path, target: str, profile: str, *settings: str) -> tuple[Path, dict[str, Any]]:
    """The folder of a run, and its report."""
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
    assert [each for each in reasons if not any(words in each for words in TIMING)] == []
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


def test_the_first_token_of_a_real_vllm_is_where_it_says(tmp_path: Path) -> None:
    """Its histogram knows between which edges a quantile lies; the way there and back is on loopback."""
    run, told = loaded(
        tmp_path,
        "real-vllm",
        "smoke",
        f"arrivals.rate={RATE:g}",
        "phases=[{name: warm-up, duration: 3s, counted: false}, {name: steady, duration: 20s}]",
    )
    assert_counted_once(run, told)
    assert told["outcomes"] == {"ok": told["due"]}
    assert all(told["metrics"][name]["count"] == told["due"] for name in ("ttft", "tpot", "latency"))
    [prompts] = told["prompts"]
    assert prompts["output"]["off"] == 0  # `ignore_eos` makes every answer as long as was asked for

    own = series(told, "target", "ttft")
    assert own["name"] == "vllm:time_to_first_token_seconds"
    assert abs(own["count"] - told["due"]) <= max(2, told["due"] / SHARED)
    [compared] = [each for each in told["server"]["compared"] if (each["metric"], each["quantile"]) == ("ttft", "p50")]
    # The engine counts from when it has the request: until then the server reads and tokenizes it, and sends its head.
    # What is more than that can only be our own reading.
    before = told["metrics"]["first_byte"]["quantiles"]["p50"]
    assert 0 <= compared["apart_s"] <= before + told["metrics"]["read_delay"]["high"], compared["said"]


def test_what_litellm_adds_is_told_with_an_interval(tmp_path: Path) -> None:
    run, told = loaded(
        tmp_path,
        "real-litellm-vllm",
        "overhead",
        "arrivals.rate=3",
        "against.block=2s",
        "workload.input_tokens=64",
        "workload.output_tokens=16",
        "phases=[{name: warm-up, duration: 8s, counted: false}, {name: steady, duration: 40s}]",
    )
    assert_counted_once(run, told)
    added = told["overhead"]
    assert (added["pairs"], added["lost"]) == (told["due"], {"gateway": 0, "direct": 0})
    first = added["stages"]["ttft"]
    assert first["pairs"] == added["pairs"]
    assert first["gateway"] > first["direct"] > 0
    median = first["median"]
    assert 0 < median["low"] <= median["value"] <= median["high"], "a proxy takes its time"
