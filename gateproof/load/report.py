"""What a run leaves behind beside its log: ``report.json`` for machines, ``summary.md`` for people."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateproof.load import beside, comparison, sweep
from gateproof.load.analysis import Metric, Numbers
from gateproof.load.fidelity import in_words
from gateproof.load.verdict import Belief
from gateproof.report.load_model import LoadReport

SCHEMA_VERSION = "1.0"

SHOWN = ("ttft", "tpot", "gap", "latency", "ttft_service", "latency_service", "slip")
_FACTOR = {"s": (1e3, "ms")}


def report(
    about: Mapping[str, Any], counted: Numbers, by_phase: Mapping[str, Numbers], believed: Belief
) -> dict[str, Any]:
    """The run as JSON; ``about`` is what it was: target, profile, machine, times."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "load",
        **about,
        "verdict": {
            "verdict": "VOID" if believed.void else "VALID",
            "reasons": list(believed.void),
            "notes": list(believed.notes),
        },
        **_numbers(counted),
        "phases": {name: _numbers(each) for name, each in by_phase.items()},
    }


def _numbers(each: Numbers) -> dict[str, Any]:
    return {
        "window_s": each.window,
        "due": each.due,
        "dispatched": each.dispatched,
        "outcomes": dict(each.outcomes),
        "error_share": each.error_share,
        "rates": dict(each.rates),
        "tokens": {"prompt": each.prompt_tokens, "completion": each.completion_tokens},
        "metrics": {name: _metric(metric) for name, metric in each.metrics.items()},
    }


def _metric(metric: Metric) -> dict[str, Any]:
    return {**dataclasses.asdict(metric), "quantiles": dict(metric.quantiles)}


def summary(told: Mapping[str, Any]) -> str:
    """Markdown that fits into a merge request."""
    verdict = told["verdict"]
    lines = [
        f"# {told['target']['name']}: {told['profile']['name']}, {verdict['verdict']}",
        "",
        *(f"- {reason}" for reason in [*verdict["reasons"], *verdict["notes"]]),
        *([""] if verdict["reasons"] or verdict["notes"] else []),
        _sentence(told),
        "",
        "| metric | from | n | p50 | p95 | p99 | mean |",
        "|---|---|---:|---:|---:|---:|---:|",
        *(_line(name, told["metrics"][name]) for name in SHOWN if told["metrics"][name]["count"]),
        "",
        _outcomes(told["outcomes"]),
        *(line for each in in_words(told.get("prompts", ())) for line in ("", each)),
        *(("", *comparison.in_words(told["overhead"])) if told.get("overhead") else ()),
        *(line for each in beside.in_words(told) for line in ("", each)),
        *(("", *sweep.in_words(told["saturation"])) if told.get("saturation") else ()),
    ]
    return "\n".join(lines) + "\n"


def _sentence(told: Mapping[str, Any]) -> str:
    rates = told["rates"]
    return (
        f"{told['dispatched']} of {told['due']} due requests left in {told['window_s']:.0f} s: "
        f"{_number(rates['requests'])} answers/s, {_number(rates['output_tokens'])} tokens/s."
    )


def _line(name: str, metric: Mapping[str, Any]) -> str:
    factor, unit = _FACTOR.get(metric["unit"], (1.0, metric["unit"]))
    cells = [metric["quantiles"].get(quantile) for quantile in ("p50", "p95", "p99")]
    shown = [_number(None if value is None else value * factor) for value in [*cells, metric["mean"]]]
    return f"| {name} [{unit}] | {metric['start']} | {metric['count']} | {' | '.join(shown)} |"


def _outcomes(outcomes: Mapping[str, int]) -> str:
    return "Ended: " + ", ".join(f"{count} {word}" for word, count in outcomes.items()) + "."


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def write(folder: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """Both files, each whole or not at all; gives what ``report.json`` holds."""
    published = LoadReport.model_validate(told).model_dump(mode="json")
    for name, text in (("report.json", json.dumps(published, indent=1) + "\n"), ("summary.md", summary(told))):
        file = folder / name
        part = file.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    return published
