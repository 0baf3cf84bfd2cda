"""Rules of the house that no linter knows: sizes, names that may stand nowhere, skips and sleeps, faults and gates."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from gateproof.stack import faults
from gateproof.targets.capabilities import CAPABILITIES
from gateproof.targets.loader import load_targets
from gateproof.verdict.catalogue import load_catalogue

ROOT = Path(__file__).parents[2]
LONGEST_FILE = 500  # lines, style guide 12.2
CATALOGUE = load_catalogue(ROOT / "conformance" / "catalogue")
FAULTS = faults.FAULTS
# A name that is also a word of the trade says nothing about a target.
ORDINARY_WORDS = frozenset({"local"})
# Container registries, and hosts of ours or of a mirror: a file that names one works in one place only.
HOST = re.compile(
    r"\b(?:[\w-]+\.)*(?:docker\.io|quay\.io|ghcr\.io|gcr\.io|azurecr\.io|registry\.[\w.-]+|artifactory\.[\w.-]+|\w[\w.-]*\.internal)\b"
)
MACHINE_PATH = re.compile(r"(?<![\w./~$}-])/(?:home|work|root|Users|tmp/x)/[\w.-]+")
GENERATED = (".lock", "package-lock.json", "LICENSE")


def tracked() -> list[Path]:
    """Files that are in the repository or about to be."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in sorted(names) if (ROOT / name).is_file()]


def relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def sources(*folders: str) -> list[Path]:
    return [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


TRACKED = tracked()


def test_no_file_is_too_long() -> None:
    lengths = {relative(file): len(file.read_text().splitlines()) for file in TRACKED if file.suffix == ".py"}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_check_knows_a_target() -> None:
    names = set(load_targets(ROOT / "targets.yaml")) - ORDINARY_WORDS
    found = [
        f"{relative(file)}: {name}"
        for file in sources("conformance", "fixtures")
        for name in names
        if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", file.read_text())
    ]
    assert found == []


def calls(file: Path, *names: str) -> Iterable[tuple[ast.Call, str]]:
    """Calls to any of these, written out as `module.function` or as `function`."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names:
            yield node, f"{relative(file)}:{node.lineno}: {ast.unparse(node)}"


def test_no_check_skips() -> None:
    skips = ("pytest.skip", "pytest.importorskip", "pytest.xfail", "skip", "pytest.mark.skip", "pytest.mark.skipif")
    assert [where for file in sources("conformance") for _, where in calls(file, *skips)] == []


def test_no_check_sleeps_for_a_bare_number() -> None:
    """A pause is a named constant, or follows from a promise of the target: no literal alone says how long."""
    bare = [
        where
        for file in sources("conformance", "fixtures")
        for call, where in calls(file, "time.sleep", "sleep")
        if not any(isinstance(node, ast.Name | ast.Attribute) for part in call.args for node in ast.walk(part))
    ]
    assert bare == []


@pytest.mark.parametrize("pattern", [HOST, MACHINE_PATH], ids=["registry host", "path of this machine"])
def test_no_file_names_a_place_of_ours(pattern: re.Pattern[str]) -> None:
    found = []
    for file in TRACKED:
        if file.name.endswith(GENERATED) or file == Path(__file__):
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        found += [f"{relative(file)}: {match[0]}" for match in pattern.finditer(text)]
    assert found == []


def test_every_gate_is_a_known_capability() -> None:
    gates = {(r.id, gate) for r in CATALOGUE.requirements.values() for gate in r.gate}
    assert sorted((id_, gate) for id_, gate in gates if gate not in CAPABILITIES) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_breaks_requirements_that_are_tested_and_has_an_origin(name: str) -> None:
    fault = FAULTS[name]
    assert fault.breaks != ()
    assert [id_ for id_ in fault.breaks if id_ not in CATALOGUE or CATALOGUE[id_].planned] == []
    assert fault.stands_for.strip() != ""
    assert fault.link is None or fault.link.startswith("https://")


def test_every_fault_has_its_hook() -> None:
    """A fault that no code asks for would turn nothing red."""
    asked = {
        str(node.args[0].value)
        for file in sources("gateproof/stack")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("worn") and node.args
        if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    }
    assert sorted(FAULTS.keys() - asked) == []
    assert sorted(asked - FAULTS.keys()) == []
