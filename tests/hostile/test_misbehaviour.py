"""Targets that behave until the preflight is over: each check ends in time, says what happened, and harms no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.rogue import MISBEHAVIOURS, TIMEOUTS, Handler, Misbehaviour, polite, rogue
from tests.hostile.runs import Ended, run
from tests.plugin.toy import HEAD, KEY, Project

MIB = 1 << 20
# What a check may take on top of what its target holds it, in seconds: reading the largest body on a busy machine.
MARGIN = 5.0
# A run keeps at most 32 MiB of a body, some copies of it for a moment, and itself.
MEMORY = 640 * MIB
# As many characters of a key in a row give it away.
TELLING = 10

ENTRY = '  - {{id: {id}, level: MUST, basis: S, claim: "{claim}", source: "RFC 1", check: "c", gate: []}}\n'
UNARY = """
@requirement("{id}", requests=1)
def test_unary_{number}(api: Api) -> None:
    assert api.chat().at("choices", 0, "message", "content") == "pong"
"""
STREAM = """
@requirement("{id}", requests=1)
def test_stream_{number}(api: Api) -> None:
    stream = streamed(api)
    assert (stream.done_positions, stream.violations) == ([1], [])
"""
KINDS = {"UNARY": UNARY, "STREAM": STREAM}
GOOD = len(MISBEHAVIOURS)  # the number of the two checks that are treated well, the last of all
Known = dict[str, Misbehaviour]


def id_of(kind: str, number: int) -> str:
    return f"{kind}-{number:03d}"


def project(path: Path, url: str) -> Project:
    made = Project(path)
    tests = HEAD + "from fixtures.streams import streamed\n"
    for kind, check in KINDS.items():
        names = [*(misbehaviour.name for misbehaviour in MISBEHAVIOURS), "nothing wrong"]
        rows = [ENTRY.format(id=id_of(kind, number), claim=name) for number, name in enumerate(names)]
        tests += "".join(check.format(id=id_of(kind, number), number=number) for number in range(len(names)))
        made.write(url, tests, TIMEOUTS, catalogue=f"area: {kind}\ntitle: {kind}\nrequirements:\n{''.join(rows)}")
        catalogue = path / "conformance" / "catalogue"
        (catalogue / "toy.yaml").rename(catalogue / f"{kind.lower()}.yaml")
    return made


def behaviour(requirement: str) -> Handler:
    number = int(requirement.partition("-")[2])
    return polite if number == GOOD else MISBEHAVIOURS[number].handler


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((), id="alone", marks=pytest.mark.xdist_group("alone")),
        pytest.param(("-n", "2"), id="two workers", marks=pytest.mark.xdist_group("two workers")),
    ],
)
def ended(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    with rogue(behaviour) as server:
        yield run(project(tmp_path_factory.mktemp("rogue"), server.url), *request.param)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", range(len(MISBEHAVIOURS)), ids=[m.name for m in MISBEHAVIOURS])
def test_it_fails_in_time_and_says_why(ended: Ended, kind: str, number: int) -> None:
    misbehaviour, row = MISBEHAVIOURS[number], ended.rows[id_of(kind, number)]

    assert row["verdict"] == "FAIL", row["message"]
    assert (misbehaviour.unary if kind == "UNARY" else misbehaviour.stream) in f"{row['message']}\n{row['seen']}"
    assert sum(part["duration"] for part in row["parts"]) < misbehaviour.lasts + MARGIN
    assert (ended.project.latest / f"{row['id']}.http").exists()


def test_the_run_goes_on(ended: Ended) -> None:
    assert [ended.rows[id_of(kind, GOOD)]["verdict"] for kind in KINDS] == ["PASS", "PASS"]
    assert ended.project.report["complete"] is True
    assert ended.project.report["summary"]["verdict"] == "NOT CONFORMANT"
    assert ended.status == pytest.ExitCode.TESTS_FAILED


def test_memory_stays_bounded(ended: Ended) -> None:
    assert ended.peak < MEMORY


def test_no_part_of_the_key_is_anywhere(ended: Ended) -> None:
    everything = ended.everything()
    pieces = [KEY[start : start + TELLING] for start in range(len(KEY) - TELLING + 1)]
    assert [piece for piece in pieces if piece in everything] == []


def test_the_target_does_not_drive_the_terminal(ended: Ended) -> None:
    assert [character for character in "\x1b\x07\x00" if character in ended.everything()] == []
