"""A search as runs: what each plays, how its log is judged, and what the report over all says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateproof.load.log import FOLDER, Rows, Writer, read_log
from gateproof.load.plan import bound_of, schedule_of
from gateproof.load.profile import Profile, load_profile
from gateproof.load.saturation import Judgement, Objective, Play
from gateproof.load.sweep import Sweep, in_words, seen

SHIPPED = Path(__file__).parents[2] / "load" / "profiles"
MS = 1_000_000  # ns
NONE = np.empty(0, dtype=np.int64)

PROFILE = Profile.model_validate(
    {
        "name": "knee",
        "arrivals": {},
        "search": {"low": 10, "high": 80, "run": "10s", "settle": "2s"},
        "objectives": {"ttft": {"p95": "100ms"}},
    }
)


def sweep() -> Sweep:
    made = Sweep.of(PROFILE)
    assert made is not None
    return made


def row(index: int, due: int, took: int, **more: Any) -> dict[str, Any]:
    """Instants in ms; four tokens, 10 ms apart."""
    return {
        "index": index,
        "phase": 1,
        "scheduled": due * MS,
        "dispatched": due * MS,
        "sent": due * MS,
        "first_token": (due + took) * MS,
        "last_token": (due + took + 30) * MS,
        "ended": (due + took + 40) * MS,
        "outcome": "ok",
        "completion_tokens": 4,
        **more,
    }


def logged(run: Path, rows: list[dict[str, Any]]) -> Rows:
    writer = Writer(run / FOLDER, 0)
    for each in rows:
        writer.add(each, NONE)
    writer.flush()
    return read_log(run)


def told(*reasons: str) -> dict[str, Any]:
    return {
        "verdict": {"verdict": "VOID" if reasons else "VALID", "reasons": list(reasons), "notes": []},
        "started": "s",
        "ended": "e",
        "spent": {"requests": 10, "tokens": 100, "of_requests": 20, "of_tokens": 300},
    }


def played(made: Sweep, run: Path, *, kept: bool, reasons: tuple[str, ...] = ()) -> Judgement:
    rows = logged(run, [row(index, 2000 + index, 50 if kept else 150) for index in range(1000)])
    return made.took(made.next_profile(), rows, told(*reasons), run).judgement


def test_a_run_of_the_search_is_an_ordinary_profile() -> None:
    profile = sweep().profile_of(20.0, 10.0, 3)
    schedule = schedule_of(profile)[0]
    assert [(phase.name, phase.duration, phase.counted) for phase in profile.phases] == [
        ("settle", 2.0, False),
        ("held", 10.0, True),
    ]
    assert (profile.arrivals.rate, profile.seed, profile.search, Sweep.of(profile)) == (20.0, 4, None, None)
    assert len(schedule) == pytest.approx(240, abs=5 * np.sqrt(240))


def test_the_same_order_gives_the_same_schedule_everywhere() -> None:
    here, there = (schedule_of(sweep().profile_of(20.0, 10.0, 3))[0].digest for _ in range(2))
    assert here == there
    assert here != schedule_of(sweep().profile_of(20.0, 10.0, 4))[0].digest


def test_requests_are_judged_in_the_order_in_which_they_were_due(tmp_path: Path) -> None:
    rows = logged(
        tmp_path,
        [
            row(0, 100, 50, phase=0),  # not counted
            row(1, 300, 150),  # too slow
            row(2, 200, 50),
            row(3, 400, 50, outcome="refused"),  # in time, and no answer
            row(4, 500, 50, outcome="not dispatched", first_token=None),
            row(5, 600, 50, completion_tokens=1, last_token=650 * MS),
            row(6, 700, 50, outcome="skipped"),
        ],
    )
    ttft, tpot = Objective("ttft", 0.95, 0.1), Objective("tpot", 0.95, 0.02)
    found = seen(rows, sweep().profile_of(20.0, 10.0, 0), [Objective("answered", 0.99), ttft, tpot])
    assert [flags.tolist() for flags in found.values()] == [
        [True, True, False, False, True],
        [True, False, False, False, True],
        [True, True, False, False],  # one token has no pace
    ]


def test_a_void_run_is_not_judged_by_its_numbers(tmp_path: Path) -> None:
    made = sweep()
    assert played(made, tmp_path, kept=True, reasons=("we ran late",)) is Judgement.VOID
    assert (made.following, made.trials[0].why) == (Play(10.0, made.trials[0].play.length * 2), ("we ran late",))


def test_the_report_has_the_knee_and_the_numbers_at_it(tmp_path: Path) -> None:
    made = sweep()
    while made.following is not None:
        number = len(made.trials)
        played(made, tmp_path / str(number), kept=made.following.rate < 30)
    report = made.report()
    assert report is not None
    found = report["saturation"]
    assert (round(found["met"], 1), round(found["not_met"], 1), found["complete"]) == (28.3, 30.8, True)
    assert [round(run["rate"], 1) for run in found["runs"]] == [10, 20, 40, 28.3, 33.6, 30.8]
    assert (report["profile"]["search"]["high"], report["verdict"]["notes"]) == (80, [])
    assert (report["spent"]["requests"], report["spent"]["tokens"]) == (6 * 10, 6 * 100)
    words = in_words(found)
    assert words[0].startswith(
        "The objectives are met at 28.28/s and not at 30.84/s (answered well for 95 %; ttft within 100 ms"
    )
    assert words[-1].startswith("| 30.84 | 10 | not met | answered well for 95 %: 100 % (99.5 to 100) of 1000")


@pytest.mark.parametrize(
    ("met", "not_met", "words"),
    [
        (None, None, "No run could tell whether the objectives are met"),
        (None, 4.0, "The objectives are not met at 4/s, the lowest rate that was tried"),
        (80.0, None, "The objectives are met at 80/s, the highest rate that was tried"),
    ],
)
def test_a_knee_outside_of_the_range_is_told_as_such(met: float | None, not_met: float | None, words: str) -> None:
    assert in_words({"met": met, "not_met": not_met, "objectives": ["o"], "runs": []})[0] == f"{words} (o)."


@pytest.mark.parametrize(
    ("kept", "reasons", "note"),
    [
        (False, (), "the objectives are not met at 10/s, the lowest rate of the search"),
        (True, (), "the objectives are still met at 80/s: the knee lies higher"),
        (True, ("cpu",), "the upper rate is where our own runs were void: the knee of the target may lie higher"),
    ],
)
def test_what_a_reader_must_know_stands_beside_the_verdict(
    tmp_path: Path, kept: bool, reasons: tuple[str, ...], note: str
) -> None:
    made = sweep()
    while made.following is not None:
        played(made, tmp_path / str(len(made.trials)), kept=kept, reasons=reasons)
    report = made.report()
    assert report is not None
    assert note in report["verdict"]["notes"]


def test_an_interrupted_search_says_so(tmp_path: Path) -> None:
    made = sweep()
    assert made.report() is None
    played(made, tmp_path, kept=True)
    report = made.report()
    assert report is not None
    assert "the search was interrupted" in report["verdict"]["notes"][0]


def test_the_shipped_search_says_what_it_may_cost() -> None:
    profile = load_profile("saturation", SHIPPED)
    bound = bound_of(profile)
    assert 600 < profile.duration < 7200
    assert bound.requests > 256 * 20
    assert bound.tokens >= bound.requests * (128 + 64)
