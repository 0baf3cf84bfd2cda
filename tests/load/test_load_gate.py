"""The gate on whole load runs, started as a pipeline does: kept, broken by a slowed engine, void by our own limits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.load.rig import ROOT, WITHIN, Rig, serving
from tests.load.server import SLOW

RATE, SECONDS = 20, 3  # 60 requests: enough for the median, to which a p99 adds nothing here
GATES = f"""
gates:
  - {{metric: ttft.p50, max: {SLOW / 2}s}}
  - {{metric: errors, max: 0}}
"""
ONE_AT_A_TIME = "in_flight=1"
"""Of twenty a second that each take half of one: nine in ten do not leave."""


@pytest.mark.parametrize(
    ("mode", "settings", "code", "verdicts"),
    [
        ("well", (), 0, ["PASS", "PASS"]),
        ("slow", (), 1, ["FAIL", "PASS"]),
        ("slow", (ONE_AT_A_TIME,), 5, ["VOID", "VOID"]),
    ],
    ids=["kept", "slowed", "void"],
)
def test_a_release_is_judged_by_its_run(
    rig: Rig, tmp_path: Path, mode: str, settings: tuple[str, ...], code: int, verdicts: list[str]
) -> None:
    with serving(mode) as server:
        rig.targets(server.port)
        run = rig.start(RATE, SECONDS, *settings)
        assert run.code() in (0, 5), run.text
    gates, told = tmp_path / "gates.yaml", tmp_path / "gate.json"
    gates.write_text(GATES, encoding="utf-8")
    words = ["gate", str(run.folder), "--gates", str(gates), "--json", str(told), "--annotations", "none"]
    done = subprocess.run(
        [Path(sys.executable).with_name("gateproof"), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, ""), done.stdout
    assert [row["verdict"] for row in json.loads(told.read_text(encoding="utf-8"))["rows"]] == verdicts
