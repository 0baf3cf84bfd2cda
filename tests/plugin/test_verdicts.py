"""From what a test does to a verdict, a report and an exit status; alone and under xdist."""

from __future__ import annotations

import pytest

from tests.plugin.toy import HEAD, KEY, SOUND, Project, Server

Workers = tuple[str, ...]


def test_a_sound_target_is_conformant(
    pytester: pytest.Pytester, project: Project, server: Server, workers: Workers
) -> None:
    project.write(server.url)

    result = pytester.runpytest_subprocess("--target", "toy", *workers)

    assert result.ret == 0
    assert project.verdicts == {"TOY-001": "PASS", "TOY-002": "PASS", "TOY-003": "PASS", "TOY-004": "NOT_DECLARED"}
    assert project.report["summary"]["verdict"] == "CONFORMANT"
    assert project.report["complete"] is True
    assert [row["id"] for row in project.report["planned"]] == ["TOY-005"]
    result.stdout.fnmatch_lines(["*toy: 3 checks, at most 2 requests (of 3,000 allowed)*", "*CONFORMANT: 3 passed*"])


def test_the_level_of_the_requirement_makes_the_verdict_of_an_assertion(
    pytester: pytest.Pytester, project: Project, server: Server, workers: Workers
) -> None:
    project.write(
        server.url, SOUND.replace("== 200", "== 201").replace("== 5", "== 6").replace("assert True", "assert 1 == 2")
    )

    result = pytester.runpytest_subprocess("--target", "toy", *workers)

    assert result.ret == 1
    assert project.verdicts == {"TOY-001": "FAIL", "TOY-002": "WARN", "TOY-003": "INFO", "TOY-004": "NOT_DECLARED"}
    first = next(row for row in project.report["requirements"] if row["id"] == "TOY-001")
    assert (first["expected"], first["seen"]) == ("== 201", "200")
    assert first["evidence"][0]["curl"].startswith("curl")
    assert "POST /v1/chat/completions" in (project.latest / "TOY-001.http").read_text()
    result.stdout.fnmatch_lines(["FAIL  TOY-001  MUST  the first claim", "*expected  == 201", "*seen      200"])


@pytest.mark.parametrize(
    ("raised", "verdict", "status"),
    [
        ("Untestable('no second tenant')", "UNTESTABLE", 1),
        ("Inconclusive('clock too coarse')", "INCONCLUSIVE", 1),
        ("NotDeclared('honest 501')", "NOT_DECLARED", 0),
        ("RuntimeError('our own defect')", "ERROR", 1),
        ("Tolerated('404 where 405 is asked for')", "WARN", 0),
        ("Observed('a difference of 3 ms')", "INFO", 0),
    ],
)
def test_an_exception_says_what_an_assertion_cannot(
    pytester: pytest.Pytester, project: Project, server: Server, raised: str, verdict: str, status: int
) -> None:
    project.write(server.url, SOUND.replace("assert api.chat().status == 200", f"raise {raised}", 1))

    result = pytester.runpytest_subprocess("--target", "toy")

    assert result.ret == status
    assert project.verdicts["TOY-001"] == verdict


def test_a_skip_is_no_verdict(pytester: pytest.Pytester, project: Project, server: Server) -> None:
    project.write(server.url, SOUND.replace("assert api.chat().status == 200", "pytest.skip('silently')", 1))

    pytester.runpytest_subprocess("--target", "toy")

    assert project.verdicts["TOY-001"] == "ERROR"


def test_a_check_that_spends_more_than_it_claims_is_our_own_error(
    pytester: pytest.Pytester, project: Project, server: Server
) -> None:
    project.write(server.url, SOUND.replace("assert api.chat().status == 200", "api.chat(); api.chat()", 1))

    result = pytester.runpytest_subprocess("--target", "toy")

    assert result.ret == 1
    assert project.verdicts["TOY-001"] == "ERROR"
    result.stdout.fnmatch_lines(["*SpendExceeded: request number 2 of 1 claimed*"])


