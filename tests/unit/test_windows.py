"""Which checks may not run side by side, because they use up the window of one tenant."""

from __future__ import annotations

from typing import Any

import pytest

from gateproof.targets.model import Target
from gateproof.verdict.watch import window_of

LIMIT, LONGER = {"limit": 5, "window": 2}, {"limit": 50, "window": "1m"}
REQUESTS = {"key": "k", "requests": [LIMIT, LONGER]}
TOKENS = {"key": "k", "tokens": [LIMIT, LONGER]}
PARALLEL = {"key": "k", "parallel": 2}
BUDGET = {"key": "k", "budget": {"limit": 1}}
MINT = {"key": "admin", "adapter": "reference"}


def target(*tenants: dict[str, Any], **more: Any) -> Target:
    named = {"main": {"key": "main"}} | {f"t{number}": tenant for number, tenant in enumerate(tenants)}
    data = {"name": "here", "stack": "openai", "base_url": "http://127.0.0.1:1", "models": {"chat": "m"}, **more}
    return Target.model_validate({**data, "tenants": named})


def windows(of: Target) -> list[str | None]:
    return [window_of(of, kind) for kind in ("requests", "tokens", "parallel", "budget")]


def test_tenants_of_one_kind_each_are_in_nobodys_way() -> None:
    assert windows(target(REQUESTS, TOKENS)) == ["here:requests", "here:tokens", "here:parallel", "here:budget"]


@pytest.mark.parametrize("other", [TOKENS, PARALLEL, BUDGET], ids=["tokens", "parallel", "budget"])
def test_a_tenant_of_two_kinds_puts_all_into_one_group(other: dict[str, Any]) -> None:
    assert windows(target({**REQUESTS, **other})) == ["here:tenants"] * 4


@pytest.mark.parametrize(
    "mint",
    [{**MINT, "requests": LIMIT, "tokens": LIMIT}, {**MINT, "tiers": {"free": {"requests": LIMIT, "tokens": LIMIT}}}],
    ids=["limits", "tiers"],
)
def test_whoever_gets_a_tenant_of_its_own_waits_for_nobody(mint: dict[str, Any]) -> None:
    assert windows(target(mint=mint))[:2] == [None, None]


def test_what_no_tier_limits_cannot_be_made() -> None:
    here = target(TOKENS, mint={**MINT, "tiers": {"free": {"requests": LIMIT}}})

    assert windows(here)[:2] == [None, "here:tokens"]


def test_an_adapter_that_nobody_wrote_makes_nothing() -> None:
    here = target(REQUESTS, mint={"key": "admin", "adapter": "by-hand", "requests": LIMIT})

    assert window_of(here, "requests") == "here:requests"


def test_a_declared_tenant_may_be_lent_when_making_one_fails() -> None:
    here = target(REQUESTS, mint={**MINT, "requests": LIMIT, "tokens": LIMIT})

    assert windows(here)[:2] == ["here:requests", None]
