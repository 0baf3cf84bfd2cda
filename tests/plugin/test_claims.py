"""The catalogue and the tests hold each other to account, and mistakes of the user are told in one line."""

from __future__ import annotations

import pytest

from tests.plugin.toy import SOUND, Project, Server


@pytest.mark.parametrize(
    ("tests", "told"),
    [
        (SOUND.replace("TOY-003", "TOY-033"), "*unknown requirement `TOY-033`; did you mean `TOY-003`*"),
        (SOUND.replace("TOY-003", "TOY-002"), "*TOY-002 is claimed by*test_second already*"),
        (SOUND.replace('"TOY-001"', '"TOY-003", part="b"'), "*no test and no written reason for: TOY-001*"),
        (SOUND.replace("TOY-003", "TOY-005"), "*TOY-005 has a test, yet the catalogue calls it planned*"),
    ],
)
def test_a_wrong_claim_stops_the_collection(
    pytester: pytest.Pytester, project: Project, server: Server, workers: tuple[str, ...], tests: str, told: str
) -> None:
    project.write(server.url, tests)

    result = pytester.runpytest_subprocess("--target", "toy", *workers)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([told])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--target", "tow"], "*tow*did you mean `toy`*"),
        (["--target", "toy", "--area", "TOI"], "*--area: unknown area `TOI`; did you mean `TOY`*"),
        (["--target", "toy", "--requirement", "TOY-01"], "*--requirement: unknown requirement `TOY-01`*"),
        (["--target", "toy", "--level", "SHALL"], "*--level: unknown level `SHALL`*"),
        (["--target", "toy", "--spend", "much"], "*--spend: `much` is no bound*"),
        (["--target", "toy", "--max-wait", "soon"], "*--max-wait: not a duration: 'soon'*"),
        (["--target", "toy", "--targets", "nowhere.yaml"], "*nowhere.yaml*"),
        (["--target", "toy", "--replay=nowhere.yaml"], "*nowhere.yaml*--replay*No such file*"),
        (["--target", "toy", "--replay=targets.yaml"], "*targets.yaml*--replay*no list of `steps`*"),
    ],
)
def test_a_wrong_option_is_told_with_what_is_accepted(
    pytester: pytest.Pytester, project: Project, server: Server, options: list[str], told: str
) -> None:
    project.write(server.url)

    result = pytester.runpytest_subprocess(*options)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([told])
    assert "Traceback" not in result.stderr.str()
