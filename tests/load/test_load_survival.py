"""Whatever happens to a run, it ends, says what it lost, and counts nothing twice."""

from __future__ import annotations

import datetime as dt
import os
import resource
import signal
import time
from pathlib import Path

import pytest
import trustme

from gateproof.load.log import read_log
from tests.load.rig import Rig, Run, Served, serving, until
from tests.load.server import GAP
from tests.ports import refusing_port

FILES = 64  # fewer than a run needs
SMALL = 6 * 1024  # bytes of a file: the facts of a run fit, a segment of its log does not
ON_TIME = 20.0  # s from the start of a run of 3 s to its report; one that drained would take 30 more


def outcomes(run: Run) -> dict[str, int]:
    told: dict[str, int] = run.report()["outcomes"]
    return told


def took(run: Run) -> float:
    """Seconds from its start to its report; what Locust needs before is left out."""
    started = dt.datetime.fromisoformat(run.report()["started"]).timestamp()
    return (run.folder / "report.json").stat().st_mtime - started


def reasons(run: Run) -> str:
    return "; ".join(run.report()["verdict"]["reasons"])


def logged(folder: Path) -> list[int]:
    indices: list[int] = read_log(folder).table["index"].to_pylist()
    return indices


def test_a_target_that_is_down_is_told_before_anything_is_made(rig: Rig) -> None:
    with refusing_port() as port:
        rig.targets(port)
        run = rig.start(5, 2)
        assert run.code() == 4
    assert "does not answer: Connection refused" in run.text
    assert "Traceback" not in run.text
    assert not run.reports.exists()


def test_a_target_that_dies_costs_errors_by_kind_and_no_time(rig: Rig, server: Served) -> None:
    run = rig.start(20, 3)
    server.streams(20)
    server.process.kill()
    assert run.code() == 0, run.text
    assert took(run) < ON_TIME
    found = outcomes(run)
    assert found.keys() <= {"ok", "cut", "connect"}
    assert (sum(found.values()), found["ok"] >= 15, found["connect"] >= 35) == (60, True, True), found


def test_a_target_that_drips_for_ever_is_given_up(rig: Rig) -> None:
    with serving("drip") as server:
        rig.targets(server.port)
        run = rig.start(5, 2, "patience.total=1500ms", "patience.drain=500ms")
        assert run.code() == 0, run.text
    assert took(run) < ON_TIME
    found = outcomes(run)
    # due in the last second: their patience of 1.5 s outlasts the run, which is over half a second after its last phase
    assert found.keys() == {"timeout", "abandoned"}
    assert sum(found.values()) == 10
    assert run.report()["error_share"] == 1.0


def test_a_run_that_is_stopped_tells_what_was_under_way(rig: Rig) -> None:
    with serving("drip") as server:
        rig.targets(server.port)
        run = rig.start(5, 60)
        server.streams(3)
        begun = time.monotonic()
        run.process.send_signal(signal.SIGINT)
        assert run.code() == 5, run.text
    assert time.monotonic() - begun < ON_TIME
    found = outcomes(run)
    assert found.keys() == {"abandoned", "not dispatched"}
    assert (found["abandoned"] >= 3, sum(found.values())) == (True, 300)


def test_a_killed_worker_voids_the_run_and_its_log_is_read(rig: Rig, server: Served) -> None:
    run = rig.start(20, 9, words=["--processes", "2"])
    run.logs(workers=2)
    os.kill(run.loading()[-1], signal.SIGKILL)
    assert run.code() == 5, run.text
    assert "did not come to its end" in reasons(run)
    assert "of 180 due requests are in no log" in reasons(run)
    rows = read_log(run.folder)
    assert {0, 1} == set(rows.table["worker"].to_pylist())
    assert rows.twice == 0


def test_a_killed_master_leaves_logs_that_make_the_report(rig: Rig, server: Served) -> None:
    run = rig.start(20, 60, words=["--processes", "2"])
    run.logs()
    os.kill(run.loading()[0], signal.SIGKILL)
    assert run.code() == 3
    assert "the load process ended by SIGKILL" in run.text
    until(lambda: not run.loading())
    assert not (run.folder / "report.json").exists()

    assert rig.report(run.folder) == 0
    first = (run.folder / "report.json").read_bytes()
    assert rig.report(run.folder) == 0
    assert (run.folder / "report.json").read_bytes() == first
    assert outcomes(run)["ok"] >= 20


