"""Targets that cannot be reached and runs that end early: a clear word, an exit status, and what was known."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateproof.verdict.plugin.lifecycle import EXIT_UNREACHABLE
from tests.plugin.toy import KEY, SOUND, Project, Server
from tests.ports import refusing_port

HANG_GUARD = 60.0  # s

SLOW = SOUND.replace("assert True", "import time; time.sleep(30)")


def test_a_target_that_refuses_connections(pytester: pytest.Pytester, project: Project) -> None:
    with refusing_port() as port:
        project.write(f"http://127.0.0.1:{port}")
        result = pytester.runpytest_subprocess("--target", "toy")

    assert result.ret == EXIT_UNREACHABLE
    result.stdout.fnmatch_lines(["*could not be reached*refused*"])
    assert project.report["complete"] is False


def test_a_target_whose_name_resolves_to_nothing(pytester: pytest.Pytester, project: Project) -> None:
    project.write("http://nowhere.invalid")
    # a literal key may stand in the file for loopback targets only
    pytester.makefile(
        ".yaml", targets="targets: {toy: {stack: openai, base_url: 'http://nowhere.invalid', models: {chat: m}}}"
    )

    result = pytester.runpytest_subprocess("--target", "toy")

    assert result.ret == EXIT_UNREACHABLE
    result.stdout.fnmatch_lines(["*could not be reached*resolve*"])
    assert project.report["complete"] is False


def test_every_key_refused(pytester: pytest.Pytester, project: Project, server: Server) -> None:
    server.answer = lambda _: (401, "application/json", b"{}")
    project.write(server.url)

    result = pytester.runpytest_subprocess("--target", "toy")

    assert result.ret == EXIT_UNREACHABLE
    result.stdout.fnmatch_lines(["*refuses every key (main: 401)*"])


def test_a_web_page_is_no_api(pytester: pytest.Pytester, project: Project, server: Server) -> None:
    server.answer = lambda _: (200, "text/html", b"<title>Welcome to nginx</title>")
    project.write(server.url)

    result = pytester.runpytest_subprocess("--target", "toy")

    assert result.ret == EXIT_UNREACHABLE
    result.stdout.fnmatch_lines(["*HTML page titled `Welcome to nginx`*is base_url right?*"])


def test_credentials_do_not_follow_a_redirect(pytester: pytest.Pytester, project: Project, server: Server) -> None:
    with Server().running() as elsewhere:
        server.answer = lambda _: (307, "text/plain", elsewhere.url.encode())
        project.write(server.url)

        result = pytester.runpytest_subprocess("--target", "toy")

        assert result.ret == EXIT_UNREACHABLE
        assert elsewhere.seen == []
        result.stdout.fnmatch_lines([f"*redirects to {elsewhere.url}*credentials do not follow*"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["interrupt", "terminate"])
def test_an_interrupted_run_writes_what_is_known(
    project: Project, pytester: pytest.Pytester, server: Server, number: signal.Signals
) -> None:
    project.write(server.url, SLOW)
    command = [sys.executable, "-m", "pytest", "--target", "toy"]
    process = subprocess.Popen(command, cwd=project.path, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: len(server.seen) >= 4)  # the preflight, and two checks

    time.sleep(0.5)
    process.send_signal(number)
    output, _ = process.communicate(timeout=HANG_GUARD)

    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert project.report["complete"] is False
    assert project.verdicts["TOY-001"] == "PASS"
    assert project.report["summary"]["verdict"] == "INCOMPLETE"


def wait_for(condition: object, within: float = HANG_GUARD) -> None:
    deadline = time.monotonic() + within
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "the run did not get so far"
        time.sleep(0.05)


def small_files_only() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))


def test_a_full_disk_is_told_and_the_verdict_stands(project: Project, server: Server) -> None:
    project.write(server.url)
    command = [sys.executable, "-B", "-m", "pytest", "--target", "toy", "-p", "no:cacheprovider"]

    done = subprocess.run(
        command,
        cwd=project.path,
        capture_output=True,
        text=True,
        timeout=HANG_GUARD,
        preexec_fn=small_files_only,
        check=False,
    )

    assert done.returncode == 1, done.stdout
    assert "report.json" in done.stdout
    assert "CONFORMANT" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_report_folder_that_is_a_file_is_told(pytester: pytest.Pytester, project: Project, server: Server) -> None:
    project.write(server.url)
    Path(project.path, "taken").write_text("")

    result = pytester.runpytest_subprocess("--target", "toy", "--report-dir", "taken")

    assert result.ret == 1
    result.stdout.fnmatch_lines(["*cannot make a report folder in*taken*"])


def test_the_key_is_in_no_process_argument(project: Project, server: Server) -> None:
    project.write(server.url, SLOW)
    command = [sys.executable, "-m", "pytest", "--target", "toy", "-n", "2"]
    process = subprocess.Popen(command, cwd=project.path, stdout=subprocess.DEVNULL)
    wait_for(lambda: len(server.seen) >= 4)

    arguments = b"".join(file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if file.exists())
    process.terminate()
    process.wait(HANG_GUARD)

    assert KEY.encode() not in arguments
