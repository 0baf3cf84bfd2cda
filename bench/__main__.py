"""``python -m bench [CASE ...] [--soak] [--json FILE] [--real-time]``: 0 all goals met, 1 one missed, 2 no figures."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from pathlib import Path

from bench.cases import Case, arrivals, many_streams, streaming, timed, unary_requests
from bench.processes import BenchError, Machine, compiled
from bench.rows import Row, plain, table
from bench.sharing import one_killed, two_workers
from bench.soak import flat_memory

CASES: dict[str, Case] = {
    "streaming": streaming,
    "many-streams": many_streams,
    "unary": unary_requests,
    "arrivals": arrivals,
    "two-workers": two_workers,
    "one-killed": one_killed,
    "soak": flat_memory,
}
NO_FIGURES = 2  # exit status
LONG = ("soak",)
"""Minutes long: only where they are asked for."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; none: all but {LONG[0]}")
    parser.add_argument("--soak", action="store_true", help="1,000,000 requests too, for some minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the rows, for machines")
    parser.add_argument(
        "--real-time", action="store_true", help="other processes of this machine do not disturb (needs root)"
    )
    told = parser.parse_args()
    if unknown := [name for name in told.cases if name not in CASES]:
        parser.error(f"unknown case `{unknown[0]}`: there are {', '.join(CASES)}")
    return told


def main() -> int:
    told = arguments()
    chosen = told.cases or [name for name in CASES if name not in LONG or told.soak]
    rows: list[Row] = []
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="gateproof-bench-") as folder:
        try:
            machine = Machine(compiled(Path(folder)), real_time=told.real_time)
        except BenchError as error:
            print(error, file=sys.stderr)
            return NO_FIGURES
        for name in chosen:
            work = Path(folder) / name
            work.mkdir()
            try:
                rows += _measured(name, machine, work)
            except BenchError as error:
                print(f"\n{error}", file=sys.stderr)
                failed[name] = str(error)
    print(table(rows))
    if told.json is not None:
        facts = {"machine": platform.platform(), "python": platform.python_version(), "real_time": told.real_time}
        told.json.write_text(json.dumps({**facts, "rows": plain(rows), "failed": failed}, indent=1) + "\n", "utf-8")
    if failed:
        print(f"not measured: {', '.join(failed)}")
        return NO_FIGURES
    return 0 if all(row.met for row in rows) else 1


def _measured(name: str, machine: Machine, work: Path) -> list[Row]:
    print(f"{name} ...", end=" ", flush=True)
    found, seconds = timed(CASES[name], machine, work)
    print(f"{seconds:.0f} s", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
