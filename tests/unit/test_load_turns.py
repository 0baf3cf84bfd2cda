"""Conversations: turns that wait for the answers before them, with indices of their own that are logged once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.errors import ConfigError
from gateproof.load.analysis import numbers
from gateproof.load.engine import Engine, Plan
from gateproof.load.log import FOLDER, Rows, Writer, read_log
from gateproof.load.plan import bound_of, make_plan, schedule_of
from gateproof.load.profile import Profile, Workload, load_profile
from gateproof.load.recorder import Recorder
from gateproof.load.requests import Door, Requests
from gateproof.load.wire.clock import Clock
from gateproof.load.workload import draw
from tests.unit.load_rig import Answer, Heard, Told, serving

THINK = 0.02  # s
HEAD_START = 500_000_000  # ns; the engine tidies its memory first, which takes its time in a process full of tests
TURNS = 3
CHAT = Door("chat", "/v1/chat/completions", "gateway:8000", "m", stream=False, headers={})
DONE = {"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}


def profile(**more: Any) -> Profile:
    workload = {"turns": TURNS, "think": THINK, "mix": [{"stream": False}], "input_tokens": 8, "output_tokens": 4}
    plain = {
        "name": "p",
        "arrivals": {"kind": "constant", "rate": 20.0},
        "phases": [{"name": "a", "duration": 0.5}, {"name": "b", "duration": 0.5}],
        "workload": workload,
    }
    return Profile.model_validate({**plain, **more})


@given(conversations=st.integers(1, 40), turns=st.integers(1, 6), workers=st.integers(1, 8))
def test_every_turn_of_every_conversation_belongs_to_one_worker(conversations: int, turns: int, workers: int) -> None:
    think = {"think": 1.0} if turns > 1 else {}
    asked = draw(Workload.model_validate({"turns": turns, **think}), conversations, seed=1)
    found: list[int] = []
    for worker in range(workers):
        for first in range(worker, conversations, workers):
            turns_of_it = [first, *asked.after(first)]
            assert [list(asked.before(index)) for index in turns_of_it] == [
                turns_of_it[:number] for number in range(turns)
            ]
            assert {index % conversations % workers for index in turns_of_it} == {worker}
            found += turns_of_it
    assert sorted(found) == list(range(len(asked)))


@given(conversations=st.integers(1, 20), turns=st.integers(1, 5), seed=st.integers(0, 100))
def test_the_bound_pays_for_the_history_of_every_turn(conversations: int, turns: int, seed: int) -> None:
    lengths = {"kind": "uniform", "mean": 50, "low": 1, "high": 99}
    asked = draw(Workload.model_validate({"turns": turns, "input_tokens": lengths}), conversations, seed)
    prompts = sum(asked.prompt_tokens(index) or 0 for index in range(len(asked)))
    # the answers of earlier turns stand in the prompts of later ones
    assert asked.tokens == prompts + int(asked.output_tokens.sum())


def test_history_grows_and_only_its_beginning_is_marked() -> None:
    workload = Workload.model_validate(
        {"turns": 3, "input_tokens": 20, "output_tokens": 10, "prefix": {"tokens": 8, "groups": 2}}
    )
    asked = draw(workload, 4, seed=7)
    requests = Requests(workload, asked, [CHAT], seed=7)
    first, second, third = (list(requests.messages(1 + 4 * turn)) for turn in range(3))
    assert [message["role"] for message in third] == ["user", "assistant", "user", "assistant", "user"]
    assert (third[:3], second[:1]) == (second, first)
    assert [len(message["content"].split()) for message in third] == [20, 10, 20, 10, 20]
    assert len({message["content"] for message in third}) == 5
    assert requests.messages(1) != requests.messages(2)


@pytest.mark.parametrize(
    ("workload", "words"),
    [
        ({"turns": 2, "mix": [{"api": "embeddings"}]}, "`embeddings` has no conversations"),
        ({"turns": 2, "dataset": "x.jsonl"}, "a line of a data set is a whole conversation"),
        ({"think": "1s"}, "there is one turn"),
    ],
)
def test_what_has_no_turns_is_refused(tmp_path: Path, workload: dict[str, Any], words: str) -> None:
    lines = f"arrivals: {{kind: poisson, rate: 1}}\nphases: [{{name: a, duration: 1s}}]\nworkload: {workload}\n"
    (tmp_path / "p.yaml").write_text(lines)
    with pytest.raises(ConfigError, match=words):
        load_profile("p", tmp_path)


def test_the_most_requests_are_those_of_all_turns() -> None:
    assert bound_of(profile(requests=12)).requests == 12
    assert bound_of(profile()).requests == TURNS * len(schedule_of(profile())[0])


def played(told: Told, profile: Profile, folder: Path, then: Callable[[Engine], None] = lambda _: None) -> Rows:
    """The log of one worker that plays the whole profile."""
    plan: Plan = make_plan(profile, told.target(), {})
    start = Clock.now() + HEAD_START
    engine = Engine(plan, 0, 1, Recorder(Writer(folder / FOLDER, 0), start), lambda *_: None)
    running = gevent.spawn(engine.run, start)
    then(engine)
    running.get(timeout=10)
    return read_log(folder)


def every_index_once(rows: Rows, conversations: int) -> None:
    assert rows.table["index"].to_pylist() == list(range(TURNS * conversations))
    assert rows.twice == 0


def test_a_turn_is_due_when_the_answer_before_it_was_thought_about(tmp_path: Path) -> None:
    with serving(lambda _: (200, DONE)) as told:
        # a slow machine may be late by seconds, and a turn that is due after the last phase is none
        rows = played(told, profile(requests=15, phases=[{"name": "a", "duration": 5.0}]), tmp_path)
        said = Counter(len(heard.body["messages"]) for heard in told.heard)
    every_index_once(rows, 5)
    assert said == {1: 5, 3: 5, 5: 5}
    table = {row["index"]: row for row in rows.table.to_pylist()}
    for index in range(5, 15):
        due = table[index - 5]["ended"] + int(THINK * 1e9)
        assert table[index]["scheduled"] == due
        assert table[index]["dispatched"] >= due
    assert table[14]["asked_input"] == 3 * 8 + 2 * 4
    assert {row["outcome"] for row in table.values()} == {"ok"}


def test_a_turn_belongs_to_the_phase_that_it_is_due_in(tmp_path: Path) -> None:
    short = profile(requests=TURNS, workload={"turns": TURNS, "think": 0.3, "mix": [{"stream": False}]})
    with serving(lambda _: (200, DONE)) as told:
        rows = played(told, short, tmp_path)
    # 25 ms, then 0.3 s and 0.6 s later: the first phase ends after 0.5 s
    assert rows.table["phase"].to_pylist() == [0, 0, 1]


def test_a_failed_turn_ends_its_conversation_and_is_the_only_one_to_blame(tmp_path: Path) -> None:
    def failing(heard: Heard) -> Answer:
        return (200, DONE) if len(heard.body["messages"]) == 1 else (500, {})

    with serving(failing) as told:
        rows = played(told, profile(requests=12), tmp_path)
    every_index_once(rows, 4)
    counted = numbers(rows, schedule_of(profile())[0].phases)
    assert dict(counted.outcomes) == {"ok": 4, "server error": 4, "skipped": 4}
    assert (counted.due, counted.dispatched, counted.error_share) == (8, 8, 0.5)


def test_turns_that_would_be_due_after_the_run_are_skipped(tmp_path: Path) -> None:
    long = profile(requests=6, workload={"turns": TURNS, "think": 60.0, "mix": [{"stream": False}]})
    with serving(lambda _: (200, DONE)) as told:
        rows = played(told, long, tmp_path)
    every_index_once(rows, 2)
    assert Counter(rows.table["outcome"].to_pylist()) == {"ok": 2, "skipped": 4}


def test_a_stopped_run_accounts_for_every_turn(tmp_path: Path) -> None:
    let_go = threading.Event()

    def slow(_: Heard) -> Answer:
        let_go.wait(5)
        return 200, DONE

    def stop(engine: Engine) -> None:
        while not engine.in_flight:
            gevent.sleep(THINK)
        engine.stop()
        let_go.set()

    with serving(slow) as told:
        rows = played(told, profile(), tmp_path, stop)
    every_index_once(rows, len(schedule_of(profile())[0]))
    assert set(rows.table["outcome"].to_pylist()) == {"ok", "not dispatched", "skipped"}


def test_a_closed_loop_holds_its_streams_through_conversations(tmp_path: Path) -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def counting(_: Heard) -> Answer:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.005)
        with lock:
            now[0] -= 1
        return 200, DONE

    closed = profile(
        arrivals={"kind": "closed", "streams": 2}, requests=12, workload={"turns": 3, "mix": [{"stream": False}]}
    )
    with serving(counting) as told:
        rows = played(told, closed, tmp_path)
    every_index_once(rows, 4)
    assert most[0] <= 2
