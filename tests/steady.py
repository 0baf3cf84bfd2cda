"""Run the packs against the reference stack again and again: every run must give the same verdicts.

Prints seconds and verdicts of each run; ends with 1 when two differ. With --busy something else keeps one core busy
meanwhile. Further options go to pytest: python -m tests.steady --runs 20 --busy -- --area RATE,QUOTA
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = 20


def one_run(reports: Path, options: list[str]) -> tuple[float, dict[str, str]]:
    """Seconds and verdict by requirement."""
    command = [sys.executable, "-m", "pytest", "--target=local", "-n", "2", "-q", f"--report-dir={reports}", *options]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    report = json.loads((reports / "local" / "conformance" / "latest" / "report.json").read_text())
    return report["summary"]["wall_s"], {row["id"]: row["verdict"] for row in report["requirements"]}


def spin() -> None:
    while True:
        pass


@contextlib.contextmanager
def company(*, busy: bool) -> Iterator[None]:
    """Somebody else who wants a core for himself."""
    other = multiprocessing.Process(target=spin, daemon=True)
    if busy:
        other.start()
    try:
        yield
    finally:
        if busy:
            other.terminate()
            other.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("options", nargs="*", help="for pytest")
    given = parser.parse_args()
    first: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="gateproof-steady-") as folder, company(busy=given.busy):
        for number in range(1, given.runs + 1):
            wall, verdicts = one_run(Path(folder), given.options)
            first = first or verdicts
            changed = {name: verdicts.get(name) for name in first if verdicts.get(name) != first[name]}
            print(f"{number:3}  {wall:5.1f} s  {dict(Counter(verdicts.values()))}  {changed or ''}", flush=True)
            if changed:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
