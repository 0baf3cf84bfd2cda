"""Under xdist, no two checks use up the window of one declared tenant at the same time."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from tests.plugin.toy import HEAD, Project, Server

CHECKS = 6
CATALOGUE = "area: TOY\ntitle: toys\nrequirements:\n" + "".join(
    f'  - {{id: TOY-{number:03d}, level: MUST, basis: S, claim: "c{number}", source: "RFC 1", check: "c", gate: []}}\n'
    for number in range(CHECKS)
)
SEEN = (
    HEAD
    + """
import json, os, time
from pathlib import Path
HELD = 0.3

def use_up(api, config):
    began = time.monotonic()
    time.sleep(HELD)
    line = json.dumps([api.tenant.name, began, time.monotonic(), os.getpid()])
    with Path(config.rootpath, "seen").open("a") as file:
        file.write(line + "\\n")
"""
)
CHECK = """
@requirement("TOY-{number:03d}", requests=0, consumes="{kind}")
def test_{number}(tenant_with, request):
    use_up(tenant_with({kind}=True), request.config)
    assert True
"""
SEVERAL = "[{limit: 5, window: 2s}, {limit: 50, window: 1m}]"


def pack(kinds: list[str]) -> str:
    return SEEN + "".join(CHECK.format(number=number, kind=kind) for number, kind in enumerate(kinds))


def used(project: Project) -> list[tuple[str, float, float, int]]:
    return [tuple(json.loads(line)) for line in Path(project.path, "seen").read_text().splitlines()]


@pytest.mark.parametrize(
    ("kinds", "tenants"),
    [
        (["requests"] * CHECKS, f"{{free: {{key: k2, requests: {SEVERAL}}}}}"),
        (["requests", "tokens"] * (CHECKS // 2), f"{{free: {{key: k2, requests: {SEVERAL}, tokens: {SEVERAL}}}}}"),
        (["requests", "parallel"] * (CHECKS // 2), f"{{free: {{key: k2, requests: {SEVERAL}, parallel: 2}}}}"),
    ],
    ids=["several limits", "limits and quotas", "limits and slots"],
)
def test_a_declared_tenant_is_used_by_one_check_at_a_time(
    pytester: pytest.Pytester, project: Project, server: Server, kinds: list[str], tenants: str
) -> None:
    project.write(server.url, pack(kinds), f", tenants: {tenants}", catalogue=CATALOGUE)

    result = pytester.runpytest_subprocess("--target", "toy", "-n", "2")

    assert result.ret == pytest.ExitCode.OK
    spans = sorted((began, ended) for _, began, ended, _ in used(project))
    assert len(spans) == CHECKS
    assert [pair for pair in itertools.pairwise(spans) if pair[0][1] > pair[1][0]] == []


def test_tenants_of_different_kinds_are_used_side_by_side(
    pytester: pytest.Pytester, project: Project, server: Server
) -> None:
    tenants = f"{{free: {{key: k2, requests: {SEVERAL}}}, small: {{key: k3, tokens: {SEVERAL}}}}}"
    project.write(
        server.url, pack(["requests", "tokens"] * (CHECKS // 2)), f", tenants: {tenants}", catalogue=CATALOGUE
    )

    pytester.runpytest_subprocess("--target", "toy", "-n", "2").assert_outcomes(passed=CHECKS)

    assert {name for name, *_ in used(project)} == {"free", "small"}
    assert len({process for *_, process in used(project)}) == 2
