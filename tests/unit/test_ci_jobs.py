"""The jobs in ``deploy/ci``: each script runs here with the tools replaced, and what it asks of ours exists."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateproof.cli import run

ROOT = Path(__file__).parents[2]
CI = ROOT / "deploy" / "ci"
TARGET = "my target; $(exit 3)"
"""A name that falls apart, or runs, wherever a script forgets its quotes."""
HANG_GUARD_SECONDS = 60
ARTEFACTS = ("conformance/latest/summary.md", "conformance/latest/junit.xml", "load/latest/summary.md")
STUB = f"""#!{sys.executable}
import json, os, pathlib, sys
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]) + "\\n")
"""


@dataclass(frozen=True)
class Script:
    """One step or job: its name and its lines, as a shell gets them."""

    name: str
    text: str


class _Gitlab(yaml.SafeLoader):
    """With `!reference [job, key]`, which GitLab resolves; only that it names what is there matters here."""


_Gitlab.add_constructor("!reference", lambda loader, node: tuple(loader.construct_sequence(node)))


def github() -> dict[str, Any]:
    return dict(yaml.safe_load((CI / "github-actions.yml").read_text()))


def gitlab() -> dict[str, Any]:
    return dict(yaml.load((CI / "gitlab-ci.yml").read_text(), Loader=_Gitlab))


def github_steps() -> list[dict[str, Any]]:
    return [step for job in github()["jobs"].values() for step in job["steps"]]


def gitlab_jobs() -> dict[str, dict[str, Any]]:
    """With what they extend laid under them."""
    plain = gitlab()
    jobs = {name: each for name, each in plain.items() if isinstance(each, dict) and "stage" in each}
    return {name: {**plain[each["extends"]], **each} for name, each in jobs.items()}


def scripts() -> Iterator[Script]:
    for step in github_steps():
        if "run" in step:
            yield Script(f"github {step['name']}", step["run"])
    for name, job in gitlab_jobs().items():
        for part in ("before_script", "script", "after_script"):
            if part in job:
                yield Script(f"gitlab {name} {part}", "\n".join(job[part]))


SCRIPTS = list(scripts())
PLAYED = [script for script in SCRIPTS if "pip install" not in script.text]
SETUPS = [script for script in SCRIPTS if "pip install" in script.text]


@dataclass(frozen=True)
class Played:
    """What a script called, and what it wrote into the summary of the job."""

    calls: list[list[str]]
    summary: str


def play(script: Script, folder: Path, *, reports: bool = True) -> Played:
    """Run it as GitHub and GitLab do, in a folder where our tools only note how they were called."""
    for tool in ("python", "gateproof"):
        stub = folder / ".venv" / "bin" / tool
        stub.parent.mkdir(parents=True, exist_ok=True)
        stub.write_text(STUB)
        stub.chmod(0o755)
    for name in ARTEFACTS if reports else ():
        file = folder / "reports" / TARGET / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{name}\n")
    calls, summary = folder / "calls", folder / "summary"
    calls.write_text("")
    summary.write_text("")
    variables = {"TARGET": TARGET, "PROFILE": "smoke", "CALLS": str(calls), "GITHUB_STEP_SUMMARY": str(summary)}
    done = subprocess.run(
        ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script.text],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=HANG_GUARD_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return Played([json.loads(line) for line in calls.read_text().splitlines()], summary.read_text())


def understood(words: list[str]) -> bool:
    """Whether the real command line knows the command and every option; asked for help, it runs nothing."""
    return run([*words, "--help"]) == 0


@pytest.mark.parametrize("script", PLAYED, ids=lambda script: script.name)
def test_a_script_runs_and_every_option_of_ours_exists(script: Script, tmp_path: Path) -> None:
    for tool, *words in play(script, tmp_path).calls:
        if tool == "gateproof":
            assert understood(words)
            assert "--target" not in words or words[words.index("--target") + 1] == TARGET
        else:
            assert words == ["-m", "pytest", "--target", TARGET, "-n", "2"]


@pytest.mark.parametrize("words", [["lod"], ["load", "--traget", "x"], ["targets", "check", "--typo"]])
def test_a_command_line_with_a_mistake_is_not_understood(words: list[str]) -> None:
    """Else the test above could not fail."""
    assert not understood(words)


def test_conformance_as_the_jobs_call_it_collects() -> None:
    """The same words on the reference stack, up to the point where something would be sent."""
    words = ["-m", "pytest", "--target", "local", "-n", "2", "--collect-only", "-qq"]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "conformance/test_" in done.stdout


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_both_kinds_of_jobs_run_conformance_load_and_gate_in_this_order(kind: str, tmp_path: Path) -> None:
    called = []
    for script in PLAYED:
        if script.name.startswith(kind):
            for tool, *words in play(script, tmp_path).calls:
                called.append(words[1] if tool == "python" else words[0])
    assert called == ["pytest", "load", "gate"]


def test_the_summary_holds_what_is_there_and_misses_nothing_else(tmp_path: Path) -> None:
    [script] = [each for each in PLAYED if each.name == "github summary"]
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    full.mkdir()
    assert play(script, empty, reports=False).summary == ""
    assert play(script, full).summary == "conformance/latest/summary.md\nload/latest/summary.md\n"


def test_gitlab_finds_the_junit_files_where_the_scripts_put_them(tmp_path: Path) -> None:
    jobs = gitlab_jobs()
    [after] = [each for each in PLAYED if each.name == "gitlab gateproof-conformance after_script"]
    play(after, tmp_path)
    conformance = jobs["gateproof-conformance"]["artifacts"]["reports"]["junit"]
    assert (tmp_path / conformance).read_text() == "conformance/latest/junit.xml\n"
    gate = jobs["gateproof-gate"]
    assert f"--junit {gate['artifacts']['reports']['junit']} " in gate["script"][0]


def test_what_is_installed_is_what_the_package_offers() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert "load" in extras
    assert len(SETUPS) == 1 + len(gitlab_jobs())
    assert all("pip install" in each.text and "-e '.[load]'" in each.text for each in SETUPS)


def test_no_script_of_github_holds_an_expression() -> None:
    """`${{ inputs.target }}` inside a script is text of whoever starts the run, taken as commands."""
    assert [step["name"] for step in github_steps() if "${{" in step.get("run", "")] == []


def test_secrets_come_from_the_variables_of_the_ci_system_only() -> None:
    [job] = github()["jobs"].values()
    keys = {name: value for name, value in job["env"].items() if name.endswith("KEY")}
    assert keys == {name: f"${{{{ secrets.{name} }}}}" for name in ("GATEWAY_KEY", "GATEWAY_ADMIN_KEY")}
    assert github()["permissions"] == {"contents": "read"}
    assert gitlab()["variables"].keys() == {"TARGET", "PROFILE"}


def test_every_reference_of_gitlab_names_something() -> None:
    plain = gitlab()
    references = [
        each["rules"] for each in plain.values() if isinstance(each, dict) and isinstance(each.get("rules"), tuple)
    ]
    assert references
    assert all(plain[job][key] for job, key in references)
    assert [job["stage"] for job in gitlab_jobs().values()] == plain["stages"]
