"""Who may import whom (design.md, "Layout"): read from the sources, and once from a living process."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What each room may import of ours, itself and the two modules that know nothing left out.
EVERYBODY = frozenset({"gateproof", "gateproof.errors"})
ROOMS: dict[str, frozenset[str]] = {
    # pure, or touching bytes only
    "gateproof.wire": frozenset(),
    "gateproof.limits": frozenset(),
    "gateproof.shape": frozenset({"gateproof.limits.finding"}),
    # the liar shares no code with the judge
    "gateproof.stack": frozenset({"gateproof.targets"}),
    "gateproof.targets": frozenset({"gateproof.wire", "gateproof.cluster.access"}),
    "gateproof.launch": frozenset({"gateproof.targets"}),
    "gateproof.tenants": frozenset({"gateproof.cluster", "gateproof.limits", "gateproof.targets", "gateproof.wire"}),
    "gateproof.report": frozenset(
        {"gateproof.verdict.catalogue", "gateproof.verdict.expectations", "gateproof.verdict.outcomes"}
    ),
    "gateproof.verdict": frozenset(
        {
            "gateproof.launch",
            "gateproof.limits",
            "gateproof.report",
            "gateproof.targets",
            "gateproof.tenants",
            "gateproof.wire",
        }
    ),
    "gateproof.load": frozenset(
        {"gateproof.launch", "gateproof.report", "gateproof.targets", "gateproof.tenants", "gateproof.wire"}
    ),
    # judges runs from what they left, and makes none
    "gateproof.gate": frozenset(
        {
            "gateproof.load.log",
            "gateproof.load.samples",
            "gateproof.load.wire.outcome",
            "gateproof.report",
            "gateproof.targets",
            "gateproof.verdict.catalogue",
            "gateproof.verdict.outcomes",
        }
    ),
    # holds runs against each other, from what they left
    "gateproof.compare": frozenset(
        {
            "gateproof.gate",
            "gateproof.load.analysis",
            "gateproof.load.log",
            "gateproof.load.page",
            "gateproof.load.profile",
            "gateproof.load.ranks",
            "gateproof.load.samples",
            "gateproof.load.trend",
            "gateproof.report",
        }
    ),
    "gateproof.cluster": frozenset({"gateproof.targets", "gateproof.limits"}),
    "gateproof.cli": frozenset(
        {
            "gateproof.cluster",
            "gateproof.compare",
            "gateproof.gate",
            "gateproof.launch",
            "gateproof.load",
            "gateproof.report",
            "gateproof.stack",
            "gateproof.targets",
            "gateproof.verdict",
            "gateproof.wire",
        }
    ),
    "fixtures": frozenset(
        {
            "gateproof.cluster",
            "gateproof.limits",
            "gateproof.shape",
            "gateproof.targets",
            "gateproof.tenants",
            "gateproof.verdict",
            "gateproof.wire",
        }
    ),
    "conformance": frozenset(
        {"fixtures", "gateproof.limits", "gateproof.shape", "gateproof.targets", "gateproof.verdict", "gateproof.wire"}
    ),
    "load": frozenset({"gateproof.load"}),
}

# Packages of others, and the only places that may import them. A trailing dot means the whole room.
GUARDED: dict[str, tuple[str, ...]] = {
    "locust": ("gateproof.load.", "load."),
    "gevent": ("gateproof.load.", "load."),
    "kubernetes": ("gateproof.cluster.",),
    "openai": ("fixtures.sdk", "conformance."),
    "pytest": ("gateproof.verdict.plugin.", "gateproof.verdict.claim", "fixtures.", "conformance."),
}
# Importing one of these is slow, or changes the standard library: a check that needs it imports it inside.
NOT_AT_START = ("locust", "gevent", "kubernetes", "openai")
# Imported inside the tests that need it, see its docstring.
LATE = frozenset({"fixtures.sdk"})


def modules() -> Iterator[tuple[str, ast.Module]]:
    for top in ("gateproof", "fixtures", "conformance", "load"):
        for file in sorted((ROOT / top).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            if parts[:3] != ("gateproof", "launch", "data"):  # runs in the environments of others
                yield (
                    ".".join(part for part in parts if part != "__init__"),
                    ast.parse(file.read_text(encoding="utf-8")),
                )


MODULES = dict(modules())


def imports(module: str) -> set[str]:
    """Everything that a module imports, wherever in it, as full names."""
    found: set[str] = set()
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            found.add(node.module or "")
            found |= {name for alias in node.names if (name := f"{node.module}.{alias.name}") in MODULES}
    return found


def within(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place.removesuffix('.')}.")


def room_of(module: str) -> str | None:
    return next((room for room in ROOMS if within(module, room)), None)


def ours(name: str) -> bool:
    return name.partition(".")[0] in {"gateproof", "fixtures", "conformance", "load", "tests"}


def test_every_module_is_in_a_room() -> None:
    assert [module for module in MODULES if room_of(module) is None and module not in EVERYBODY] == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_it_may_know(room: str) -> None:
    allowed = {*ROOMS[room], room}
    strangers = {
        f"{module} imports {name}"
        for module in MODULES
        if within(module, room)
        for name in imports(module)
        if ours(name) and name not in EVERYBODY and not any(within(name, place) for place in allowed)
    }
    assert sorted(strangers) == []


@pytest.mark.parametrize("package", GUARDED)
def test_a_guarded_package_is_imported_in_its_places_only(package: str) -> None:
    users = {module for module in MODULES if any(within(name, package) for name in imports(module))}
    assert sorted(user for user in users if not any(within(user, place) for place in GUARDED[package])) == []


def test_nothing_of_ours_imports_its_own_tests() -> None:
    assert [module for module in MODULES if any(within(name, "tests") for name in imports(module))] == []


def test_the_conformance_process_loads_nothing_that_patches_or_lingers() -> None:
    rooms = {"conformance", "fixtures", "gateproof.verdict"}
    wanted = [module for module in MODULES if room_of(module) in rooms and module not in LATE]
    program = f"import sys, importlib\nfor name in {wanted!r}: importlib.import_module(name)\n"
    program += f"print(*sorted(set({NOT_AT_START!r}) & sys.modules.keys()))"

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
