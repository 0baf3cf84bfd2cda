"""Run the packs against the reference stack again and again: every run must give the same verdicts.

Usage: python -m tests.steady [RUNS]      prints seconds and verdicts of each run; exit 1 when two differ
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = 20


def one_run(reports: Path) -> tuple[float, dict[str, str]]:
    """Seconds and verdict by requirement."""
    command = [sys.executable, "-m", "pytest", "--target=local", "-n", "2", "-q", f"--report-dir={reports}"]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    report = json.loads((reports / "local" / "conformance" / "latest" / "report.json").read_text())
    return report["summary"]["wall_s"], {row["id"]: row["verdict"] for row in report["requirements"]}


def main(runs: int) -> int:
    first: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="gateproof-steady-") as folder:
        for number in range(1, runs + 1):
            wall, verdicts = one_run(Path(folder))
            first = first or verdicts
            changed = {name: verdicts.get(name) for name in first if verdicts.get(name) != first[name]}
            print(f"{number:3}  {wall:5.1f} s  {dict(Counter(verdicts.values()))}  {changed or ''}", flush=True)
            if changed:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS))
