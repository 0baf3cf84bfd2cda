"""A history for a terminal: each track with its runs, what changed between them, and what became of each number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateproof.compare.courses import TIME
from gateproof.compare.model import Course, Difference, History, Point, Side, Track, Trend
from gateproof.compare.sides import moved
from gateproof.gate.metrics import metric_of, shown

GLYPHS: dict[Trend, str] = {
    "worse": "✗",
    "perhaps worse": "!",
    "no trend seen": "=",
    "too few runs": "?",
    "perhaps better": "+",
    "better": "✓",
}
_STYLES: dict[Trend, str] = {
    "worse": "bold red",
    "perhaps worse": "yellow",
    "perhaps better": "green",
    "better": "green",
}


def rendered(told: History) -> RenderableType:
    """Everything, in lines that fold at any width."""
    parts: list[RenderableType] = []
    for track in told.tracks:
        parts += [*_track(track), Text()]
    parts += [Text(f"left out: {each.folder}: {each.why}", style="dim", overflow="fold") for each in told.left_out]
    return Group(*(parts or [Text("no load run is in there")]))


def headline(track: Track) -> str:
    """`14 runs from 2026-11-01 to 2026-11-21, 2 of them void: 1 worse, 2 perhaps worse`."""
    void = sum(point.run.verdict == "VOID" for point in track.points)
    first, last = track.points[0].run.started, track.points[-1].run.started
    count = len(track.points)
    runs = f"{count} runs from {first:{TIME}} to {last:{TIME}} UTC" if count > 1 else f"1 run, {first:{TIME}} UTC"
    counts = Counter(course.verdict for course in track.courses if course.shape is not None)
    found = [f"{count} {word}" for word, count in sorted(counts.items(), key=lambda pair: [*GLYPHS].index(pair[0]))]
    of_void = f", {void} of them void" if count > 1 else ", void"
    return runs + (of_void if void else "") + (f": {', '.join(found)}" if found else "")


def mark(differences: list[Difference]) -> str:
    """`version litellm 1.2 → 1.3; profile arrivals.rate 4 → 8`."""
    return "; ".join(f"{each.what} {each.baseline} → {each.candidate}" for each in differences)


def step(course: Course, track: Track) -> str:
    """The newest number against the one before it, as a bare change: whether it means anything, the course says."""
    known = [point.numbers[course.metric] for point in track.points if course.metric in point.numbers]
    far = [moved(metric_of(course.metric), before.value, after.value) for before, after in pairwise(known)]
    return (far[-1] if far else None) or "–"


def _track(track: Track) -> Iterator[RenderableType]:
    yield Text(f"{track.target}, {track.profile}", style="bold", overflow="fold")
    yield Text(headline(track), overflow="fold")
    if track.courses:
        yield _table(track)
    for course in track.courses:
        if course.shape is not None:
            yield Text(f"{course.metric} {course.verdict}: {course.said}", overflow="fold")
    marks = {each.at: mark(each.differences) for each in track.marks}
    for at, point in enumerate(track.points):
        when = f"{point.run.started:{TIME}}"
        if at in marks:
            yield Text(f"{when}  {marks[at]}", overflow="fold")
        if point.run.verdict == "VOID":
            yield Text(f"{when}  VOID: {'; '.join(point.run.reasons)}", style="dim", overflow="fold")
        elif point.missing:
            yield Text(f"{when}  {point.missing}", style="dim", overflow="fold")


def _table(track: Track) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("number", no_wrap=True)
    for name in ("newest", "interval", "last step"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("trend", no_wrap=True)
    for course in track.courses:
        word = Text(f"{GLYPHS[course.verdict]} {course.verdict}", style=_STYLES.get(course.verdict, ""))
        table.add_row(course.metric, *cells(course, track), word)
    return table


def cells(course: Course, track: Track) -> list[str]:
    """The newest value, its interval, and the last step."""
    side = _newest(track.points, course.metric)
    ends = " to ".join("?" if end is None else shown(course.unit, end) for end in (side.low, side.high))
    return [shown(course.unit, side.value), ends, step(course, track)]


def _newest(points: list[Point], metric: str) -> Side:
    return next(point.numbers[metric] for point in reversed(points) if metric in point.numbers)
