"""A report made again from what the workers left, when nobody else is there to make it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from gateproof.errors import ConfigError
from gateproof.load import report
from gateproof.load.histogram import Histogram
from gateproof.load.log import FOLDER, Writer
from gateproof.load.profile import Profile
from gateproof.load.run import FACTS, LoadRun
from gateproof.load.selves import read_selves, write_self
from gateproof.load.verdict import WorkerSelf
from gateproof.targets.model import Target

MS = 1_000_000  # ns
SCHEMA = Path(__file__).parents[2] / "docs" / "schema" / "report.schema.json"
PROFILE = Profile.model_validate(
    {"name": "p", "arrivals": {"kind": "constant", "rate": 10.0}, "phases": [{"name": "a", "duration": 2.0}]}
)
TARGET = Target.model_validate(
    {"name": "t", "stack": "openai", "base_url": "http://127.0.0.1:9", "key": "sk-hunter2", "models": {"chat": "m"}}
)
SCALE = {"fixed": 5.0, "per_word": 1.0, "exact": True, "per_turn": 0.0}
PROMPTS = [{"api": "chat", "model": "m", "tenant": "main", "how": "usage", **SCALE}]


def own(worker: int, rows: int = 10) -> WorkerSelf:
    lag = Histogram()
    lag.add(1000)
    return WorkerSelf(worker, rows, 0.1, lag)


def row(index: int, worker: int) -> dict[str, Any]:
    due = 50 * MS + index * 100 * MS
    instants = {"scheduled": due, "dispatched": due + MS, "sent": due + MS, "ended": due + 90 * MS}
    tokens = {"asked_input": 128, "prompt_tokens": 128 + index % 2, "asked_output": 64, "completion_tokens": 64}
    known = {"index": index, "worker": worker, "phase": 0, "part": 0, "outcome": "ok", "status": 200}
    return {**known, **instants, **tokens}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of two workers, of which everything is there but a report; no machine is calibrated here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = LoadRun.create(tmp_path, TARGET, PROFILE, 2, prompts=PROMPTS)
    for worker in (0, 1):
        writer = Writer(run.folder / FOLDER, worker)
        for index in range(worker, 20, 2):
            writer.add(row(index, worker), np.array([10_000]))
        writer.flush()
        write_self(run.folder / FOLDER, own(worker), ended=True)
    return run.folder


def remade(folder: Path) -> dict[str, Any]:
    told = LoadRun.reopen(folder).finish()
    assert json.loads((folder / "report.json").read_text()) == json.loads(json.dumps(told))
    assert told["verdict"]["verdict"] in (folder / "summary.md").read_text()
    return told


def test_the_logs_alone_make_the_report(folder: Path) -> None:
    told = remade(folder)
    assert told["verdict"] == {
        "verdict": "VALID",
        "reasons": [],
        "notes": ["this machine is not calibrated: run `gateproof calibrate`"],
    }
    assert (told["due"], told["outcomes"], told["workers"]) == (20, {"ok": 20}, 2)
    facts = json.loads((folder / FACTS).read_text())
    assert facts["started"] < told["ended"]
    assert not any("hunter2" in file.read_text() for file in folder.glob("*.*"))


def test_the_report_is_the_same_whoever_makes_it_and_when(tmp_path: Path) -> None:
    run = LoadRun.create(tmp_path, TARGET, PROFILE, 1, prompts=PROMPTS)
    writer = Writer(run.folder / FOLDER, 0)
    for index in range(20):
        writer.add(row(index, 0), np.array([10_000]))
    writer.flush()
    write_self(run.folder / FOLDER, own(0), ended=True)
    run.selves[0] = own(0)
    run.finish()
    made = [(run.folder / name).read_bytes() for name in ("report.json", "summary.md")]
    for _ in range(2):
        remade(run.folder)
        assert [(run.folder / name).read_bytes() for name in ("report.json", "summary.md")] == made


def test_a_disk_that_is_full_at_the_end_still_lets_us_know(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "write", full)
    verdict = LoadRun.reopen(folder).finish()["verdict"]
    assert (verdict["verdict"], verdict["reasons"]) == (
        "VOID",
        ["the report cannot be written: No space left on device"],
    )


def test_the_report_tells_how_far_prompts_were_off(folder: Path) -> None:
    [chat] = remade(folder)["prompts"]
    assert chat["input"] == {
        "requests": 20,
        "asked": 20 * 128,
        "told": 20 * 128 + 10,
        "off": 10,
        "discrepancy": pytest.approx(10 / (20 * 128)),
    }
    assert chat["output"]["discrepancy"] == 0
    line = "chat m, prompts exact (usage): input 2,570 tokens of 2,560 asked for (+0.39%), output 1,280 tokens of"
    assert line in (folder / "summary.md").read_text()


def test_a_worker_without_a_word_is_missing(folder: Path) -> None:
    (folder / FOLDER / "worker-1.json").unlink()
    reasons = remade(folder)["verdict"]["reasons"]
    assert reasons == [
        "worker 1 left no word of itself: worker-1.json is missing",
        "1 of 2 workers were lost",
    ]


def test_a_worker_that_was_killed_is_told_with_what_it_did_not_send(folder: Path) -> None:
    write_self(folder / FOLDER, own(1, rows=7), ended=False)
    (folder / FOLDER / "worker-1-000000.parquet").unlink()
    reasons = remade(folder)["verdict"]["reasons"]
    assert "worker 1 did not come to its end: 7 rows when it last said something" in reasons
    assert "10 of 20 due requests are in no log" in reasons


@pytest.mark.parametrize("text", ["", '{"worker": 1', "[]", "{}", '{"ended": true, "at": 1, "worker": 1, "odd": 2}'])
def test_a_word_that_cannot_be_read_is_named(folder: Path, text: str) -> None:
    (folder / FOLDER / "worker-1.json").write_text(text)
    left = read_selves(folder / FOLDER, [2])
    assert [each.worker for each in left.selves] == [0]
    [missing] = left.missing
    assert missing.startswith("worker 1's word of itself cannot be read: worker-1.json: ")


def test_a_word_survives_its_way_through_the_disk(tmp_path: Path) -> None:
    write_self(tmp_path, own(3), ended=True)
    left = read_selves(tmp_path, [4]).selves[-1]
    assert left.to_plain() == own(3).to_plain()
    assert [file.name for file in tmp_path.iterdir()] == ["worker-3.json"]


def test_facts_of_another_schedule_void_the_report(folder: Path) -> None:
    facts = json.loads((folder / FACTS).read_text())
    (folder / FACTS).write_text(json.dumps({**facts, "schedule": "0" * 16}))
    assert "the schedule cannot be made again: other files or versions" in remade(folder)["verdict"]["reasons"]


@pytest.mark.parametrize(
    ("text", "words"), [(None, "no folder of a run"), ("{", "not the facts of a run"), ("{}", "not the facts of a run")]
)
def test_a_folder_that_is_no_run_is_a_mistake(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / FACTS).write_text(text)
    with pytest.raises(ConfigError, match=f"run.json: {words}"):
        LoadRun.reopen(tmp_path)


def test_the_report_holds_to_the_published_schema(folder: Path) -> None:
    told, schema = remade(folder), json.loads(SCHEMA.read_text())
    jsonschema.validate(told, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**told, "due": -1}, schema)
