"""A quiet wait is told while it lasts, with what is waited for and how long it takes."""

from __future__ import annotations

import pytest

from gateproof.verdict.plugin.waiting import QUIET
from tests.plugin.toy import HEAD, SOUND, Project, Server

WAIT = QUIET + 4  # s

WAITING = SOUND.replace(HEAD, HEAD + f"import time\nWAIT = {WAIT}\n").replace(
    '@requirement("TOY-003", requests=0)\ndef test_third(api: Api) -> None:\n',
    '@requirement("TOY-003", requests=0, lasts=WAIT)\ndef test_third(api: Api) -> None:\n    time.sleep(WAIT)\n',
)


def test_what_is_waited_for_is_told(
    pytester: pytest.Pytester, project: Project, server: Server, workers: tuple[str, ...]
) -> None:
    project.write(server.url, WAITING)

    result = pytester.runpytest_subprocess("--target", "toy", *workers)

    result.stdout.fnmatch_lines(
        [
            f"*toy: 3 checks,*1 of them waiting up to {WAIT:.0f} s, {WAIT:.0f} s in all*",
            "*waiting for windows: TOY-003; about * s to go*",
        ]
    )
    assert result.ret == pytest.ExitCode.OK
