"""The Portkey adapter, against its control plane made of dictionaries."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateproof.limits import Limit, Quota
from gateproof.targets.values import Budget
from gateproof.tenants import portkey
from gateproof.tenants.admin import MintFailed
from gateproof.tenants.need import Need
from gateproof.tenants.portkey import Kind, PortkeyMinter

PAGE = 2
WEEK = 7 * 86_400.0


class Plane:
    """The control plane's `/api-keys`, in pages of two."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, Any]] = {}
        self.paths: list[str] = []
        self.keeps: tuple[str, ...] = ("rate_limits", "usage_limits")

    def __call__(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        parts = urlsplit(path)
        match [method, *parts.path.removeprefix("/api-keys").strip("/").split("/")]:
            case ["POST", *kind]:
                self.paths.append("/".join(kind))
                key_id = f"id-{len(self.paths)}"
                ignored = {"rate_limits", "usage_limits"} - set(self.keeps)
                self.keys[key_id] = {name: value for name, value in body.items() if name not in ignored}
                return 200, {"id": key_id, "key": f"pk-{key_id}", "object": "api-key"}
            case ["GET", ""]:
                page = int(parse_qs(parts.query)["current_page"][0])
                rows = [{"id": key_id, **row} for key_id, row in self.keys.items()]
                return 200, {"object": "list", "data": rows[page * PAGE : (page + 1) * PAGE]}
            case ["GET", key_id]:
                return 200, {"id": key_id, **self.keys[key_id]}
            case ["PUT", key_id]:
                self.keys[key_id].update(body)
                return 200, {}
            case ["DELETE", key_id]:
                return (200 if self.keys.pop(key_id, None) else 404), {}
        raise AssertionError(f"{method} {path}")


@pytest.fixture
def plane(monkeypatch: pytest.MonkeyPatch) -> Plane:
    monkeypatch.setattr(portkey, "PAGE", PAGE)
    return Plane()


@pytest.fixture
def minter(plane: Plane) -> PortkeyMinter:
    return PortkeyMinter(plane, Kind("workspace/service", "ws-1"))


def test_limits_are_told_in_portkeys_units(plane: Plane, minter: PortkeyMinter) -> None:
    need = Need(requests=[Limit(5, 60.0), Limit(90, 3600.0)], tokens=Quota(500, 86_400.0), budget=Budget(limit=2))
    tenant = minter.mint(need, "gateproof-1")
    (key,) = plane.keys.values()

    assert plane.paths == ["workspace/service"]
    assert (key["name"], key["workspace_id"]) == ("gateproof-1", "ws-1")
    assert key["rate_limits"] == [
        {"type": "requests", "unit": "rpm", "value": 5},
        {"type": "requests", "unit": "rph", "value": 90},
        {"type": "tokens", "unit": "rpd", "value": 500},
    ]
    assert key["usage_limits"] == {"type": "cost", "credit_limit": 2.0}
    assert key["expires_at"].endswith("Z")
    assert tenant.all_requests == (Limit(5, 60.0, "fixed", True), Limit(90, 3600.0, "fixed", True))
    assert tenant.key.reveal() == "pk-id-1"


def test_a_budget_may_start_anew_every_week(plane: Plane, minter: PortkeyMinter) -> None:
    minter.mint(Need(budget=Budget(limit=2, window=WEEK)), "gateproof-1")

    assert plane.keys["id-1"]["usage_limits"]["periodic_reset"] == "weekly"


@pytest.mark.parametrize(
    ("need", "told"),
    [
        (Need(requests=Limit(5, 2.0)), "windows of this stack last 1, 60, 3600, 86400 s, not 2 s"),
        (Need(budget=Budget(limit=1, window=60.0)), "a week, a month or for ever, not 60 s"),
        (Need(parallel=2), "parallel"),
        (Need(models=["m"]), "models"),
        (Need(tokens=Quota(50, 60.0, per_model=True)), "for all models at once"),
    ],
    ids=["window", "budget", "parallel", "models", "a quota per model"],
)
def test_what_a_key_cannot_have_is_refused(plane: Plane, minter: PortkeyMinter, need: Need, told: str) -> None:
    with pytest.raises(MintFailed, match=told) as failure:
        minter.mint(need, "gateproof-1")

    assert failure.value.answered
    assert plane.keys == {}


def test_a_second_key_has_limits_of_its_own(plane: Plane, minter: PortkeyMinter) -> None:
    first = minter.mint(Need(requests=Limit(5, 60.0)), "gateproof-1")
    second = minter.another_key(first, "gateproof-2")

    assert [row["rate_limits"][0]["value"] for row in plane.keys.values()] == [5, 5]
    assert second.key != first.key


def test_rotation_and_change(plane: Plane, minter: PortkeyMinter) -> None:
    rotated = minter.rotate(minter.mint(Need(requests=Limit(5, 60.0)), "gateproof-1"), "gateproof-2")
    assert list(plane.keys) == ["id-2"]

    unlimited = minter.change(minter.change(rotated, Need(tokens=Quota(9, 60.0))), Need())
    assert plane.keys["id-2"]["rate_limits"] == []
    assert (unlimited.requests, unlimited.tokens) == (None, None)


def test_a_sweep_goes_over_pages_and_takes_nothing_else(plane: Plane, minter: PortkeyMinter) -> None:
    for name in ["gateproof-a-1", "somebody", "gateproof-a-2", "gateproof-b-1", "gateproof-a-3"]:
        minter.mint(Need(), name)

    assert minter.sweep("gateproof-", lambda name: "-a-" in name) == []
    assert sorted(row["name"] for row in plane.keys.values()) == ["gateproof-b-1", "somebody"]
    assert minter.names("gateproof-") == ["gateproof-b-1"]


def test_limits_that_are_dropped_in_silence_are_found_out(plane: Plane, minter: PortkeyMinter) -> None:
    plane.keeps = ()
    with pytest.raises(MintFailed, match=r"asked for the rate limits .*rpm.* the key has \[\]") as failure:
        minter.mint(Need(requests=Limit(5, 60.0)), "gateproof-1")

    assert not failure.value.answered, "the key exists: it has to be looked for"
