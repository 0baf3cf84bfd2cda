"""Minting adapters, against admin APIs made of dictionaries."""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from gateproof.limits import Limit, Quota
from gateproof.stack.config import Gateway
from gateproof.stack.gateway import admin
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.keyring import Keyring
from gateproof.tenants.admin import MintFailed, ask, redacted
from gateproof.tenants.litellm import LiteLLMMinter
from gateproof.tenants.mint import Minter
from gateproof.tenants.need import Need
from gateproof.tenants.reference import ReferenceMinter

MASTER = "sk-master-0123456789"


class ReferenceApi:
    """The gateway's admin API; ``answers`` overrides one path."""

    def __init__(self) -> None:
        self.orders: list[Any] = []
        self.keys: dict[str, str] = {}
        self.override: tuple[int, Any] | None = None

    def __call__(self, method: str, path: str, body: object | None) -> tuple[int, Any]:
        if self.override:
            return self.override
        match method, path:
            case "POST", "/admin/keys":
                assert isinstance(body, dict)
                self.orders.append(body)
                key = f"gp-{len(self.orders)}/secret"
                self.keys[key] = body["tenant"]
                return 200, {"key": key, "tenant": body["tenant"]}
            case "GET", "/admin/keys":
                return 200, {"keys": [{"id": key, "tenant": tenant} for key, tenant in self.keys.items()]}
            case "DELETE", _:
                gone = self.keys.pop(unquote(path.removeprefix("/admin/keys/")), None)
                return (200 if gone else 404), {}
        raise AssertionError(f"{method} {path}")

    def left(self) -> list[str]:
        return list(self.keys.values())


