"""The LiteLLM adapter beyond making a key: teams, money, second keys, rotation and change."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateproof.limits import Limit, Quota
from gateproof.targets.values import Budget
from gateproof.tenants.admin import MintFailed
from gateproof.tenants.litellm import LiteLLMMinter
from gateproof.tenants.need import Need

MASTER = "sk-master-0123456789"


class Proxy:
    """The part of LiteLLM's admin API that matters: what is sent is kept, and echoed, as the proxy does."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, Any]] = {}
        self.teams: dict[str, dict[str, Any]] = {}
        self.lies: dict[str, Any] = {}

    def __call__(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        parts = urlsplit(path)
        match method, parts.path:
            case "POST", "/key/generate":
                key = f"sk-{len(self.keys)}"
                self.keys[key] = dict(body)
                return 200, {**body, "key": key, "token": f"hash-{key}", **self.lies}
            case "POST", "/key/update":
                self.keys[body["key"]].update(body)
                return 200, {}
            case "POST", "/key/delete":
                gone = [self.keys.pop(each.removeprefix("hash-"), None) for each in body["keys"]]
                return (200 if any(gone) else 404), {}
            case "GET", "/key/list":
                page = int(parse_qs(parts.query)["page"][0])
                rows = [{**row, "token": f"hash-{key}"} for key, row in self.keys.items()]
                return 200, {"keys": rows[page - 1 : page], "total_pages": max(1, len(rows))}
            case "POST", "/team/new":
                team = f"team-{len(self.teams)}"
                self.teams[team] = dict(body)
                return 200, {**body, "team_id": team}
            case "POST", "/team/update":
                self.teams[body["team_id"]].update(body)
                return 200, {}
            case "GET", "/team/list":
                return 200, [{**row, "team_id": team} for team, row in self.teams.items()]
            case "POST", "/team/delete":
                (team,) = body["team_ids"]
                self.keys = {key: row for key, row in self.keys.items() if row.get("team_id") != team}
                return (200 if self.teams.pop(team, None) else 404), {}
        raise AssertionError(f"{method} {path}")


def limits(row: dict[str, Any]) -> dict[str, Any]:
    names = ("rpm_limit", "tpm_limit", "max_parallel_requests", "max_budget", "budget_duration", "models")
    return {name: row[name] for name in names if row.get(name) not in (None, [])}


@pytest.mark.parametrize(
    ("budget", "sent"),
    [
        (Budget(limit=0.5), {"max_budget": 0.5}),
        (Budget(limit=2, window=86_400.0), {"max_budget": 2.0, "budget_duration": "86400s"}),
    ],
    ids=["for ever", "a day"],
)
def test_money(budget: Budget, sent: dict[str, Any]) -> None:
    api = Proxy()
    tenant = LiteLLMMinter(api).mint(Need(budget=budget), "gateproof-1")

    assert tenant.budget == budget
    assert [limits(row) for row in api.keys.values()] == [sent]


def test_what_the_proxy_decides_is_not_what_the_check_asks_for() -> None:
    tenant = LiteLLMMinter(Proxy(), 30.0, mode="reserve").mint(
        Need(requests=Limit(5, 2.0), tokens=Quota(50, 2.0, "after")), "gateproof-1"
    )

    assert tenant.requests == Limit(5, 30.0, "fixed", False)
    assert tenant.tokens == Quota(50, 30.0, "reserve", "fixed", False)


@pytest.mark.parametrize(
    ("need", "told"),
    [
        (Need(requests=[Limit(5, 1.0), Limit(50, 60.0)]), "one request limit per key, not 2"),
        (Need(tokens=[Quota(5, 1.0), Quota(50, 60.0)]), "one token quota per key, not 2"),
        (Need(requests=Limit(5, math.inf)), "not for the life of a key"),
        (Need(tokens=Quota(50, 60.0, per_model=True)), "one token quota for all models"),
    ],
    ids=["two limits", "two quotas", "a lifetime cap", "a quota per model"],
)
def test_what_the_proxy_cannot_do_is_refused_before_anything_is_made(need: Need, told: str) -> None:
    api = Proxy()
    with pytest.raises(MintFailed, match=told) as failure:
        LiteLLMMinter(api, share=True).mint(need, "gateproof-1")

    assert failure.value.answered
    assert (api.keys, api.teams) == ({}, {})


def test_two_keys_share_nothing_unless_they_are_to() -> None:
    api = Proxy()
    minter = LiteLLMMinter(api)
    first = minter.mint(Need(requests=Limit(5, 60.0)), "gateproof-1")
    minter.another_key(first, "gateproof-2")

    assert [(row["key_alias"], limits(row)) for row in api.keys.values()] == [
        ("gateproof-1", {"rpm_limit": 5}),
        ("gateproof-2", {"rpm_limit": 5}),
    ]
    assert api.teams == {}


def test_keys_that_share_are_of_one_team_which_has_the_limits() -> None:
    """Of what a team can limit: LiteLLM counts requests at once by key."""
    api = Proxy()
    minter = LiteLLMMinter(api, share=True)
    first = minter.mint(Need(requests=Limit(5, 60.0), parallel=2, models=["m"]), "gateproof-1")
    second = minter.another_key(first, "gateproof-2")

    assert [limits(team) for team in api.teams.values()] == [{"rpm_limit": 5, "models": ["m"]}]
    assert [(row["team_id"], limits(row)) for row in api.keys.values()] == [
        ("team-0", {"max_parallel_requests": 2, "models": ["m"]})
    ] * 2
    assert (second.requests, second.handle) == (first.requests, first.handle)


def test_a_team_goes_with_its_last_key() -> None:
    api = Proxy()
    minter = LiteLLMMinter(api, share=True)
    first = minter.mint(Need(), "gateproof-1")
    second = minter.another_key(first, "gateproof-2")

    minter.revoke(first)
    assert len(api.teams) == 1
    minter.revoke(second)
    minter.revoke(second)
    assert (api.keys, api.teams) == ({}, {})


def test_rotation_is_another_key_and_the_end_of_the_first() -> None:
    api = Proxy()
    minter = LiteLLMMinter(api, share=True)
    first = minter.mint(Need(requests=Limit(5, 60.0)), "gateproof-1")
    rotated = minter.rotate(first, "gateproof-2")

    assert list(api.keys) == [rotated.key.reveal()]
    assert rotated.key != first.key
    assert rotated.requests == first.requests


@pytest.mark.parametrize("share", [False, True], ids=["of a key", "of a team"])
def test_a_change_replaces_all_rights(share: bool) -> None:
    """What was limited and is not named any more is told so: LiteLLM keeps what it is not told."""
    api = Proxy()
    minter = LiteLLMMinter(api, share=share)
    first = minter.mint(Need(requests=Limit(5, 60.0), tokens=Quota(50, 60.0), models=["m"]), "gateproof-1")
    changed = minter.change(first, Need(requests=Limit(9, 60.0)))
    holder = (api.teams if share else api.keys).values()

    assert [limits(row) for row in holder] == [{"rpm_limit": 9}]
    assert (changed.key, changed.requests, changed.tokens) == (first.key, Limit(9, 60.0, "fixed", False), None)


def test_teams_are_swept_like_keys() -> None:
    """A team may have lost its keys, or never had one."""
    api = Proxy()
    minter = LiteLLMMinter(api, share=True)
    minter.mint(Need(), "gateproof-a-1")
    api.teams |= {"empty": {"team_alias": "gateproof-a-2"}, "theirs": {"team_alias": "people"}}

    assert minter.sweep("gateproof-", lambda name: "-a-" in name) == []
    assert (api.keys, list(api.teams)) == ({}, ["theirs"])


@pytest.mark.parametrize("lie", [{"rpm_limit": 500}, {"max_budget": 99.0}, {"models": ["all"]}], ids=str)
def test_an_answer_that_says_something_else_than_was_asked_is_no_success(lie: dict[str, Any]) -> None:
    api = Proxy()
    api.lies = lie
    need = Need(requests=Limit(5, 60.0), budget=Budget(limit=1), models=["m"])
    with pytest.raises(MintFailed, match=r"asked for .*, the answer says ") as failure:
        LiteLLMMinter(api).mint(need, "gateproof-1")

    assert not failure.value.answered, "the key exists: it has to be looked for"