def test_a_load_does_not_outlive_who_started_it(rig: Rig, server: Served) -> None:
    run = rig.start(20, 60)
    server.streams(5)
    run.process.kill()
    until(lambda: not run.loading())
    assert outcomes(run)["ok"] >= 4


def test_a_full_disk_voids_the_run_which_says_what_was_lost(rig: Rig, server: Served) -> None:
    run = rig.start(20, 2, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, SMALL)))
    assert run.code() == 5, run.text
    assert "VOID" in run.text
    assert "our log is incomplete: 40 requests could not be written: " in run.text
    assert "the report cannot be written: " in run.text
    assert "Traceback" not in run.text
    assert logged(run.folder) == []


def test_a_folder_that_cannot_be_written_is_a_mistake(rig: Rig, server: Served) -> None:
    (rig.folder / "reports").write_text("a file")
    run = rig.start(5, 2)
    assert run.code() == 2, run.text
    assert "--report-dir: cannot be written: Not a directory" in run.text
    assert "Traceback" not in run.text


def test_too_few_open_files_are_told_before_the_start(rig: Rig, server: Served) -> None:
    run = rig.start(5, 2, before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES)))
    assert run.code() == 2, run.text
    assert "each worker needs 4224 open files for 4096 requests under way, 64 are allowed" in run.text
    assert not run.reports.exists()


@pytest.mark.parametrize("kill", [False, True], ids=["interrupted", "killed"])
def test_a_resumed_run_sends_the_rest_and_counts_each_request_once(rig: Rig, server: Served, *, kill: bool) -> None:
    run = rig.start(20, 10, "trust.interruptions=1", "trust.achieved=0.5")
    run.logs()
    if kill:
        run.kill()
    else:
        run.process.send_signal(signal.SIGINT)
        assert run.code() == 5, run.text
    before = set(logged(run.folder))
    resumed = rig.resume(run.folder)
    assert resumed.code() == 0, resumed.text

    rows = read_log(run.folder)
    assert (rows.table["index"].to_pylist(), rows.twice) == (list(range(200)), 0)
    assert before <= set(range(200))
    told = run.report()
    [interruption] = told["interruptions"]
    assert told["verdict"]["verdict"] == "VALID"
    assert f"interrupted at {interruption['at_s']:.1f} s" in told["verdict"]["notes"][0]
    assert told["outcomes"].get("skipped", 0) == interruption["lost"] < 5
    assert told["outcomes"]["ok"] == 200 - interruption["lost"]
    again = rig.resume(run.folder)
    assert again.code() == 2
    assert "this run came to its end" in again.text or "allows 1 interruptions" in again.text


def test_a_run_over_tls_is_measured_as_any_other(rig: Rig) -> None:
    authority, file = trustme.CA(), rig.folder / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(file))
    authority.cert_pem.write_to_path(str(rig.folder / "ca.pem"))
    with serving(certificate=file) as server:
        url = f"https://127.0.0.1:{server.port}/v1"
        rig.targets(server.port, base_url=url, tls={"ca": str(rig.folder / "ca.pem")})
        run = rig.start(20, 2)
        assert run.code() == 0, run.text
        rig.targets(server.port, base_url=url)
        strange = rig.start(20, 2)
        assert strange.code() == 4
    assert "certificate verify failed" in strange.text
    told = run.report()
    assert told["outcomes"] == {"ok": 40}
    assert not [note for note in told["verdict"]["notes"] if "stamps nothing" in note]
    first, tokens = told["metrics"]["ttft_service"], told["metrics"]["tpot"]
    # a role, and the first token a gap later; three gaps between four tokens
    assert first["low"] >= GAP / 2
    assert tokens["quantiles"]["p50"] == pytest.approx(GAP, rel=0.5)
    rows = read_log(run.folder).table
    secured = [row["secured"] - row["connected"] for row in rows.to_pylist() if not row["reused"]]
    assert min(secured) > 0
