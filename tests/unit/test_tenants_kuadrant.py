"""The Kuadrant adapter, over HTTP against a stand-in for the Kubernetes API whose Secrets Authorino reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from gateproof.cluster import secrets
from gateproof.cluster.access import api_client
from gateproof.cluster.secrets import Secrets
from gateproof.errors import ConfigError
from gateproof.launch.ports import accepts, free_port
from gateproof.limits import Limit, Quota
from gateproof.stack.kube.api import SecretsApi
from gateproof.stack.kube.authorino import Authorino, Decision
from gateproof.stack.kube.store import SecretStore
from gateproof.targets.model import Kubernetes
from gateproof.targets.secrets import Secret, resolve_key
from gateproof.targets.values import KeyRef
from gateproof.tenants.admin import MintFailed
from gateproof.tenants.kuadrant import NAMESPACE, SELECTOR, KuadrantMinter, layout_of
from gateproof.tenants.need import Need, Tenant
from tests.plugin.test_endings import wait_for
from tests.ports import refusing_port

pytest.importorskip("kubernetes", reason="the extra `cluster` is not installed")

TOKEN = "token-of-the-suite"
MINUTE, DAY = 60.0, 86_400.0


def tier(requests: int, tokens: int) -> Tenant:
    return Tenant(
        name="",
        key=Secret(""),
        requests=Limit(requests, MINUTE),
        further=(Limit(requests * 10, DAY),),
        tokens=Quota(tokens, MINUTE),
    )


TIERS = {"pro": tier(100, 50_000), "free": tier(10, 5_000), "enterprise": tier(1_000, 500_000)}


@contextmanager
def serving(store: SecretStore) -> Iterator[str]:
    port = free_port()
    app = SecretsApi(store, namespace=NAMESPACE, token=TOKEN)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: accepts(port))
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def store() -> SecretStore:
    return SecretStore()


@pytest.fixture(scope="module")
def url(store: SecretStore) -> Iterator[str]:
    with serving(store) as running:
        yield running


@pytest.fixture
def minter(url: str) -> Iterator[KuadrantMinter]:
    made = over(url)
    yield made
    made.sweep("")


def over(url: str, token: str = TOKEN, namespace: str = NAMESPACE) -> KuadrantMinter:
    return KuadrantMinter(Secrets(api_client(server=url, token=token), namespace), TIERS, layout_of(SELECTOR))


def decided(store: SecretStore, tenant: Tenant) -> Decision:
    return Authorino(store, TIERS).decide(f"Bearer {tenant.key.reveal()}")


def test_a_key_is_a_secret_that_authorino_takes(store: SecretStore, minter: KuadrantMinter) -> None:
    tenant = minter.mint(Need(requests=True), "gateproof-1")

    assert decided(store, tenant) == Decision(200, user="gateproof-1", groups=("free",))
    assert (tenant.requests, tenant.further) == (Limit(10, MINUTE), (Limit(100, DAY),))


@pytest.mark.parametrize(
    ("need", "fits"),
    [
        (Need(requests=True), "free"),
        (Need(tokens=True), "free"),
        (Need(requests=Limit(100, MINUTE)), "pro"),
        (Need(requests=Limit(90, MINUTE)), "pro"),
        (Need(tokens=Quota(400_000, MINUTE)), "enterprise"),
        (Need(requests=True, several=True, within=MINUTE), "free"),
        (Need(), "enterprise"),
    ],
    ids=["requests", "tokens", "the very number", "a near number", "tokens in numbers", "several", "any key"],
)
def test_the_tier_that_fits_best(minter: KuadrantMinter, need: Need, fits: str) -> None:
    """Small where something is to be used up, large where it is only in the way."""
    assert minter.mint(need, "gateproof-1").requests == TIERS[fits].requests


@pytest.mark.parametrize("need", [Need(parallel=2), Need(unlimited=True), Need(models=["m"])], ids=str)
def test_no_tier_fits(store: SecretStore, minter: KuadrantMinter, need: Need) -> None:
    with pytest.raises(MintFailed, match=r"no tier of `mint\.tiers` has a .* \(pro: requests 100 per"):
        minter.mint(need, "gateproof-1")

    assert minter.names("") == []


def test_names_are_made_fit_for_objects(minter: KuadrantMinter) -> None:
    minter.mint(Need(), "gateproof-1-Team_A")

    assert minter.names("gateproof-") == ["gateproof-1-team-a"]


def test_two_keys_of_a_user_share_its_counters(store: SecretStore, minter: KuadrantMinter) -> None:
    first = minter.mint(Need(requests=True), "gateproof-1")
    second = minter.another_key(first, "gateproof-2")

    assert [decided(store, each).user for each in (first, second)] == ["gateproof-1", "gateproof-1"]
    minter.revoke(first)
    minter.revoke(first)
    assert [decided(store, each).status for each in (first, second)] == [401, 200]


def test_rotation_and_change_keep_the_user(store: SecretStore, minter: KuadrantMinter) -> None:
    first = minter.mint(Need(requests=True), "gateproof-1")
    rotated = minter.rotate(first, "gateproof-2")
    assert [decided(store, each).status for each in (first, rotated)] == [401, 200]

    changed = minter.change(rotated, Need(requests=True))
    assert decided(store, changed) == Decision(200, user="gateproof-1", groups=("pro",))
    assert changed.requests == TIERS["pro"].requests


def test_a_sweep_takes_what_is_ours_over_pages(
    store: SecretStore, minter: KuadrantMinter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "PAGE", 2)
    for name in ("gateproof-a-1", "gateproof-b-1", "gateproof-a-2"):
        minter.mint(Need(), name)
    store.create(NAMESPACE, {"metadata": {"name": "gateproof-a-3", "labels": {"app": "token-labs"}}})

    assert minter.sweep("gateproof-", lambda name: "-a-" in name) == []
    assert minter.names("gateproof-") == ["gateproof-b-1"]
    assert [each["metadata"]["name"] for each in store.listed(NAMESPACE)] == ["gateproof-a-3", "gateproof-b-1"]
    store.delete(NAMESPACE, "gateproof-a-3")


@pytest.mark.parametrize(
    ("token", "namespace", "status", "told"),
    [("wrong", NAMESPACE, 401, "Unauthorized"), (TOKEN, "default", 403, "secrets is forbidden")],
    ids=["token", "rights"],
)
def test_a_refusal_is_told_as_such(url: str, token: str, namespace: str, status: int, told: str) -> None:
    with pytest.raises(MintFailed, match=rf"create Secret/{namespace}: {status} {told}") as failure:
        over(url, token, namespace).mint(Need(), "gateproof-1")

    assert (failure.value.unauthorized, failure.value.answered) == (True, True)


def test_nobody_there_is_no_refusal() -> None:
    refused = pytest.raises(MintFailed, match=r"list Secret/kuadrant-system: .*Connection refused")
    with refusing_port() as port, refused as failure:
        over(f"http://127.0.0.1:{port}").names("")

    assert (failure.value.status, failure.value.answered) == (None, False)


@pytest.mark.parametrize("selector", ["app", "app!=x", "app in (x)", ""])
def test_a_selector_that_no_label_can_be_made_of(selector: str) -> None:
    with pytest.raises(ValueError, match="not a label"):
        layout_of(selector)


def test_a_key_of_a_tenant_may_be_read_from_the_same_cluster(store: SecretStore, url: str) -> None:
    """With the token that opens it, which is not the one that is read."""
    store.create(NAMESPACE, {"metadata": {"name": "keys"}, "stringData": {"main": "sk-main"}})
    cluster = Kubernetes.model_validate({"namespace": NAMESPACE, "server": url, "token": {"env": "TOKEN"}})
    written = KeyRef.model_validate({"secret": {"namespace": NAMESPACE, "name": "keys", "key": "main"}})

    assert resolve_key(written, "main", "labs", environ={"TOKEN": TOKEN}, cluster=cluster).reveal() == "sk-main"
    with pytest.raises(ConfigError, match=r"labs\.kubernetes\.token: environment variable TOKEN is not set"):
        resolve_key(written, "main", "labs", environ={}, cluster=cluster)
    store.delete(NAMESPACE, "keys")
