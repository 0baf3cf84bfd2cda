"""What is left of a run that was interrupted, and when there is no going on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateproof.errors import ConfigError
from gateproof.load.drift import outside
from gateproof.load.histogram import Histogram
from gateproof.load.interruption import Interruption, gaps
from gateproof.load.log import FOLDER, INTERRUPTED, STOPPED, Writer, read_log
from gateproof.load.metrics.samples import Sample
from gateproof.load.profile import Profile
from gateproof.load.resume import fits, look
from gateproof.load.run import FACTS, LoadRun
from gateproof.load.schedule import Phase, Rest
from gateproof.load.selves import write_self
from gateproof.load.verdict import WorkerSelf
from gateproof.targets.model import Target

MS = 1_000_000  # ns
ENTRY = {"name": "t", "stack": "openai", "base_url": "http://127.0.0.1:9", "models": {"chat": "m"}}
TARGET = Target.model_validate(ENTRY)
NONE = np.empty(0, dtype=np.int64)
EVERY = np.arange(20)


def profile(**more: Any) -> Profile:
    """20 requests (or conversations) in 2 s."""
    plain = {
        "name": "p",
        "arrivals": {"kind": "constant", "rate": 10.0},
        "phases": [{"name": "warm-up", "duration": 0.5, "counted": False}, {"name": "a", "duration": 1.5}],
        "trust": {"interruptions": 2, "achieved": 0.5},
    }
    return Profile.model_validate({**plain, **more})


CLOSED: dict[str, Any] = {
    "arrivals": {"kind": "closed", "streams": 2},
    "phases": [{"name": "a", "duration": 2.0}],
    "requests": 20,
}


def row(index: int, **more: Any) -> dict[str, Any]:
    due = (50 + index % 20 * 100) * MS
    instants = {"scheduled": due, "dispatched": due, "sent": due, "ended": due + 10 * MS}
    return {"index": index, "phase": 1, "part": 0, "worker": 0, "outcome": "ok", "status": 200, **instants, **more}


def unsent(index: int, outcome: str = "not dispatched", detail: str = STOPPED) -> dict[str, Any]:
    return {"index": index, "phase": 1, "part": 0, "worker": 0, "outcome": outcome, "detail": detail}


def a_run(root: Path, rows: list[dict[str, Any]], of: Profile | None = None) -> Path:
    """Interrupted, with these rows in its log."""
    folder = LoadRun.create(root, TARGET, of or profile(), 1).folder
    log(folder, rows)
    return folder


def log(folder: Path, rows: list[dict[str, Any]], play: int = 0) -> None:
    writer = Writer(folder / FOLDER, 0, play)
    for each in rows:
        writer.add(each, NONE)
    writer.flush()
    write_self(folder / FOLDER, WorkerSelf(0, len(rows), 0.1, Histogram()), ended=play > 0, play=play)


def test_the_rest_begins_behind_the_last_that_was_due(tmp_path: Path) -> None:
    left = look(a_run(tmp_path, [row(index) for index in (0, 1, 2, 4, 7)]))
    assert left.rest.of(EVERY).tolist() == list(range(8, 20))
    assert left.lost.tolist() == [3, 5, 6]
    assert left.rest.since == pytest.approx(0.75)
    assert left.bound.requests == 12


def test_what_was_called_back_is_still_to_be_sent(tmp_path: Path) -> None:
    folder = a_run(tmp_path, [*(row(index) for index in range(8)), *(unsent(index) for index in range(8, 20))])
    assert look(folder).rest.of(EVERY).tolist() == list(range(8, 20))


def test_what_could_not_leave_had_its_turn(tmp_path: Path) -> None:
    left = look(a_run(tmp_path, [row(0), unsent(1, detail="4096 were under way")]))
    assert (left.rest.first, left.lost.tolist()) == (2, [])


def test_a_closed_loop_sends_whatever_is_in_no_log(tmp_path: Path) -> None:
    left = look(a_run(tmp_path, [row(index) for index in (0, 1, 2, 5, 9)], profile(**CLOSED)))
    assert left.rest.of(EVERY).tolist() == [3, 4, 6, 7, 8, *range(10, 20)]
    assert left.lost.tolist() == []
    assert left.rest.since == pytest.approx(0.96)


def test_a_conversation_that_had_begun_is_over(tmp_path: Path) -> None:
    two = profile(workload={"turns": 2})
    left = look(a_run(tmp_path, [row(0), row(20), row(1), unsent(21, "skipped"), unsent(22, "skipped")], two))
    assert (left.rest.first, left.lost.tolist()) == (2, [21])
    assert left.bound.requests == 36


def test_each_request_counts_once_and_what_is_lost_is_told(tmp_path: Path) -> None:
    folder = a_run(tmp_path, [*(row(index) for index in (*range(7), 8)), *(unsent(index) for index in range(9, 20))])
    (folder / "report.json").write_text("of what was known before")
    look(folder).go_on(1)
    assert not (folder / "report.json").exists()
    log(folder, [row(index) for index in range(9, 20)], play=1)
    rows = read_log(folder)
    assert (rows.table["index"].to_pylist(), rows.twice) == (list(range(20)), 0)
    assert [detail for detail in rows.table["detail"].to_pylist() if detail] == [INTERRUPTED]

    told = LoadRun.reopen(folder).finish()
    assert told["verdict"]["verdict"] == "VALID", told["verdict"]
    assert (told["due"], told["outcomes"]) == (20 - 1, {"ok": 19, "skipped": 1})
    [interruption] = told["interruptions"]
    assert (interruption["at_s"], interruption["lost"], interruption["workers"]) == (pytest.approx(0.85), 1, 1)
    assert interruption["lost_s"] == [pytest.approx(0.75), pytest.approx(0.75)]
    [note] = [note for note in told["verdict"]["notes"] if note.startswith("interrupted at 0.8 s, on ")]
    assert note.endswith(", and 1 requests due before it are in no log (due from 0.8 to 0.8 s)")
    assert told["ended"] > told["interruptions"][0]["resumed"]


def test_the_latest_run_goes_on(tmp_path: Path) -> None:
    folder = a_run(tmp_path, [row(0)])
    latest = folder.parent / "latest"
    look(latest).go_on(1)
    assert (latest.resolve(), latest.readlink()) == (folder.resolve(), Path(folder.name))


def test_too_much_lost_in_interruptions_is_void(tmp_path: Path) -> None:
    strict = profile(trust={"interruptions": 1})
    folder = a_run(tmp_path, [row(0), row(2)], strict)
    look(folder).go_on(1)
    log(folder, [row(index) for index in range(3, 20)], play=1)
    reasons = LoadRun.reopen(folder).finish()["verdict"]["reasons"]
    assert "1 requests were lost in interruptions: 5.0%, 1% allowed" in reasons


def test_a_run_may_be_interrupted_again(tmp_path: Path) -> None:
    folder = a_run(tmp_path, [row(0)])
    for play, indices in enumerate(([1, 2], [3, 4]), start=1):
        look(folder).go_on(1)
        log(folder, [row(index) for index in indices], play)
    assert [each.at_s for each in LoadRun.reopen(folder).interruptions] == [pytest.approx(0.05), pytest.approx(0.25)]
    with pytest.raises(ConfigError, match="allows 2 interruptions, and this would be number 3"):
        look(folder)


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (profile(trust={}), "allows 0 interruptions, and this would be number 1"),
        (
            profile(phases=[{"name": "a", "duration": 2.0}], against={"block": 0.5}),
            "a comparison of two paths cannot be resumed",
        ),
    ],
    ids=["none allowed", "overhead"],
)
def test_profiles_that_do_not_go_on(tmp_path: Path, of: Profile, words: str) -> None:
    folder = a_run(tmp_path, [row(0)])
    changed(folder, profile=of.model_dump(mode="json"))
    with pytest.raises(ConfigError, match=words):
        look(folder)


def test_a_search_does_not_go_on(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")  # over its runs, whose folders have the facts
    with pytest.raises(ConfigError, match="a search cannot be resumed"):
        look(tmp_path)


def changed(folder: Path, **more: Any) -> None:
    facts = json.loads((folder / FACTS).read_text())
    kept = {name: value for name, value in {**facts, **more}.items() if value is not None}
    (folder / FACTS).write_text(json.dumps(kept))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"salt": None}, "an older version began this run: its facts have no salt"),
        ({"suite": {"version": "0.0.0"}}, "begun by version 0.0.0, this is "),
        ({"schedule": "0" * 16}, "the schedule cannot be made again: other files or versions"),
    ],
)
def test_another_version_or_schedule_does_not_go_on(tmp_path: Path, more: dict[str, Any], words: str) -> None:
    folder = a_run(tmp_path, [row(0)])
    changed(folder, **more)
    with pytest.raises(ConfigError, match=words):
        look(folder)


def test_another_data_set_does_not_go_on(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "a"}\n')
    folder = a_run(tmp_path, [row(0)], profile(workload={"dataset": str(file)}))
    look(folder)
    file.write_text('{"prompt": "b"}\n')
    with pytest.raises(ConfigError, match=r"prompts\.jsonl is not what it was when the run began"):
        look(folder)
    file.unlink()
    with pytest.raises(ConfigError, match=r"prompts\.jsonl: cannot be read: No such file"):
        look(folder)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"name": "u"}, "name t, now u"),
        ({"base_url": "http://127.0.0.1:10"}, "url http://127.0.0.1:9, now http://127.0.0.1:10"),
        ({"stack": "litellm"}, "dialect openai, now litellm"),
    ],
)
def test_another_target_does_not_go_on(tmp_path: Path, more: dict[str, Any], words: str) -> None:
    left = look(a_run(tmp_path, [row(0)]))
    fits(left, TARGET)
    with pytest.raises(ConfigError, match=words):
        fits(left, Target.model_validate({**ENTRY, **more}))


@pytest.mark.parametrize("of", [profile(), profile(**CLOSED)], ids=["open", "closed"])
def test_a_run_that_ended_does_not_go_on(tmp_path: Path, of: Profile) -> None:
    with pytest.raises(ConfigError, match="this run came to its end"):
        look(a_run(tmp_path, [row(index) for index in range(20)], of))


def test_a_run_without_a_log_is_begun_anew(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing of this run is in its log"):
        look(a_run(tmp_path, []))


def test_a_run_that_goes_on_is_played_by_nobody_else(tmp_path: Path) -> None:
    played = LoadRun.create(tmp_path, TARGET, profile(), 1)
    with pytest.raises(ConfigError, match="this run is still going on"):
        LoadRun.reopen(played.folder).hold()
    played.finish()
    LoadRun.reopen(played.folder).hold()


def test_a_rest_is_what_it_says() -> None:
    rest = Rest(first=3, without=(5, 7))
    assert rest.of(np.arange(9)).tolist() == [3, 4, 6, 8]
    assert Rest().of(np.arange(3)).tolist() == [0, 1, 2]


def test_drift_is_not_looked_for_until_the_target_is_warm_again() -> None:
    phases = (Phase("warm-up", 60.0, 4, 4, counted=False), Phase("soak", 600.0, 4, 4))
    when = ("2026-01-01T00:00:00+00:00", "2026-01-01T00:10:00+00:00")
    sudden = Interruption(300.0, *when, workers=1, lost=3, lost_s=(290.0, 299.0))
    clean = Interruption(400.0, *when, workers=1)
    assert gaps([sudden, clean], phases) == [(290.0, 360.0), (400.0, 460.0)]
    assert sudden.lasted == 600.0


def test_what_lies_in_a_gap_is_left_out_of_drift(tmp_path: Path) -> None:
    rows = read_log(a_run(tmp_path, [row(index) for index in range(20)]))
    samples = [Sample("s", int(at * 1e9), "waiting", "w", "", "gauge", 0.0) for at in (0.2, 0.5, 0.7)]
    kept, sampled = outside([(0.45, 0.65), (1.0, 1.1)], rows, samples)
    assert kept.table["index"].to_pylist() == [0, 1, 2, 3, *range(6, 10), *range(11, 20)]
    assert [each.at for each in sampled] == [200_000_000, 700_000_000]
