"""``compare.html``: a pure function of the comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateproof.compare import plots, text
from gateproof.compare.document import document
from gateproof.compare.model import Against, Change, Comparison, Run, Side, Verdict
from gateproof.compare.sides import amount, span
from gateproof.gate.metrics import shown
from gateproof.load.page.charts import Table
from gateproof.report.signs import Sign, Tone

TONES: dict[Verdict, Tone] = {
    "worse": "bad",
    "perhaps worse": "warn",
    "cannot tell": "info",
    "no change seen": "none",
    "perhaps better": "good",
    "better": "good",
}
_MEANING: dict[Verdict, str] = {
    "worse": "got worse",
    "perhaps worse": "perhaps got worse",
    "better": "got better",
    "perhaps better": "perhaps got better",
    "cannot tell": "nothing got worse as far as can be told",
    "no change seen": "no change seen",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One number of one candidate, as it is shown."""

    metric: str
    sign: Sign
    cells: tuple[str, ...]
    said: str


@dataclass(frozen=True, slots=True)
class Section:
    """One candidate."""

    id: str
    name: str
    headline: str
    caveats: list[str]
    remarks: list[str]
    rows: list[Row]


def render(told: Comparison) -> str:
    """The page."""
    runs = len(told.candidates) + 1
    sections = [
        _section(told.baseline, each, plots.name_of(number, runs))
        for number, each in enumerate(told.candidates, start=1)
    ]
    changes, curves = plots.changes(told), plots.curves(told)
    worst = _worst(told.candidates)
    return document(
        "compare.html.j2",
        f"{told.baseline.target}, {told.baseline.profile}: {verdict(told.candidates)}",
        [*changes, *curves],
        told=told,
        tone=TONES[worst],
        glyph=text.GLYPHS[worst],
        verdict=verdict(told.candidates),
        about=text.about(told),
        runs=Table(_RUN_HEAD, [*_runs(told)], len(_RUN_HEAD)),
        sections=sections,
        changes=changes,
        curves=curves,
    )


def verdict(candidates: Sequence[Against]) -> str:
    """`3 of 13 numbers got worse`, by the worst that happened to any candidate."""
    worst = _worst(candidates)
    changes = [change for each in candidates for change in each.changes]
    count = sum(change.verdict == worst for change in changes)
    if worst in ("no change seen", "cannot tell"):
        return _MEANING[worst]
    return f"{count} of {len(changes)} numbers {_MEANING[worst]}"


def _worst(candidates: Sequence[Against]) -> Verdict:
    """The first that there is of: worse, perhaps worse, better, perhaps better, cannot tell, no change."""
    found = {change.verdict for each in candidates for change in each.changes}
    order: tuple[Verdict, ...] = ("worse", "perhaps worse", "better", "perhaps better", "cannot tell")
    return next((word for word in order if word in found), "no change seen")


_RUN_HEAD = ["run", "verdict", "folder", "target", "profile", "started", "versions", "gateproof"]


def _runs(told: Comparison) -> Iterator[list[str]]:
    runs = [told.baseline, *(each.run for each in told.candidates)]
    for number, run in enumerate(runs):
        versions = ", ".join(f"{name} {version}" for name, version in sorted(run.versions.items()))
        started = f"{run.started:%Y-%m-%d %H:%M} UTC"
        name = plots.name_of(number, len(runs))
        yield [name, run.verdict, run.folder, run.target, run.profile, started, versions or "–", run.suite]


def _section(baseline: Run, against: Against, name: str) -> Section:
    return Section(
        id=name.replace(" ", "-"),
        name=name,
        headline=text.headline(against),
        caveats=text.caveats(baseline, against),
        remarks=text.remarks(against),
        rows=[_row(change) for change in against.changes],
    )


def _row(change: Change) -> Row:
    cells = (
        _side(change, change.baseline),
        _side(change, change.candidate),
        "–" if change.change is None else amount(change.scale, change.change),
        "–" if change.change is None else span(change.scale, change.low, change.high),
    )
    sign = Sign(text.GLYPHS[change.verdict], change.verdict, TONES[change.verdict])
    return Row(change.metric, sign, cells, "" if change.verdict in text.CLEAR else change.said)


def _side(change: Change, side: Side | None) -> str:
    return "–" if side is None else shown(change.unit, side.value)
