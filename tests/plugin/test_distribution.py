"""Who runs beside whom under xdist: tests that disrupt come last, and alone."""

from __future__ import annotations

import itertools

import pytest

from tests.plugin.toy import HEAD, Project, Server

# Each test notes when it ran; a disrupting one lasts long enough for any other to be seen inside it.
TIMED = (
    HEAD
    + """
import time
from pathlib import Path

def note(name, lasts):
    begun = time.time()
    time.sleep(lasts)
    Path(f"{name}.ran").write_text(f"{begun} {time.time()}")

@requirement("TOY-001", requests=0, disrupts=True)
@pytest.mark.parametrize("number", range(3))
def test_disrupting(api: Api, number: int) -> None:
    note(f"lonely-{number}", 0.2)

@requirement("TOY-002", requests=0)
@pytest.mark.parametrize("number", range(SIZE))
def test_ordinary(api: Api, number: int) -> None:
    note(f"ordinary-{number}", 0.1 * (number % 3))
"""
)


@pytest.mark.parametrize("size", [1, 7], ids=lambda size: f"{size} others")
@pytest.mark.parametrize("count", ["2", "3"], ids=lambda count: f"{count} workers")
def test_disrupting_tests_run_after_all_others_and_alone(
    pytester: pytest.Pytester, project: Project, server: Server, size: int, count: str
) -> None:
    project.write(server.url, tests=TIMED.replace("SIZE", str(size)))
    result = pytester.runpytest_subprocess("--target", "toy", "--requirement", "TOY-001,TOY-002", "-n", count)
    result.assert_outcomes(passed=3 + size)
    spans = {file.stem: tuple(float(each) for each in file.read_text().split()) for file in pytester.path.glob("*.ran")}
    lonely = sorted(span for name, span in spans.items() if name.startswith("lonely"))
    others = [span for name, span in spans.items() if name.startswith("ordinary")]
    assert (len(lonely), len(others)) == (3, size)
    assert [span for span in others if span[1] > lonely[0][0]] == []
    assert [later for earlier, later in itertools.pairwise(lonely) if later[0] < earlier[1]] == []
