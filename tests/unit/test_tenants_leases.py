"""Leases: by need, minted where possible, and everything given back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateproof.errors import ConfigError
from gateproof.limits import Limit, Quota
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret
from gateproof.tenants.admin import MintFailed
from gateproof.tenants.kuadrant import KuadrantMinter
from gateproof.tenants.lease import MOST_SILENCES, Leases, NoTenant
from gateproof.tenants.mint import minter_for
from gateproof.tenants.need import Need, Tenant
from gateproof.tenants.owner import stake
from gateproof.tenants.reference import ReferenceMinter
from gateproof.tenants.sweep import is_abandoned, sweep_run
from gateproof.wire.client import Client
from tests.unit.test_tenants_adapters import ReferenceApi

RUN = "6740a1b0-abc123"


def target(stack: str = "openai", **given: Any) -> Target:
    data = {"name": "here", "stack": stack, "base_url": "http://127.0.0.1:1", "models": {"chat": "m"}, **given}
    return Target.model_validate(data)


FREE = {"key": "free-key", "requests": {"limit": 10, "window": "1m"}, "tokens": {"limit": 900, "window": "24h"}}
TENANTS = {
    "main": {"key": "main-key"},
    "free": FREE,
    "slow": {"key": "slow-key", "requests": {"limit": 5, "window": "1h"}, "headers": {"x-tier": "slow"}},
    "keyless": {"requests": {"limit": 1, "window": 1}},
}
FREE_TIER = {"requests": {"limit": 10, "window": "1m"}}
MINT = {"key": "admin", "adapter": "reference", "requests": {"limit": 4, "window": 2, "algorithm": "sliding"}}


class BrokenMinter:
    """Its admin API is down in one way or the other."""

    def __init__(self, *, answered: bool) -> None:
        self.answered = answered
        self.swept: list[str] = []

    def mint(self, need: Need, name: str) -> Tenant:
        raise MintFailed("POST /admin/keys: 503 down", answered=self.answered)

    def revoke(self, tenant: Tenant) -> None:
        raise MintFailed("down")

    def names(self, prefix: str) -> list[str]:
        return []

    def sweep(self, prefix: str, doomed: Callable[[str], bool] = bool) -> list[str]:
        self.swept.append(prefix)
        return []


def declared(**given: Any) -> Leases:
    return Leases(target(tenants=TENANTS, **given), None, RUN)


def minting(api: ReferenceApi, **mint: Any) -> Leases:
    here = target(tenants=TENANTS, mint={**MINT, **mint})
    return Leases(here, ReferenceMinter(api), RUN)


def test_a_declared_tenant_comes_with_its_limits_key_and_headers() -> None:
    tenant = declared().lease(Need(requests=True))

    assert (tenant.name, tenant.key.reveal()) == ("slow", "slow-key")
    assert tenant.headers == {"x-tier": "slow"}
    assert tenant.requests == Limit(5, 3600.0)
    assert not tenant.minted


def test_the_one_with_the_fewest_other_limits_is_lent_unless_its_window_is_too_long() -> None:
    assert declared().lease(Need(requests=True)).name == "slow"
    assert declared().lease(Need(requests=True, within=60.0)).name == "free"
    assert declared().lease(Need(tokens=True)).name == "free"
    assert declared().lease(Need(unlimited=True)).name == "main"
    assert declared().lease(Need()).name == "main"


def test_lending_takes_turns_and_can_be_told_whom_to_leave_out() -> None:
    leases = declared()
    first = leases.lease(Need(requests=True))

    assert leases.lease(Need(requests=True)).name == "free"
    assert leases.lease(Need(requests=True), besides=[first]).name == "free"
    assert leases.lease(Need(requests=True)).name == "slow"


def test_what_a_declaration_leaves_open_the_dialect_may_know() -> None:
    """The window of such a stack is fixed and on its own clock or not, as its dialect says."""
    here = target("portkey-2", tenants={"main": {"key": "k"}, "free": FREE})
    tenant = Leases(here, None, RUN).lease(Need(requests=True))

    assert tenant.requests == Limit(10, 60.0, here.dialect.window_algorithm, here.dialect.window_aligned)
    assert tenant.requests.algorithm == "fixed"


def test_keys_that_were_resolved_before_are_used() -> None:
    leases = Leases(target(tenants=TENANTS), None, RUN, keys={"free": Secret("other")})

    assert leases.lease(Need(requests=True)).key.reveal() == "other"
    with pytest.raises(NoTenant):
        leases.lease(Need(unlimited=True))


@pytest.mark.parametrize(
    ("need", "says"),
    [
        (Need(requests=True), "here has no tenant with a request limit: declare `tenants.NAME` with `key`, `requests"),
        (Need(tokens=True, within=9.0), "token quota and window of 9 s or less"),
        (Need(models=["a", "b"]), "`models: [a, b]`"),
        (Need(minted=True), "declare `mint` with a key that may make others"),
    ],
    ids=str,
)
def test_nobody_fits_says_what_to_declare(need: Need, says: str) -> None:
    with pytest.raises(NoTenant) as failure:
        Leases(target(tenants={"main": {"key": "k"}}), None, RUN).lease(need)

    assert says in str(failure.value)


def test_minting_comes_first_with_the_limits_of_the_mint() -> None:
    api = ReferenceApi()
    tenant = minting(api).lease(Need(requests=True))

    assert tenant.minted
    assert tenant.rest == 0.0
    assert tenant.requests == Limit(4, 2.0, "sliding", False)
    assert tenant.name.startswith(f"gateproof-{RUN}-")


def test_a_check_may_ask_for_other_numbers() -> None:
    tenant = minting(ReferenceApi()).lease(Need(requests=Limit(9, 1.0), tokens=Quota(50, 1.0)))

    assert tenant.requests == Limit(9, 1.0, "fixed", False)
    assert tenant.tokens == Quota(50, 1.0, "after", "fixed", False)


def test_limits_that_the_mint_does_not_declare_come_from_a_declared_tenant() -> None:
    assert minting(ReferenceApi()).lease(Need(tokens=True)).name == "free"


def test_a_made_tenant_whose_window_is_too_long_is_given_back() -> None:
    api = ReferenceApi()
    with pytest.raises(NoTenant, match="making one failed"):
        minting(api).lease(Need(requests=True, within=1.0))

    assert api.left() == []


def test_two_workers_of_one_run_mint_different_names() -> None:
    api = ReferenceApi()

    assert minting(api).lease(Need()).name != minting(api).lease(Need()).name


def test_everything_minted_is_given_back_once() -> None:
    api = ReferenceApi()
    leases = minting(api)
    for _ in range(3):
        leases.lease(Need())

    assert len(api.left()) == 3
    assert leases.release_all() == ()
    assert api.left() == []
    assert leases.release_all() == ()


def test_what_resists_is_returned_and_tried_again() -> None:
    api = ReferenceApi()
    leases = minting(api)
    tenant = leases.lease(Need())
    api.override = (500, "down")

    assert leases.release_all() == (tenant.name,)
    api.override = None
    assert leases.release_all() == ()
    assert api.left() == []


def test_a_tenant_can_be_revoked_early() -> None:
    api = ReferenceApi()
    leases = minting(api)
    leases.revoke(leases.lease(Need(minted=True)))

    assert api.left() == []
    with pytest.raises(ValueError, match="not minted here"):
        leases.revoke(leases.lease(Need(tokens=True)))


@pytest.mark.parametrize("answered", [True, False])
def test_a_failed_minting_falls_back_and_is_swept_when_its_answer_was_lost(answered: bool) -> None:
    minter = BrokenMinter(answered=answered)
    leases = Leases(target(tenants=TENANTS, mint=MINT), minter, RUN)

    assert leases.lease(Need(requests=True)).name == "slow"
    with pytest.raises(NoTenant, match="making one failed: POST /admin/keys: 503 down"):
        leases.lease(Need(parallel=True))
    assert leases.release_all() == ()
    assert len(minter.swept) == (0 if answered else 1)


def test_no_adapter_is_said_so() -> None:
    here = target("llm-proxy", mint={"key": "admin", "adapter": "by-hand"}, tenants={"main": {"key": "k"}})
    assert minter_for(here, Client(str(here.base_url)), Secret("admin")) is None
    with pytest.raises(NoTenant, match="adapter `by-hand`"):
        Leases(here, None, RUN).lease(Need(requests=True))


def test_what_a_run_elsewhere_may_still_use_is_not_abandoned() -> None:
    started = int(RUN.partition("-")[0], 16)

    assert not is_abandoned(f"gateproof-{RUN}-ab12-1", started + 3600)
    assert is_abandoned(f"gateproof-{RUN}-ab12-1", started + 3601)
    assert not is_abandoned("gateproof-of-a-person", started + 3601)


def test_a_sweep_without_means_or_with_a_dead_stack_stays_quiet() -> None:
    class Dead:
        def send(self, *_: Any, **__: Any) -> Any:
            raise AssertionError("connection refused")

    here = target(tenants=TENANTS, mint=MINT)
    run = SimpleNamespace(target=here, client=Dead(), admin_key=None, run_id=RUN)
    assert sweep_run(run) == ()
    run.admin_key = Secret("admin")

    assert "connection refused" in sweep_run(run)[0]


def test_tenants_show_no_key() -> None:
    assert "free-key" not in repr(declared().lease(Need(tokens=True)))


def test_an_admin_api_that_leaves_us_in_the_dark_is_not_asked_for_ever() -> None:
    """Each question may take as long as the target's timeouts allow."""
    asked = []

    class Silent(BrokenMinter):
        def mint(self, need: Need, name: str) -> Tenant:
            asked.append(name)
            return super().mint(need, name)

    leases = Leases(target(mint=MINT), Silent(answered=False), RUN)
    for _ in range(MOST_SILENCES + 2):
        with pytest.raises(NoTenant, match="503 down"):
            leases.lease(Need(requests=True))

    assert len(asked) == MOST_SILENCES


