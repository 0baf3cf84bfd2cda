"""Two equal runs: the same load, other bytes, so that what a cache kept of the first answers nothing of the second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateproof.load.dataset import Entry
from gateproof.load.profile import Part, Prefix, Profile, Workload
from gateproof.load.requests import Door, Requests
from gateproof.load.run import FACTS, LoadRun
from gateproof.load.workload import draw
from gateproof.targets.model import Target

DOOR = Door("chat", "/v1/chat/completions", "h", "m", stream=True, headers={})
NUMBER, SEED = 20, 3


def requests(salt: int, entries: tuple[Entry, ...] = (), **more: Any) -> Requests:
    workload = Workload(**more)
    return Requests(workload, draw(workload, NUMBER, SEED, entries=entries), [DOOR], SEED, entries, salt=salt)


def beginnings(made: Requests) -> set[str]:
    """The first five words of every prompt."""
    prompts = [json.loads(made.build(index).partition(b"\r\n\r\n")[2])["messages"][0] for index in range(NUMBER)]
    return {" ".join(prompt["content"].split()[:5]) for prompt in prompts}


def test_another_salt_makes_other_beginnings_of_the_same_length() -> None:
    one, other = requests(1), requests(2)
    assert len(beginnings(one)) == len(beginnings(other)) == NUMBER
    assert not beginnings(one) & beginnings(other)
    assert [len(one.build(0).split()), one.digest] == [len(other.build(0).split()), other.digest]


def test_shared_beginnings_are_new_in_each_run_as_well() -> None:
    prefix = Prefix(tokens=40, groups=2)
    one, other = beginnings(requests(1, prefix=prefix)), beginnings(requests(2, prefix=prefix))
    assert (len(one), len(other), one & other) == (2, 2, set())


def test_the_same_salt_makes_the_same_bytes() -> None:
    one, other = requests(7), requests(7)
    assert [one.build(index) for index in range(NUMBER)] == [other.build(index) for index in range(NUMBER)]


def test_who_wants_caches_to_answer_gets_the_same_bytes_every_time() -> None:
    assert requests(1, cache_bust=False).build(0) == requests(2, cache_bust=False).build(0)


def test_sounds_differ_as_well() -> None:
    door = Door("transcriptions", "/v1/audio/transcriptions", "h", "m", stream=False, headers={})
    workload = Workload(mix=[Part(api="transcriptions", audio=0.1)])
    made = [Requests(workload, draw(workload, 1, SEED), [door], SEED, salt=salt).build(0) for salt in (1, 2)]
    assert made[0] != made[1]


def test_another_data_set_has_another_digest() -> None:
    one, other = ((Entry(({"role": "user", "content": text},)),) for text in ("Say hello", "Say olleh"))
    assert requests(0, one).digest == requests(1, one).digest
    assert requests(0, one).digest != requests(0, other).digest


def test_other_lengths_have_another_digest() -> None:
    assert requests(0, output_tokens={"mean": 8}).digest != requests(0, output_tokens={"mean": 9}).digest


def test_the_salt_of_a_run_stands_in_its_facts(tmp_path: Path) -> None:
    target = Target.model_validate(
        {"name": "t", "stack": "openai", "base_url": "http://127.0.0.1:9", "models": {"chat": "m"}}
    )
    phases = [{"name": "a", "duration": 1.0}]
    profile = Profile.model_validate({"name": "p", "arrivals": {"kind": "constant", "rate": 1}, "phases": phases})
    run = LoadRun.create(tmp_path, target, profile, 1, salt=41)
    assert json.loads((run.folder / FACTS).read_text())["salt"] == 41
    assert LoadRun.reopen(run.folder).facts["salt"] == 41
