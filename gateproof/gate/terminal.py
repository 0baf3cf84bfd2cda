"""The result of a gate for a terminal of any width from 80 columns on."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateproof.gate.result import GateResult, Row, Verdict
from gateproof.gate.words import in_unit

STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.UNMEASURED: "bold red",
    Verdict.UNDECIDED: "yellow",
    Verdict.VOID: "yellow",
    Verdict.NOT_COMPARED: "dim",
}
OVERALL = {"PASS": "green", "FAIL": "bold red", "VOID": "yellow"}
MEANS = {
    "PASS": "every hard gate is kept",
    "FAIL": "a hard gate is broken, or was not measured",
    "VOID": "no hard gate is broken, and not every one could be decided",
}


def rendered(result: GateResult, *, explain: bool) -> RenderableType:
    """The table, below it what is said of every gate that is not kept (of all with ``explain``), last the verdict."""
    told = [row for row in result.rows if explain or row.verdict not in (Verdict.PASS, Verdict.NOT_COMPARED)]
    return Group(
        _table(result),
        *(_said(rows, result, explain=explain) for rows in _alike(told, explain=explain)),
        *(Padding(Text(f"note: {note}"), (0, 0, 0, 0)) for note in result.notes),
        Text.assemble((result.verdict, OVERALL[result.verdict]), f": {MEANS[result.verdict]} ({counts(result)})"),
    )


def counts(result: GateResult) -> str:
    """`5 PASS, 1 UNDECIDED`; advisory ones apart."""
    words = []
    for level in ("hard", "advisory"):
        found = [row.verdict for row in result.rows if row.level == level]
        each = [f"{found.count(verdict)} {verdict}" for verdict in Verdict if verdict in found]
        if each:
            words.append(f"{level}: {', '.join(each)}")
    return "; ".join(words)


def _table(result: GateResult) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("verdict", no_wrap=True)
    table.add_column("gate", overflow="fold", ratio=3)
    named = _names(result)
    if named:
        table.add_column("run", overflow="fold")
    table.add_column("seen", overflow="fold", ratio=2)
    table.add_column("n", justify="right", no_wrap=True)
    for row in result.rows:
        cells = [Text(row.verdict, STYLES[row.verdict]), Text(row.gate, "" if row.level == "hard" else "italic")]
        cells += [Text(named.get(row.run or "", ""))] if named else []
        table.add_row(*cells, Text(seen(row)), Text(f"{row.measured.samples:,}" if row.measured else "–"))
    return table


def _names(result: GateResult) -> dict[str, str]:
    """What tells several load runs apart: their profiles, or else their folders; empty where there is one."""
    profiles = {run.run: run.profile or run.kind for run in result.runs if run.role == "judged" and run.kind == "load"}
    if len(profiles) < 2:
        return {}
    return profiles if len(set(profiles.values())) == len(profiles) else {run: run for run in profiles}


def seen(row: Row) -> str:
    """`412 ms (398 ms to 431 ms)`; of a ratio the ratio."""
    told = row.ratio or row.measured
    if told is None:
        return "–"
    estimate = in_unit(row.unit if row.ratio or row.unit != "ratio" else "count", told.estimate)
    if row.side == "conformance":
        return f"{estimate} broken"
    if row.unit == "ratio" and row.ratio is None:
        return "–"
    if told.low == told.high == told.estimate:
        return estimate
    low, high = in_unit(row.unit, told.low), in_unit(row.unit, told.high)
    if told.low is None:
        return estimate if told.high is None else f"{estimate} (≤ {high})"
    return f"{estimate} (≥ {low})" if told.high is None else f"{estimate} ({low} to {high})"


def _alike(rows: list[Row], *, explain: bool) -> list[list[Row]]:
    """What is void for one reason is told once."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for number, row in enumerate(rows):
        alone = explain or row.verdict is not Verdict.VOID
        groups.setdefault((row.verdict, row.level, row.said, str(number) if alone else ""), []).append(row)
    return list(groups.values())


def _said(rows: list[Row], result: GateResult, *, explain: bool) -> RenderableType:
    row = rows[0]
    where = f"{result.gates}:{row.line}"
    advisory = " (advisory)" if row.level == "advisory" else ""
    others = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    head = Text.assemble((row.verdict, STYLES[row.verdict]), f" {row.gate}{others}{advisory}", (f"  {where}", "dim"))
    more = [f"Because: {row.why}"] if row.why and explain else []
    return Group(head, *(Padding(Text(line), (0, 0, 0, 2)) for line in [_sentence(row.said), *more]))


def _sentence(said: str) -> str:
    return said[:1].upper() + said[1:] + ("" if said.endswith((".", "?")) else ".")
