"""``history.html``: a pure function of the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateproof.compare import history_text, plots
from gateproof.compare.courses import TIME
from gateproof.compare.document import document
from gateproof.compare.model import Course, History, Track, Trend
from gateproof.compare.page import Row
from gateproof.load.page.charts import Chart, Table
from gateproof.report.signs import Sign, Tone

TONES: dict[Trend, Tone] = {
    "worse": "bad",
    "perhaps worse": "warn",
    "no trend seen": "none",
    "too few runs": "info",
    "perhaps better": "good",
    "better": "good",
}
_ORDER: tuple[Trend, ...] = ("worse", "perhaps worse", "better", "perhaps better", "no trend seen", "too few runs")


@dataclass(frozen=True, slots=True)
class Shown:
    """One track as the page shows it."""

    id: str
    name: str
    headline: str
    courses: list[Row]
    marks: Table
    runs: Table
    plots: list[Chart]


def render(told: History) -> str:
    """The page."""
    tracks = [_track(number, track) for number, track in enumerate(told.tracks, start=1)]
    courses = [course for track in told.tracks for course in track.courses]
    worst = _worst(courses)
    left_out = Table(["folder", "why"], [[each.folder, each.why] for each in told.left_out], 2)
    title = ", ".join(dict.fromkeys(track.target for track in told.tracks)) or "no runs"
    return document(
        "history.html.j2",
        f"history of {title}",
        [plot for track in tracks for plot in track.plots],
        title=title,
        tone=TONES[worst],
        glyph=history_text.GLYPHS[worst],
        verdict=_verdict(courses, worst),
        tracks=tracks,
        left_out=left_out,
    )


def _worst(courses: Sequence[Course]) -> Trend:
    found = {course.verdict for course in courses}
    return next((word for word in _ORDER if word in found), "too few runs")


def _verdict(courses: Sequence[Course], worst: Trend) -> str:
    if worst in ("no trend seen", "too few runs"):
        return worst
    count = sum(course.verdict == worst for course in courses)
    return f"{count} of {len(courses)} numbers {worst}"


def _track(number: int, track: Track) -> Shown:
    id_ = f"track-{number}"
    return Shown(
        id=id_,
        name=f"{track.target}, {track.profile}",
        headline=history_text.headline(track),
        courses=[_row(course, track) for course in track.courses],
        marks=_marks(track),
        runs=_runs(track),
        plots=plots.courses(track, id_),
    )


def _row(course: Course, track: Track) -> Row:
    sign = Sign(history_text.GLYPHS[course.verdict], course.verdict, TONES[course.verdict])
    return Row(course.metric, sign, tuple(history_text.cells(course, track)), course.said if course.shape else "")


def _marks(track: Track) -> Table:
    rows = [
        [str(number), f"{track.points[each.at].run.started:{TIME}}", history_text.mark(each.differences)]
        for number, each in enumerate(track.marks, start=1)
    ]
    return Table(["mark", "first run", "what changed"], rows, 3)


def _runs(track: Track) -> Table:
    rows = [
        [
            f"{point.run.started:{TIME}}",
            point.run.verdict,
            "; ".join(point.run.reasons) or point.missing or "–",
            point.run.folder,
            ", ".join(f"{name} {version}" for name, version in sorted(point.run.versions.items())) or "–",
        ]
        for point in track.points
    ]
    return Table(["started", "verdict", "why", "folder", "versions"], rows, 5)
