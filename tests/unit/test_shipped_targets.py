"""The shipped targets: what a newcomer runs first must not be refused for what it might cost."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateproof.targets.loader import load_targets

ROOT = Path(__file__).parents[2]
TARGETS = load_targets(ROOT / "targets.yaml")


@pytest.mark.parametrize("name", list(TARGETS))
def test_the_bound_of_a_whole_run_is_allowed(name: str) -> None:
    set_for_all = dict.fromkeys(TARGETS.variables(name), "http://127.0.0.1:1")
    command = [sys.executable, "-m", "pytest", f"--target={name}", "--collect-only", "-q", "-p", "no:xdist"]
    done = subprocess.run(
        command, cwd=ROOT, env={"PATH": "", "HOME": "/", **set_for_all}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(rf"^{re.escape(name)}: \d+ checks, at most [\d,]+ requests", done.stdout, re.MULTILINE)
