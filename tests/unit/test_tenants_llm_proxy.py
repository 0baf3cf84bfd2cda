"""The llm-proxy adapter, against its management API made of dictionaries."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateproof.limits import Limit, Quota
from gateproof.targets.secrets import Secret
from gateproof.targets.values import Budget
from gateproof.tenants.admin import MintFailed
from gateproof.tenants.llm_proxy import LlmProxyMinter
from gateproof.tenants.need import Need

UPSTREAM = "sk-upstream-0123456789abcdef"
CAP = Limit(5, math.inf, "fixed", False)


class Management:
    """Projects that cannot be deleted, and their tokens."""

    def __init__(self) -> None:
        self.projects: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.cap_told: int | None = None

    def __call__(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        parts = urlsplit(path)
        match [method, *parts.path.removeprefix("/manage/").split("/")]:
            case ["POST", "projects"]:
                made = f"p{len(self.projects)}"
                self.projects[made] = {"id": made, "is_active": True, **body}
                return 201, self.projects[made]
            case ["GET", "projects"]:
                return 200, list(self.projects.values())
            case ["PATCH", "projects", project]:
                self.projects[project].update(body)
                return 200, self.projects[project]
            case ["POST", "projects", project, "tokens", "revoke"]:
                for row in self.tokens.values():
                    row["is_active"] &= row["project_id"] != project
                return 200, {}
            case ["POST", "tokens"]:
                made = f"t{len(self.tokens)}"
                self.tokens[made] = {"id": made, "is_active": True, **body}
                told = {} if self.cap_told is None else {"max_requests": self.cap_told}
                return 200, {"id": made, "token": f"sk-of-{made}", **told}
            case ["GET", "tokens"]:
                (project,) = parse_qs(parts.query)["projectId"]
                return 200, [row for row in self.tokens.values() if row["project_id"] == project]
            case ["PATCH", "tokens", token]:
                self.tokens[token].update(body)
                return 200, self.tokens[token]
            case ["DELETE", "tokens", token]:
                self.tokens[token]["is_active"] = False
                return 204, None
        raise AssertionError(f"{method} {path}")

    def active(self) -> tuple[list[str], list[str]]:
        """Projects by name, tokens by id."""
        projects = [row["name"] for row in self.projects.values() if row["is_active"]]
        return projects, [token for token, row in self.tokens.items() if row["is_active"]]


@pytest.fixture
def api() -> Management:
    return Management()


@pytest.fixture
def minter(api: Management) -> LlmProxyMinter:
    return LlmProxyMinter(api, Secret(UPSTREAM))


def test_a_tenant_is_a_project_with_a_token_that_dies(api: Management, minter: LlmProxyMinter) -> None:
    tenant = minter.mint(Need(requests=Limit(5, 60.0)), "gateproof-1")

    assert (tenant.name, tenant.key.reveal(), tenant.requests) == ("gateproof-1", "sk-of-t0", CAP)
    assert api.projects["p0"]["api_key"] == UPSTREAM
    assert api.tokens["t0"] == {
        "id": "t0",
        "is_active": True,
        "project_id": "p0",
        "duration_minutes": 60,
        "max_requests": 5,
    }


@pytest.mark.parametrize(
    ("need", "told"),
    [
        (Need(tokens=Quota(5, 60.0)), "token quotas"),
        (Need(parallel=2), "parallel"),
        (Need(budget=Budget(limit=1)), "budgets"),
        (Need(models=["m"]), "models"),
        (Need(requests=[Limit(5, 1.0), Limit(9, 2.0)]), "not 2"),
    ],
    ids=["tokens", "parallel", "budget", "models", "two limits"],
)
def test_what_a_token_cannot_limit_is_refused(api: Management, minter: LlmProxyMinter, need: Need, told: str) -> None:
    with pytest.raises(MintFailed, match=told):
        minter.mint(need, "gateproof-1")

    assert api.projects == {}


def test_two_tokens_of_a_project_live_and_die_apart(api: Management, minter: LlmProxyMinter) -> None:
    first = minter.mint(Need(requests=Limit(5, math.inf)), "gateproof-1")
    second = minter.another_key(first, "gateproof-2")
    assert second.requests == CAP

    minter.revoke(first)
    assert api.active() == (["gateproof-1"], ["t1"])
    minter.revoke(second)
    minter.revoke(second)
    assert api.active() == ([], [])


def test_rotation_and_change(api: Management, minter: LlmProxyMinter) -> None:
    rotated = minter.rotate(minter.mint(Need(requests=Limit(5, math.inf)), "gateproof-1"), "gateproof-2")
    changed = minter.change(rotated, Need(requests=Limit(9, math.inf)))

    assert api.active() == (["gateproof-1"], ["t1"])
    assert changed.requests == Limit(9, math.inf, "fixed", False)
    assert api.tokens["t1"]["max_requests"] == 9


def test_a_sweep_leaves_inactive_projects_and_says_so(api: Management, minter: LlmProxyMinter) -> None:
    for name in ("gateproof-a-1", "somebody", "gateproof-b-1"):
        minter.mint(Need(), name)

    assert minter.sweep("gateproof-", lambda name: "-a-" in name) == []
    assert api.active() == (["somebody", "gateproof-b-1"], ["t1", "t2"])
    assert minter.names("gateproof-") == ["gateproof-b-1"]
    assert minter.remains("gateproof-") == (
        "1 inactive projects called gateproof-*: the proxy has no way to delete one"
    )


def test_nothing_is_said_where_nothing_remains(minter: LlmProxyMinter) -> None:
    assert minter.remains("gateproof-") is None


def test_a_cap_that_is_not_taken_over_is_no_success(api: Management, minter: LlmProxyMinter) -> None:
    api.cap_told = 500
    with pytest.raises(MintFailed, match=r"asked for .*: 5\}, the answer says .*: 500\}"):
        minter.mint(Need(requests=Limit(5, math.inf)), "gateproof-1")
