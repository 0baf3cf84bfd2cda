"""One scene, several judges: played once, paid for once, evidence of each, and on one worker."""

from __future__ import annotations

import pytest

from tests.plugin.toy import HEAD, Project, Server

WATCH = """
from fixtures.watches import Stage, Watched
from gateproof.verdict.watch import Watch

def play(stage: Stage):
    api = Api.of(stage.run, "main")
    return [api.chat().status for _ in range(2)]

SCENE = Watch("scene", play, requests=%d, lasts=%s)
"""

JUDGES = (
    HEAD
    + WATCH
    + """
@requirement("TOY-001", watch=SCENE)
def test_first(watched: Watched) -> None:
    assert watched(SCENE) == [200, 200]

@requirement("TOY-002", watch=SCENE)
def test_second(watched: Watched) -> None:
    assert watched(SCENE) == [200, 500]

@requirement("TOY-003", requests=0)
def test_third(api: Api) -> None:
    assert True

@requirement("TOY-004", requests=0)
def test_fourth(api: Api) -> None:
    assert True
"""
)

DECLARED = ", tenants: {free: {key: sk-free-0123456789, requests: {limit: 5, window: 2s}}}"


@pytest.mark.parametrize("more", ["", DECLARED], ids=["in threads", "by a declared tenant"])
def test_a_watch_is_played_once_for_all_its_judges(
    pytester: pytest.Pytester, project: Project, server: Server, workers: tuple[str, ...], more: str
) -> None:
    project.write(server.url, JUDGES % (2, 0), more)

    result = pytester.runpytest_subprocess("--target", "toy", "--area", "TOY", *workers)

    result.stdout.fnmatch_lines(["*at most 2 requests*"])
    assert project.verdicts["TOY-001"] == "PASS"
    assert project.verdicts["TOY-002"] == "WARN"
    spent = {row["id"]: row["requests"] for row in project.report["requirements"]}
    assert spent["TOY-001"] + spent["TOY-002"] == 2
    assert (project.latest / "evidence").exists() or "chat/completions" in project.everything_written()


def test_a_watch_that_fails_tells_every_judge(
    pytester: pytest.Pytester, project: Project, server: Server, workers: tuple[str, ...]
) -> None:
    failing = JUDGES.replace("return [api", 'raise Untestable("nobody is there")\n    return [api') % (2, 0)
    project.write(server.url, failing)

    pytester.runpytest_subprocess("--target", "toy", "--area", "TOY", *workers)

    assert {project.verdicts[name] for name in ("TOY-001", "TOY-002")} == {"UNTESTABLE"}


def test_a_watch_is_held_to_its_own_bound(pytester: pytest.Pytester, project: Project, server: Server) -> None:
    project.write(server.url, JUDGES % (1, 0))

    pytester.runpytest_subprocess("--target", "toy", "--area", "TOY")

    assert project.verdicts["TOY-001"] == "ERROR"
    assert "request number 2 of 1 claimed" in project.everything_written()


def test_what_is_waited_for_together_is_waited_for_once(
    pytester: pytest.Pytester, project: Project, server: Server
) -> None:
    project.write(server.url, JUDGES % (2, 30))

    result = pytester.runpytest_subprocess("--target", "toy", "--area", "TOY")

    result.stdout.fnmatch_lines(["*1 of them waiting up to 30 s, 30 s in all*"])
