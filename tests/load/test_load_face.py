"""Locust's own ways in: its web UI, its processes, its signals, and workers that somebody else started."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from functools import partial
from typing import Any

import pytest

from gateproof.launch.ports import free_port
from gateproof.load.log import read_log
from tests.load.rig import ROOT, WELL, Rig, Run, processes, until
from tests.ports import refusing_port

RATE, SECONDS = 20, 3
DUE = RATE * SECONDS
SHORT = (
    *("arrivals.kind=constant", f"arrivals.rate={RATE}", f"phases=[{{name: only, duration: {SECONDS}s}}]"),
    *WELL,
)
SEARCH = (
    *("search={low: 8, high: 16, resolution: 0.9, run: 2s, settle: 200ms, errors: 0.5}", *WELL),
    "objectives={latency: {p50: 200ms}}",
)
"""Two runs of two seconds: a rate, and its double."""


def locust(rig: Rig, name: str, *words: str, profile: str = "smoke", settings: tuple[str, ...] = SHORT) -> Run:
    """A process of Locust itself; what it says goes to a file of that name."""
    said = rig.folder / f"{name}.txt"
    chosen = ["--target", "t", "--targets", rig.folder / "targets.yaml", "--report-dir", rig.folder / "reports"]
    changed = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "locust", "-f", "load/locustfile.py", *chosen, "--profile", profile, *changed]
    with said.open("wb") as out:
        process = subprocess.Popen(
            [*command, *words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
    rig.runs.append(Run(process, said, rig.folder / "reports" / "t" / "load"))
    return rig.runs[-1]


def assert_whole(run: Run, workers: int) -> None:
    """Every request of the schedule was sent, and is counted once."""
    told = run.report()
    assert (told["due"], told["outcomes"], told["workers"]) == (DUE, {"ok": DUE}, workers)
    rows = read_log(run.folder)
    assert (rows.table["index"].to_pylist(), rows.twice) == (list(range(DUE)), 0)


def test_workers_do_not_outlive_a_start_that_failed(rig: Rig) -> None:
    with refusing_port() as port:
        rig.targets(port)
        run = locust(rig, "master", "--headless", "--processes", "2")
        assert run.code() == 4
    assert "does not answer: Connection refused" in run.text
    until(lambda: not processes(rig.folder))


@pytest.mark.usefixtures("server")
def test_sigterm_ends_a_run_with_its_report(rig: Rig) -> None:
    run = locust(rig, "only", "--headless", settings=(*SHORT, "phases=[{name: only, duration: 60s}]"))
    run.logs()
    run.process.send_signal(signal.SIGTERM)
    assert run.code() == 5
    told = run.report()
    assert told["outcomes"]["ok"] > 0
    assert any("did not leave" in reason for reason in told["verdict"]["reasons"])
    assert "Traceback" not in run.text


@pytest.mark.usefixtures("server")
def test_workers_may_be_processes_of_their_own(rig: Rig) -> None:
    port = str(free_port())
    master = locust(rig, "master", "--headless", "--master", "--expect-workers", "2", "--master-bind-port", port)
    for name in ("one", "two"):
        locust(rig, name, "--worker", "--master-port", port)
    assert master.code() == 0, master.text
    assert_whole(master, workers=2)


@pytest.mark.usefixtures("server")
def test_a_worker_with_another_data_set_refuses(rig: Rig) -> None:
    port, files = str(free_port()), [rig.folder / "a.jsonl", rig.folder / "b.jsonl"]
    for file in files:
        file.write_text(json.dumps({"prompt": f"of {file.stem}"}) + "\n")
    ours, other = ((*SHORT, f"workload.dataset={file}") for file in files)
    words = ("--headless", "--master", "--expect-workers", "2", "--master-bind-port", port)
    master = locust(rig, "master", *words, settings=ours)
    locust(rig, "one", "--worker", "--master-port", port, settings=ours)
    refusing = locust(rig, "two", "--worker", "--master-port", port, settings=other)
    assert (refusing.code(), master.code()) == (2, 5)
    [reason] = [each for each in master.report()["verdict"]["reasons"] if "did nothing" in each]
    assert "has other requests than the master" in reason


@pytest.mark.usefixtures("server")
def test_runs_of_the_web_ui_have_a_report_each_and_its_numbers(rig: Rig) -> None:
    port = free_port()
    run = locust(rig, "web", "--web-host", "127.0.0.1", "--web-port", str(port))
    until(lambda: "Starting web interface" in run.text and answered(port, "/stats/requests") is not None)
    for number in (1, 2):
        assert (answered(port, "/swarm", b"user_count=1&spawn_rate=1") or {})["success"]
        until(partial(reported, run, number))
        assert_whole(run, workers=1)
        latency = run.report()["metrics"]["latency"]
        until(lambda: shown(port)["num_requests"] == DUE)
        assert shown(port)["avg_response_time"] == pytest.approx(latency["mean"] * 1e3, rel=1e-9)
    run.process.send_signal(signal.SIGTERM)
    assert run.code() == 0, run.text


@pytest.mark.usefixtures("server")
def test_a_search_goes_through_locust(rig: Rig) -> None:
    run = locust(rig, "only", "--headless", profile="saturation", settings=SEARCH)
    assert run.code() == 0, run.text
    told = run.report()["saturation"]
    assert [(each["rate"], each["judgement"]) for each in told["runs"]] == [(8, "met"), (16, "met")]
    assert (told["met"], told["not_met"], told["complete"]) == (16, None, True)
    assert run.folder.name == f"{told['runs'][0]['folder']}-search"


@pytest.mark.usefixtures("server")
def test_a_search_that_is_stopped_tells_what_it_found(rig: Rig) -> None:
    run = locust(rig, "only", "--headless", profile="saturation", settings=SEARCH)
    until(lambda: any(run.reports.glob("*-search/report.json")))  # one rate is judged, another under way
    run.process.send_signal(signal.SIGTERM)
    assert run.code() == 0, run.text
    told = run.report()
    assert [each["judgement"] for each in told["saturation"]["runs"]] == ["met"]
    assert not told["saturation"]["complete"]
    assert any("the search was interrupted" in note for note in told["verdict"]["notes"])
    [cut] = [f for f in run.reports.iterdir() if not f.is_symlink() and not f.name.startswith(first(told))]
    assert json.loads((cut / "report.json").read_text())["verdict"]["verdict"] == "VOID"


def reported(run: Run, number: int) -> bool:
    return len({file.resolve() for file in run.reports.glob("*/report.json")}) == number


def first(told: dict[str, Any]) -> str:
    """The folder of a search's first run."""
    return str(told["saturation"]["runs"][0]["folder"])


def answered(port: int, path: str, form: bytes | None = None) -> dict[str, Any] | None:
    """What the web UI says; None while it is not there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", form, timeout=5) as answer:
            told: dict[str, Any] = json.load(answer)
            return told
    except OSError:
        return None


def shown(port: int) -> dict[str, Any]:
    """The sum of Locust's own statistics."""
    total: dict[str, Any] = (answered(port, "/stats/requests") or {})["stats"][-1]
    return total
