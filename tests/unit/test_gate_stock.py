"""The gates that we ship: readable, explained, and with the numbers of their sources."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from gateproof.gate.model import MetricGate, read_gates
from gateproof.gate.schema import gates_schema
from tests.unit.report_samples import ROOT

FILES = sorted((ROOT / "load" / "gates").glob("*.yaml"))
# ms: TTFT and TPOT at the p99, server and interactive, of loadgen/mlperf.conf
MLPERF = {
    "8b": (2000, 100, 500, 30),
    "70b": (2000, 200, 450, 40),
    "405b": (6000, 175, 4500, 80),
    "120b-moe": (3000, 80, 2000, 15),
    "671b-moe": (2000, 80, 1500, 15),
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_file_is_read_and_holds_to_the_schema(file: Path) -> None:
    assert read_gates(file).placed != []
    jsonschema.validate(yaml.safe_load(file.read_text(encoding="utf-8")), gates_schema())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_bound_on_speed_says_where_it_comes_from(file: Path) -> None:
    gates = [each.gate for each in read_gates(file).placed if isinstance(each.gate, MetricGate)]
    hard = [gate for gate in gates if gate.level == "hard" and gate.measured.unit == "s" and gate.max is not None]
    assert [gate.metric for gate in hard if not gate.why] == []


@pytest.mark.parametrize("size", MLPERF)
@pytest.mark.parametrize("kind", ["server", "interactive"])
def test_the_limits_are_those_of_mlperf(size: str, kind: str) -> None:
    file = ROOT / "load" / "gates" / f"mlperf-{kind}-{size}.yaml"
    bounds = {each.gate.metric: each.gate.max for each in read_gates(file).placed if isinstance(each.gate, MetricGate)}
    first, second = MLPERF[size][:2] if kind == "server" else MLPERF[size][2:]
    assert (bounds["ttft.p99"], bounds["tpot.p99"]) == (pytest.approx(first / 1e3), pytest.approx(second / 1e3))


def test_every_shipped_file_is_in_the_docs() -> None:
    docs = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
    assert [file.stem for file in FILES if file.stem not in docs] == []


def test_the_gate_loads_nothing_that_patches() -> None:
    program = (
        "import sys, gateproof.gate.run, gateproof.gate.outputs; print(*{'locust', 'gevent'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
