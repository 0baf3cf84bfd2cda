"""Every check is proven able to fail, and every fault breaks exactly what it says: fault by requirement."""

from __future__ import annotations

import os

import pytest

from gateproof.stack.faults import FAULTS
from gateproof.verdict.catalogue import load_catalogue
from tests.faults.matrix import ROOT, Matrix, play

# FAULT=name[,name] plays only these, for whoever works on one
NAMES = [name for name in os.environ.get("FAULT", "").split(",") if name] or sorted(FAULTS)
UNHURT = {"PASS", "NOT_DECLARED"}
BROKEN = {"FAIL", "WARN", "INFO"}


@pytest.fixture(scope="session")
def matrix() -> Matrix:
    return play(NAMES)


def test_the_healthy_stack_passes_everything(matrix: Matrix) -> None:
    red = {requirement: verdict for requirement, verdict in matrix.healthy.verdicts.items() if verdict not in UNHURT}
    assert red == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_breaks_exactly_what_it_says(matrix: Matrix, name: str) -> None:
    """Its requirements turn red; all others that its requests could touch stay as they were."""
    outcome, fault = matrix.faulty[name], FAULTS[name]
    changed = {r: v for r, v in outcome.verdicts.items() if v != matrix.healthy.verdicts[r]}
    told = {r: (v, outcome.messages[r]) for r, v in changed.items()}
    assert {r for r, v in changed.items() if v in BROKEN} == set(fault.breaks), told
    assert {r for r, v in changed.items() if v not in BROKEN} == set(fault.clouds), told
    assert {changed[r] for r in fault.clouds} <= {"INCONCLUSIVE"}, told


@pytest.mark.parametrize("name", [name for name in NAMES if FAULTS[name].shows])
def test_the_message_names_the_offending_value(matrix: Matrix, name: str) -> None:
    fault = FAULTS[name]
    texts = [matrix.faulty[name].messages[requirement] for requirement in fault.breaks]
    assert any(fault.shows in text for text in texts), texts


def test_every_implemented_requirement_has_a_fault() -> None:
    catalogue = load_catalogue(ROOT / "conformance" / "catalogue").requirements.values()
    implemented = {r.id for r in catalogue if not (r.planned or r.excluded)}
    assert implemented - {requirement for fault in FAULTS.values() for requirement in fault.breaks} == set()
