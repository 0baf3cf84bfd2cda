"""The reference gateway in each of its dresses: every verdict is a pass, or what that stack does otherwise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HANG_GUARD = 600.0  # s
DRESSES = ["local-litellm", "local-llm-proxy", "local-portkey", "local-tokenlabs", "local-tokenvisor"]


@pytest.mark.parametrize("target", DRESSES)
def test_a_dialect_is_judged_by_what_is_known_of_its_stack(target: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", f"--target={target}", f"--report-dir={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANG_GUARD,
        check=False,
    )

    print(done.stdout[-8000:])  # what a person wants to read, whatever the outcome
    assert done.returncode == 0, done.stderr[-2000:]
