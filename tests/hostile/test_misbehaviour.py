"""Targets that behave until the preflight is over: each check ends in time, says what happened, and harms no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.rogue import MISBEHAVIOURS, TIMEOUTS, Handler, polite, rogue
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


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_every_check_fails_in_time_and_says_why(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """All in one run, since starting one takes longer than most of what it then sees."""
    with rogue(behaviour) as server:
        ended = run(project(tmp_path, server.url), *workers)

    assert [*wrongly_judged(ended)] == []
    assert [ended.rows[id_of(kind, GOOD)]["verdict"] for kind in KINDS] == ["PASS", "PASS"]
    assert ended.project.report["complete"] is True
    assert ended.status == pytest.ExitCode.TESTS_FAILED
    assert ended.peak < MEMORY
    everything = ended.everything()
    assert [piece for piece in pieces(KEY) if piece in everything] == []
    assert [command for command in "\x1b\x07\x00" if command in everything] == []


def wrongly_judged(ended: Ended) -> Iterator[str]:
    """Rows that are not FAIL, do not say what happened, took too long, or left no evidence."""
    for number, misbehaviour in enumerate(MISBEHAVIOURS):
        for kind, told in (("UNARY", misbehaviour.unary), ("STREAM", misbehaviour.stream)):
            row = ended.rows[id_of(kind, number)]
            said = f"{row['message']}\n{row['seen']}"
            if row["verdict"] != "FAIL" or told not in said:
                yield f"{misbehaviour.name}, {kind}: {row['verdict']}, {told!r} is not in {said[:500]}"
            if (took := sum(part["duration"] for part in row["parts"])) > misbehaviour.lasts + MARGIN:
                yield f"{misbehaviour.name}, {kind}: took {took:.1f} s"
            if not (ended.project.latest / f"{row['id']}.http").exists():
                yield f"{misbehaviour.name}, {kind}: no evidence"


def pieces(key: str) -> list[str]:
    return [key[start : start + TELLING] for start in range(len(key) - TELLING + 1)]