class LiteLLMApi:
    """The part of LiteLLM's key API that matters, with pages of two."""

    def __init__(self) -> None:
        self.orders: list[Any] = []
        self.rows: list[dict[str, Any]] = [{"key_alias": None, "token": "hash-of-an-unnamed-one"}]
        self.override: tuple[int, Any] | None = None

    def __call__(self, method: str, path: str, body: object | None) -> tuple[int, Any]:
        if self.override:
            return self.override
        parts = urlsplit(path)
        match method, parts.path:
            case "POST", "/key/generate":
                assert isinstance(body, dict)
                self.orders.append(body)
                key = f"sk-{len(self.orders)}"
                self.rows.append({"key_alias": body["key_alias"], "token": f"hash of {key}"})
                return 200, {"key": key, "key_alias": body["key_alias"], "token": f"hash of {key}"}
            case "POST", "/key/delete":
                assert isinstance(body, dict)
                wanted = {each if each.startswith("hash") else f"hash of {each}" for each in body["keys"]}
                found = [row for row in self.rows if row["token"] in wanted]
                self.rows = [row for row in self.rows if row not in found]
                return (200 if found else 404), {"deleted_keys": body["keys"]}
            case "GET", "/key/list":
                query = parse_qs(parts.query)
                assert query["return_full_object"] == ["true"]
                start = (int(query["page"][0]) - 1) * 2
                return 200, {"keys": self.rows[start : start + 2], "total_pages": (len(self.rows) + 1) // 2}
        raise AssertionError(f"{method} {path}")

    def left(self) -> list[str]:
        return [row["key_alias"] for row in self.rows if row["key_alias"]]


Api = ReferenceApi | LiteLLMApi


@pytest.fixture(params=["reference", "litellm"])
def made(request: pytest.FixtureRequest) -> tuple[Minter, Api]:
    if request.param == "reference":
        reference = ReferenceApi()
        return ReferenceMinter(reference), reference
    litellm = LiteLLMApi()
    return LiteLLMMinter(litellm), litellm


def test_a_minted_tenant_has_its_name_key_and_rights(made: tuple[Minter, Api]) -> None:
    tenant = made[0].mint(Need(parallel=3, models=["m"]), "gateproof-1-1")

    assert (tenant.name, tenant.parallel, tenant.models, tenant.minted) == ("gateproof-1-1", 3, ("m",), True)
    assert tenant.key.reveal()
    assert (tenant.requests, tenant.tokens) == (None, None)


def test_revoking_is_final_and_can_be_repeated(made: tuple[Minter, Api]) -> None:
    minter, api = made
    tenant = minter.mint(Need(), "gateproof-1-1")
    minter.revoke(tenant)
    minter.revoke(tenant)

    assert api.left() == []


def test_a_sweep_takes_back_what_has_the_prefix_and_is_doomed(made: tuple[Minter, Api]) -> None:
    """Over pages, and nothing of anybody else's."""
    minter, api = made
    for name in ["gateproof-a-1", "somebody", "gateproof-a-2", "gateproof-b-1", "gateproof-a-3"]:
        minter.mint(Need(), name)

    assert minter.names("gateproof-a") == ["gateproof-a-1", "gateproof-a-2", "gateproof-a-3"]
    assert minter.sweep("gateproof-", lambda name: "-a-" in name) == []
    assert sorted(api.left()) == ["gateproof-b-1", "somebody"]


def test_a_refusal_is_told_without_any_key(made: tuple[Minter, Api]) -> None:
    minter, api = made
    api.override = (500, {"error": {"message": f"DB not connected for {MASTER}", "token": "0a1b" * 16}})
    with pytest.raises(MintFailed, match=r"500.*DB not connected") as failure:
        minter.mint(Need(), "gateproof-1-1")

    assert MASTER not in str(failure.value)
    assert "0a1b" not in str(failure.value)


@pytest.mark.parametrize("answer", [None, [], "text", {}, {"key": ""}, {"key": 7}])
def test_an_answer_without_a_key_is_a_failure(made: tuple[Minter, Api], answer: object) -> None:
    made[1].override = (200, answer)
    with pytest.raises(MintFailed):
        made[0].mint(Need(), "gateproof-1-1")


def test_the_reference_gateway_is_told_every_term() -> None:
    """What the need leaves open is settled, and the tenant says how."""
    api = ReferenceApi()
    need = Need(requests=Limit(5, 2.0), tokens=Quota(100, 2.0, "reserve", "sliding"))
    tenant = ReferenceMinter(api).mint(need, "gateproof-1-1")

    assert tenant.requests == Limit(5, 2.0, "fixed", False)
    assert tenant.tokens == Quota(100, 2.0, "reserve", "sliding", False)
    assert api.orders[0]["requests"] == [{"limit": 5, "window": 2.0, "algorithm": "fixed", "aligned": False}]
    assert api.orders[0]["tokens"][0]["mode"] == "reserve"


class RealReferenceApi:
    """The gateway's own code behind its admin API, without the HTTP."""

    def __init__(self) -> None:
        self.keyring = Keyring(Gateway())

    def __call__(self, method: str, path: str, body: object | None) -> tuple[int, Any]:
        try:
            if method == "POST":
                return 200, admin.mint(self.keyring, json.dumps(body).encode())
            key = unquote(path.removeprefix("/admin/keys/"))
            if method == "PATCH":
                return 200, admin.change(self.keyring, key, json.dumps(body).encode())
            if method == "DELETE":
                return 200, admin.revoke(self.keyring, key)
            return 200, admin.listing(self.keyring)
        except Refusal as refusal:
            return refusal.status, str(refusal)


def test_the_reference_gateway_does_what_it_is_told() -> None:
    """Adapter and gateway agree on every word: the key works, has those rights, and goes."""
    api = RealReferenceApi()
    minter = ReferenceMinter(api)
    need = Need(requests=Limit(5, 2.0, "sliding"), tokens=Quota(100, 2.0, "reserve"), parallel=2, models=["m"])
    tenant = minter.mint(need, "gateproof-1-1")
    known = api.keyring.tenant_of(tenant.key.reveal())

    assert known is not None
    assert (known.rights.parallel, known.rights.models) == (2, ("m",))
    assert [(each.limit, each.window, each.algorithm) for each in known.rights.requests] == [(5, 2.0, "sliding")]
    assert [(each.limit, each.mode, each.aligned) for each in known.rights.tokens] == [(100, "reserve", False)]
    assert minter.names("gateproof-1-") == ["gateproof-1-1"]
    assert minter.sweep("gateproof-1-") == []
    assert api.keyring.tenant_of(tenant.key.reveal()) is None
    minter.revoke(tenant)


def test_the_reference_gateway_knows_no_bucket() -> None:
    with pytest.raises(MintFailed, match="400"):
        ReferenceMinter(RealReferenceApi()).mint(Need(requests=Limit(5, 2.0, "bucket")), "gateproof-1-1")


def test_litellm_counts_in_its_own_window() -> None:
    """A key carries numbers only; the window is the proxy's, and begins with the first request."""
    api = LiteLLMApi()
    tenant = LiteLLMMinter(api).mint(Need(requests=Limit(5, 2.0), tokens=Quota(100, 2.0)), "gateproof-1-1")

    assert tenant.requests == Limit(5, 60.0, "fixed", False)
    assert tenant.tokens == Quota(100, 60.0, "after", "fixed", False)
    assert api.orders == [
        {"key_alias": "gateproof-1-1", "duration": "1h", "models": [], "rpm_limit": 5, "tpm_limit": 100}
    ]


def test_a_transport_that_raises_is_a_failure_too() -> None:
    def broken(method: str, path: str, body: object | None) -> tuple[int, Any]:
        raise AssertionError(f"connection refused with {MASTER}")

    with pytest.raises(MintFailed, match="connection refused") as failure:
        ask(broken, "GET", "/key/list?page=1")

    assert not failure.value.answered
    assert MASTER not in str(failure.value)


def test_answers_are_cut() -> None:
    assert len(redacted({"text": "word " * 1000})) <= 301


def test_the_keys_of_the_reference_gateway_can_be_doubled_rotated_and_changed() -> None:
    api = RealReferenceApi()
    minter = ReferenceMinter(api)
    tenant = minter.mint(Need(requests=[Limit(9, math.inf), Limit(5, 2.0)]), "gateproof-1-1")
    assert tenant.all_requests == (Limit(5, 2.0, "fixed", False), Limit(9, math.inf, "fixed", False))

    second = minter.another_key(tenant, "gateproof-1-2")
    assert api.keyring.tenant_of(second.key.reveal()) is api.keyring.tenant_of(tenant.key.reveal())

    rotated = minter.rotate(second, "gateproof-1-3")
    assert api.keyring.tenant_of(second.key.reveal()) is None

    changed = minter.change(rotated, Need(requests=Limit(7, 2.0)))
    held = api.keyring.tenant_of(rotated.key.reveal())
    assert held is not None
    assert (changed.requests, [limit.limit for limit in held.rights.requests]) == (Limit(7, 2.0, "fixed", False), [7])
