"""Known failures: excused while they last, and never forgotten."""

from __future__ import annotations

import pytest

from tests.plugin.toy import SOUND, Project, Server

BROKEN = SOUND.replace("== 200", "== 201", 1)
ENTRY = (
    "expectations:\n  - {{requirement: TOY-001, reason: known, link: 'https://example.org/1', expires: {expires}}}\n"
)


def test_an_expected_failure_does_not_fail_the_run(pytester: pytest.Pytester, project: Project, server: Server) -> None:
    project.write(server.url, BROKEN, expectations=ENTRY.format(expires="2999-01-01"))

    result = pytester.runpytest_subprocess("--target", "toy")

    assert result.ret == 0
    assert project.verdicts["TOY-001"] == "FAIL"
    assert project.report["summary"]["expected"] == ["TOY-001"]


def test_an_expected_failure_that_passes_fails_the_run(
    pytester: pytest.Pytester, project: Project, server: Server
) -> None:
    project.write(server.url, expectations=ENTRY.format(expires="2999-01-01"))

    result = pytester.runpytest_subprocess("--target", "toy")

    assert result.ret == 1
    assert project.report["summary"]["stale"] == ["TOY-001"]


def test_an_expired_expectation_excuses_nothing(pytester: pytest.Pytester, project: Project, server: Server) -> None:
    project.write(server.url, BROKEN, expectations=ENTRY.format(expires="2020-01-01"))

    result = pytester.runpytest_subprocess("--target", "toy")

    assert result.ret == 1
    assert project.report["summary"]["expired"] == ["TOY-001"]


def test_an_expectation_of_an_unknown_requirement_is_a_mistake(
    pytester: pytest.Pytester, project: Project, server: Server
) -> None:
    project.write(server.url, expectations=ENTRY.replace("TOY-001", "TOI-001").format(expires="2999-01-01"))

    result = pytester.runpytest_subprocess("--target", "toy")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*toy.yaml:2:*TOI-001*did you mean `TOY-001`*"])
