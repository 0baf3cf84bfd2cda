"""The numbers of a run as rows of a page. Nothing is reckoned here: all of it stands in the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateproof.load.page.charts import Table
from gateproof.load.page.columns import Log
from gateproof.load.page.words import METRICS, NONE, STARTS, measured, number, percent

QUANTILES = ("p50", "p90", "p95", "p99", "p99.9")
IN_PHASES = (("ttft", "p50"), ("ttft", "p99"), ("tpot", "p50"), ("latency", "p50"), ("latency", "p99"))
SHORT = {"ttft": "TTFT", "tpot": "TPOT"}
MOST_TEXTS = 20
"""Error texts that are shown; the others are counted."""

Told = Mapping[str, Any]
Pairs = list[tuple[str, str]]


def at_a_glance(told: Told) -> Pairs:
    """What somebody asks first."""
    rates, metrics = told["rates"], told["metrics"]
    ends = told["outcomes"]
    return [
        ("answers", f"{number(rates['requests'])}/s"),
        ("output tokens", f"{number(rates['output_tokens'])}/s"),
        ("due", f"{told['due']:,} in {number(told['window_s'])} s"),
        ("ended well", f"{ends.get('ok', 0):,}"),
        ("errors", percent(told["error_share"])),
        ("time to first token", _quantiles(metrics.get("ttft"))),
        ("time per output token", _quantiles(metrics.get("tpot"))),
        ("latency", _quantiles(metrics.get("latency"))),
    ]


def _quantiles(metric: Told | None) -> str:
    """The middle, and the furthest quantile that is told."""
    if not metric or not metric["quantiles"]:
        return NONE
    known = [name for name in QUANTILES if name in metric["quantiles"] and name != "p99.9"]
    return ", ".join(
        f"{name} {measured(metric['quantiles'][name], metric['unit'])}" for name in {known[0]: 0, known[-1]: 0}
    )


def key_numbers(told: Told) -> Table:
    """Every metric that has values, in the order of the page."""
    metrics = told["metrics"]
    names = [*(name for name in METRICS if name in metrics), *sorted(metrics.keys() - METRICS.keys())]
    rows = [_metric(name, metrics[name]) for name in names if metrics[name]["count"]]
    return Table(["metric", "counts from", "n", "missing", *QUANTILES, "mean", "highest"], rows, 2)


def _metric(name: str, metric: Told) -> list[str]:
    unit = metric["unit"]
    told = [metric["quantiles"].get(quantile) for quantile in QUANTILES]
    cells = [measured(value, unit) for value in [*told, metric["mean"], metric["high"]]]
    start = str(STARTS.get(metric["start"], metric["start"]))
    return [METRICS.get(name, name), start, f"{metric['count']:,}", f"{metric['missing']:,}", *cells]


def of_search(told: Told) -> str:
    """Which of its runs the numbers of a search are of."""
    met = told["saturation"]["met"]
    if met:
        return f"the highest rate that met the objectives, {number(met)} requests/s"
    return f"the lowest rate, {number(told['saturation']['runs'][0]['rate'])} requests/s: none met the objectives"


def phases(told: Told) -> Table:
    rows = []
    for name, each in told["phases"].items():
        cells = [_of(each, *key) for key in IN_PHASES]
        errors = percent(each["error_share"])
        rates = [number(each["rates"]["requests"]), number(each["rates"]["output_tokens"])]
        rows.append([name, number(each["window_s"]), f"{each['due']:,}", *rates, errors, *cells])
    head = [
        "phase",
        "s",
        "due",
        "answers/s",
        "tokens/s",
        "errors",
        *(f"{SHORT.get(metric, metric)} {quantile}" for metric, quantile in IN_PHASES),
    ]
    return Table(head, rows, 1)


def _of(each: Told, metric: str, quantile: str) -> str:
    found = each["metrics"].get(metric)
    return NONE if not found else measured(found["quantiles"].get(quantile), found["unit"])


def outcomes(told: Told) -> Table:
    """How requests of the counted phases ended."""
    total = sum(told["outcomes"].values())
    rows = [[word, f"{count:,}", percent(count / total)] for word, count in told["outcomes"].items()]
    return Table(["ended", "requests", "share"], rows, 1)


def error_texts(log: Log) -> Table:
    """The most frequent texts of what did not end well; a run may have a million different ones."""
    texts = log.texts
    least = "at least " if texts.missed else ""
    shown = texts.most(MOST_TEXTS)
    rows = [[word, text or NONE, f"{least}{count:,}"] for (word, text), count in shown]
    rest = texts.total - sum(count for _, count in shown)
    if rest:
        rows.append(["", "other texts", f"{'at most ' if texts.missed else ''}{rest:,}"])
    return Table(["ended", "text", "requests"], rows, 2)


def drift(told: Told) -> Table:
    """What became of each series over the counted phases of a constant rate."""
    rows = [
        [
            phase["phase"],
            each["series"],
            each["verdict"],
            f"{each['windows']} x {number(phase['window_s'])} s",
            each["said"],
        ]
        for phase in told.get("drift") or ()
        for each in phase["series"]
    ]
    return Table(["phase", "series", "verdict", "windows", "found"], rows, 5)


def servers(told: Told) -> Table:
    """Every scraped series over the counted phases."""
    sources = (told.get("server") or {}).get("sources") or {}
    rows = [
        [source, each["word"], each["name"], each["labels"], _series(each)]
        for source, found in sources.items()
        for each in found["series"]
    ]
    return Table(["server", "what", "its own name", "labels", "counted phases"], rows, 5)


def _series(each: Told) -> str:
    if "missing" in each:
        return str(each["missing"])
    if each["kind"] == "gauge":
        return (
            f"mean {number(each['mean'])}, {number(each['min'])} to {number(each['max'])}, last {number(each['last'])}"
        )
    if each["kind"] == "counter":
        return f"grew by {number(each['increase'])}, {number(each['per_second'])}/s{_resets(each)}"
    told = ", ".join(
        f"{name} {number(low)} to {number(high)}"
        for name, bound in each["quantile_bounds"].items()
        if bound
        for low, high in [bound]
    )
    return f"{number(each['count'])} observations, mean {number(each['mean'])}, {told}{_resets(each)}"


def _resets(each: Told) -> str:
    return f", begun again {each['resets']} times" if each["resets"] else ""


def scrapes(told: Told) -> list[str]:
    """How well each server could be watched."""
    server = told.get("server") or {}
    lines = []
    for source, found in (server.get("sources") or {}).items():
        gaps = "; ".join(f"{count} failed: {reason}" for reason, count in found["gaps"].items())
        left = f"; {found['series_left_out']} series left out" if found["series_left_out"] else ""
        lines.append(f"{source}: {found['scrapes']} scrapes{'; ' if gaps else ''}{gaps}{left}.")
    return lines


def fidelity(told: Told) -> Table:
    """Lengths asked for, and lengths told by the target, by part of the mix."""
    rows = []
    for each in told.get("prompts") or ():
        how = f"{'exact' if each['exact'] else 'estimated'}, {each['how']}"
        rows += [
            [
                f"{each['api']} {each['model']}",
                how,
                side,
                *(f"{each[side][key]:,}" for key in ("requests", "asked", "told", "off")),
                NONE if each[side]["discrepancy"] is None else f"{each[side]['discrepancy']:+.2%}",
            ]
            for side in ("input", "output")
            if each[side]["asked"]
        ]
    return Table(["part", "counted", "side", "requests", "asked", "told", "differ", "off by"], rows, 3)


def about(told: Told) -> Pairs:
    """What was tested, with what, from where."""
    target = told["target"]
    versions = target.get("versions") or told.get("versions") or {}
    spent = told.get("spent") or {}
    return [
        ("target", target["name"]),
        ("description", target.get("description") or ""),
        ("URL", target.get("url") or ""),
        ("dialect", target.get("dialect") or target.get("stack") or ""),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("profile", told["profile"]["name"]),
        ("seed, schedule", f"{told['seed']}, {told['schedule']}"),
        ("started", told["started"]),
        ("ended", told["ended"] or "not seen"),
        ("workers", str(told["workers"])),
        ("spent", _spent(spent)),
        ("machine", _machine(told["machine"])),
        ("calibration", _calibration(told.get("calibration"))),
        ("gateproof", told["suite"]["version"]),
        ("schema", told["schema_version"]),
        ("command", told["suite"].get("command") or ""),
    ]


def _machine(machine: Told) -> str:
    processors = f"{machine['usable_cpus']} of {machine['cpus']} processors"
    return f"{machine['system']}, {processors}, Python {machine['python']}"


def _spent(spent: Told) -> str:
    if not spent:
        return ""
    return ", ".join(
        f"{_whole(spent.get(what))} {what} of at most {_whole(spent.get(f'of_{what}'))}"
        for what in ("requests", "tokens")
    )


def _whole(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"


def _calibration(found: Told | None) -> str:
    """As it stands in the report; its keys are those of `gateproof calibrate`."""
    if not found:
        return "this machine is not calibrated"
    return ", ".join(
        f"{key.replace('_', ' ')} {_brief(value)}"
        for key, value in found.items()
        if not isinstance(value, (list, dict))
    )


def _brief(value: object) -> str:
    return number(float(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def profile(told: Told) -> str:
    """As it was played, without what was left unset."""
    return json.dumps(_set(told["profile"]), indent=2, ensure_ascii=False)


def _set(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _set(each) for key, each in value.items() if each is not None}
    return [_set(each) for each in value] if isinstance(value, list) else value
