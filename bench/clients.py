"""The clients under measure: the command that users run, the C client, and plain Locust."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import BenchError, Done, Machine, Sink, ran

ROOT = Path(__file__).parents[1]
EXIT_VOID = 5
TARGET = """\
targets:
  sink:
    stack: openai
    base_url: http://127.0.0.1:{port}
    models: {{chat: sink}}
    load: {{allowed: true}}
"""
LONG = "[{name: steady, duration: 300s}]"  # a closed loop ends with its requests


@dataclass(frozen=True, slots=True)
class Ours:
    """A run of ours: what it cost, its folder, and its report."""

    done: Done
    folder: Path
    report: Mapping[str, Any]

    @property
    def verdict(self) -> str:
        """With the reason of a run that is void."""
        told = self.report["verdict"]
        return ": ".join([told["verdict"], *told["reasons"][:1]])

    def quantile(self, metric: str, name: str) -> float:
        """Milliseconds."""
        told = self.report["metrics"][metric]["quantiles"]
        if name not in told:
            raise BenchError(f"the run tells no {name} of {metric}: {self.report['verdict']}")
        return float(told[name]) * 1e3


def command(sink: Sink, work: Path, settings: Mapping[str, object], processes: int = 1) -> list[str]:
    """``gateproof load`` against the sink; reports go below ``work``."""
    targets = work / "targets.yaml"
    targets.write_text(TARGET.format(port=sink.port), encoding="utf-8")
    return [
        *(str(Path(sys.executable).with_name("gateproof")), "load", "--target", "sink", "--profile", "smoke"),
        *("--targets", str(targets), "--report-dir", str(work / "reports"), "--processes", str(processes)),
        *(word for key, value in settings.items() for word in ("--set", f"{key}={value}")),
    ]


def streams(number: int, tokens: int, requests: int) -> dict[str, object]:
    """A closed loop of streams."""
    return {
        "arrivals.kind": "closed",
        "arrivals.streams": number,
        "workload.output_tokens": tokens,
        "workload.input_tokens": 16,
        "requests": requests,
        "phases": LONG,
    }


def unary(number: int, requests: int) -> dict[str, object]:
    """A closed loop of requests that are answered at once."""
    return {**streams(number, 1, requests), "workload.mix": "[{stream: false}]"}


def open_loop(rate: float, seconds: float, tokens: int) -> dict[str, object]:
    """Poisson arrivals of short streams."""
    return {
        "arrivals.rate": rate,
        "workload.output_tokens": tokens,
        "workload.input_tokens": 16,
        "phases": f"[{{name: steady, duration: {seconds:g}s}}]",
    }


def ours(machine: Machine, sink: Sink, work: Path, settings: Mapping[str, object], processes: int = 1) -> Ours:
    """One run of the whole command."""
    done = ran(machine, command(sink, work, settings, processes), ROOT)
    if done.code not in (0, EXIT_VOID):
        raise BenchError(f"`gateproof load` ended with {done.code}:\n{done.end}")
    return latest(work, done)


def latest(work: Path, done: Done) -> Ours:
    folder = (work / "reports" / "sink" / "load" / "latest").resolve()
    return Ours(done, folder, json.loads((folder / "report.json").read_text(encoding="utf-8")))


def limit(machine: Machine, sink: Sink, number: int, tokens: int, requests: int) -> Done:
    """The C client."""
    words = [str(machine.programs / "stream_limit"), *map(str, (sink.port, number, tokens, requests))]
    done = ran(machine, words, ROOT)
    if done.code:
        raise BenchError(f"the C client ended with {done.code}:\n{done.end}")
    return done


def plain_locust(machine: Machine, sink: Sink, users: int, seconds: float) -> Done:
    """Locust's fast user; how many requests it made, the sink tells."""
    file = Path(__file__).with_name("plain_locust.py")
    words = [
        *(sys.executable, "-m", "locust", "-f", str(file), "--headless", "--only-summary", "--skip-log-setup"),
        *("-u", str(users), "-r", str(users), "-t", f"{seconds:g}s"),
    ]
    done = ran(machine, words, ROOT, SINK=f"http://127.0.0.1:{sink.port}")
    if done.code:
        raise BenchError(f"plain Locust ended with {done.code}:\n{done.end}")
    return done
