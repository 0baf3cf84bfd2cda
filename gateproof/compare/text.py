"""A comparison for a terminal: what differs first, then the verdict, then the numbers. Pure but for rich's layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateproof.compare.model import Against, Change, Comparison, Difference, Run, Side, Verdict
from gateproof.compare.sides import amount, span
from gateproof.gate.metrics import shown

WIDE = 120
"""Columns from which the intervals of both sides have room beside them."""
GLYPHS = {
    "worse": "✗",
    "perhaps worse": "!",
    "no change seen": "=",
    "perhaps better": "+",
    "better": "✓",
    "cannot tell": "?",
}
CLEAR: frozenset[Verdict] = frozenset({"worse", "better", "no change seen"})
"""Of these the cells of a row say it all."""
_STYLES = {"worse": "bold red", "perhaps worse": "yellow", "better": "green", "perhaps better": "green"}


def rendered(told: Comparison, width: int) -> RenderableType:
    """Everything, for a terminal of so many columns."""
    parts: list[RenderableType] = [*_run("baseline", told.baseline)]
    for each in told.candidates:
        parts += [Text(), *_candidate(told.baseline, each, width)]
    return Group(*parts, Text(), Text(about(told), style="dim"))


def about(told: Comparison) -> str:
    """How to read the intervals and the words."""
    alone = f"{told.confidence:.0%}"
    return (
        f"Each end of an interval holds with {alone}. Worse and better hold with {alone} for all numbers together, "
        f"“perhaps” holds for one number alone."
    )


def _run(role: str, run: Run) -> Iterator[RenderableType]:
    yield Text(f"{role:<9} {run.folder}", overflow="fold")
    yield Text(f"{'':<9} {facts(run)}", style="dim", overflow="fold")


def facts(run: Run) -> str:
    """`VALID, staging, baseline, 2026-11-21 18:48 UTC, litellm 1.2`."""
    versions = [f"{name} {version}" for name, version in sorted(run.versions.items())]
    return ", ".join([run.verdict, run.target, run.profile, f"{run.started:%Y-%m-%d %H:%M} UTC", *versions])


def headline(against: Against) -> str:
    """`2 worse, 1 perhaps worse, 9 no change seen, 1 cannot tell`: what is bad comes first."""
    counts = Counter(change.verdict for change in against.changes)
    return ", ".join(f"{counts[word]} {word}" for word in ORDER if counts[word]) or "nothing to compare"


ORDER: tuple[Verdict, ...] = ("worse", "perhaps worse", "cannot tell", "no change seen", "perhaps better", "better")


def caveats(baseline: Run, against: Against) -> list[str]:
    """What stands above all numbers: void runs and differences that make them answer other questions."""
    void = [
        f"{run.name} is VOID, its numbers are worth nothing: {'; '.join(run.reasons)}"
        for run in (baseline, against.run)
        if run.verdict == "VOID"
    ]
    return [*void, *(_difference(each) for each in against.differences if each.grave)]


def remarks(against: Against) -> list[str]:
    """Differences that a reader should know and that refuse nothing."""
    return [_difference(each) for each in against.differences if not each.grave]


def _difference(each: Difference) -> str:
    return f"{each.what}: {each.baseline} in the baseline, {each.candidate} here"


def _candidate(baseline: Run, against: Against, width: int) -> Iterator[RenderableType]:
    yield from _run("candidate", against.run)
    if bad := caveats(baseline, against):
        yield Text("UNLIKE RUNS, compared by force:", style="bold red")
        yield from (Text(f"  {each}", style="red", overflow="fold") for each in bad)
    yield from (Text(f"  {each}", style="dim", overflow="fold") for each in remarks(against))
    yield Text(headline(against), style="bold")
    yield _table(against.changes, wide=width >= WIDE)
    for change in against.changes:
        if change.verdict not in CLEAR:
            yield Text(f"{change.metric}: {change.said}", overflow="fold")


def _table(changes: list[Change], *, wide: bool) -> Table:
    """Narrow, the estimate of the change is left out: both values and its interval are there."""
    table = Table(box=None, pad_edge=False, padding=(0, 1) if wide else (0, 1, 0, 0))
    table.add_column("number", no_wrap=True)
    for name in ("baseline", "candidate", "change", "interval") if wide else ("values", "change"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for each in changes:
        word = Text(f"{GLYPHS[each.verdict]} {each.verdict}", style=_STYLES.get(each.verdict, ""))
        table.add_row(each.metric, *(_wide(each) if wide else _narrow(each)), word)
    return table


def _wide(each: Change) -> list[str]:
    sides = [_with_ends(each, side) for side in (each.baseline, each.candidate)]
    return [*sides, "–" if each.change is None else amount(each.scale, each.change), _interval(each)]


def _narrow(each: Change) -> list[str]:
    return [" → ".join(_value(each, side) for side in (each.baseline, each.candidate)), _interval(each)]


def _interval(each: Change) -> str:
    return "–" if each.change is None else span(each.scale, each.low, each.high)


def _value(change: Change, side: Side | None) -> str:
    return "–" if side is None else shown(change.unit, side.value)


def _with_ends(change: Change, side: Side | None) -> str:
    if side is None:
        return "–"
    ends = " to ".join("?" if end is None else shown(change.unit, end) for end in (side.low, side.high))
    return f"{_value(change, side)} ({ends})"