def test_an_admin_api_that_refuses_is_asked_each_time() -> None:
    """Another need may be one that it can meet."""
    leases = Leases(target(mint=MINT), BrokenMinter(answered=True), RUN)
    for _ in range(MOST_SILENCES + 2):
        with pytest.raises(NoTenant, match=r"503 down$"):
            leases.lease(Need(requests=True))


def test_a_worker_that_outlives_its_run_makes_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would take them back."""
    monkeypatch.setenv("GATEPROOF_STATE", str(tmp_path))
    run, api = stake(), ReferenceApi()
    leases = Leases(target(mint=MINT), ReferenceMinter(api), run.run_id)
    leases.lease(Need(requests=True))
    run.release()

    with pytest.raises(NoTenant, match="the run that this process belongs to is over"):
        leases.lease(Need(requests=True))
    assert len(api.left()) == 1


def test_a_made_tenant_exists_until_somebody_deletes_it() -> None:
    api = ReferenceApi()
    leases = minting(api)
    tenant = leases.lease(Need())
    assert leases.exists(tenant.name)

    api.keys.clear()
    assert not leases.exists(tenant.name)


def test_what_we_took_back_ourselves_is_known() -> None:
    leases = minting(ReferenceApi())
    tenant = leases.lease(Need(minted=True))
    assert leases.retired == set()

    leases.revoke(tenant)
    assert leases.retired == {tenant.key}


@pytest.mark.parametrize(
    ("stack", "mint", "told"),
    [
        (
            "openai",
            {**MINT, "options": {"windows": "5"}},
            r"here\.mint\.options: unknown option `windows`",
        ),
        ("llm-proxy", {"key": "admin"}, r"here\.mint\.options\.api_key: is needed"),
        ("portkey-2", {"key": "admin"}, r"here\.mint\.options\.url: is needed"),
        (
            "portkey-2",
            {"key": "admin", "options": {"url": "http://p/v1"}},
            r"here\.mint\.options\.workspace: is needed",
        ),
        ("tokenlabs", {"key": "admin"}, r"here\.mint\.tiers: is needed"),
        ("tokenlabs", {"key": "admin", "tiers": {"free": {}}}, r"here\.kubernetes: is needed"),
    ],
    ids=["unknown option", "upstream key", "control plane", "workspace", "tiers", "cluster"],
)
def test_what_an_adapter_lacks_is_a_mistake_of_the_user(stack: str, mint: dict[str, Any], told: str) -> None:
    here = target(stack, mint=mint)
    with pytest.raises(ConfigError, match=told):
        minter_for(here, Client(str(here.base_url)), Secret("admin"))


def test_keys_of_a_cluster_need_no_key_beside_its_kubeconfig() -> None:
    cluster = {"namespace": "labs", "server": "http://127.0.0.1:1"}
    here = target("tokenlabs", mint={"tiers": {"free": FREE_TIER}}, kubernetes=cluster)

    assert isinstance(minter_for(here, Client(str(here.base_url)), None), KuadrantMinter)


def test_a_kubeconfig_that_is_not_there_is_a_mistake_of_the_user() -> None:
    cluster = {"namespace": "labs", "kubeconfig": "not-there"}
    here = target("tokenlabs", mint={"tiers": {"free": FREE_TIER}}, kubernetes=cluster)
    with pytest.raises(ConfigError, match=r"here\.kubernetes: Invalid kube-config file"):
        minter_for(here, Client(str(here.base_url)), None)


def test_other_stacks_do() -> None:
    with pytest.raises(ValueError, match="a key that may make others is needed"):
        target("litellm", mint={})