def test_a_bound_too_low_stops_before_the_first_request(
    pytester: pytest.Pytester, project: Project, server: Server, workers: Workers
) -> None:
    project.write(server.url)

    result = pytester.runpytest_subprocess("--target", "toy", "--spend", "1", *workers)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*toy.spend.requests: this run may send up to 2 requests, allowed are 1*"])


def test_no_key_appears_anywhere(pytester: pytest.Pytester, project: Project, server: Server, workers: Workers) -> None:
    leaks = (
        HEAD
        + """
@requirement("TOY-001", requests=1)
def test_first(api: Api) -> None:
    reply = api.chat()
    print(reply.text)
    assert reply.text == api.key.reveal()

@requirement("TOY-002", requests=1)
def test_second(api: Api) -> None:
    raise RuntimeError(api.auth)
"""
    )
    project.write(server.url, leaks)

    result = pytester.runpytest_subprocess("--target", "toy", "--area", "TOY", "-vv", *workers)

    assert project.verdicts == {"TOY-001": "FAIL", "TOY-002": "ERROR"}
    assert KEY not in result.stdout.str() + result.stderr.str()
    assert KEY not in project.everything_written()


def test_disabled_by_the_user_is_said_so(pytester: pytest.Pytester, project: Project, server: Server) -> None:
    project.write(server.url)

    pytester.runpytest_subprocess("--target", "toy", "--disable", "TOY-002")

    assert project.verdicts["TOY-002"] == "DISABLED"


def test_a_selection_reports_only_what_was_selected(
    pytester: pytest.Pytester, project: Project, server: Server
) -> None:
    project.write(server.url)

    pytester.runpytest_subprocess("--target", "toy", "--smoke")

    assert project.verdicts == {"TOY-001": "PASS"}
    assert project.report["summary"]["selected"] == "smoke"


def test_what_pytest_itself_left_out_is_told_too(pytester: pytest.Pytester, project: Project, server: Server) -> None:
    """Such a run is green of a part only, and a gate must see it."""
    project.write(server.url)

    pytester.runpytest_subprocess("--target", "toy", "-k", "test_first")

    assert project.verdicts == {"TOY-001": "PASS"}
    assert project.report["summary"]["selected"] == "keyword test_first"


def test_a_whole_run_is_not_called_a_part(pytester: pytest.Pytester, project: Project, server: Server) -> None:
    project.write(server.url)

    pytester.runpytest_subprocess("--target", "toy")

    assert project.report["summary"]["selected"] is None


@pytest.mark.parametrize("row", ["TOY-001", "TOY-002", "TOY-003"])
def test_a_fixture_that_refutes_is_judged_like_its_test(
    pytester: pytest.Pytester, project: Project, server: Server, row: str
) -> None:
    """Of a SHOULD as well: the test must not go on without what the fixture was to give."""
    fixture = "\n@pytest.fixture\ndef answer(api):\n    assert api.chat().status == 201\n"
    test = f"\n@requirement('{row}', requests=1)\ndef test_it(answer) -> None:\n    pass\n"
    project.write(server.url, HEAD + fixture + test)

    pytester.runpytest_subprocess("--target", "toy", "--requirement", row)

    assert project.verdicts == {row: {"TOY-001": "FAIL", "TOY-002": "WARN", "TOY-003": "INFO"}[row]}


def test_no_collection_looks_at_what_was_imported(
    pytester: pytest.Pytester, project: Project, server: Server, workers: Workers
) -> None:
    """A full one would hold up a check that measures."""
    project.write(
        server.url, SOUND.replace("assert True", "import gc; assert gc.get_freeze_count() > len(gc.get_objects())")
    )

    assert pytester.runpytest_subprocess("--target", "toy", *workers).ret == 0
    assert project.verdicts["TOY-003"] == "PASS"
