"""The adapters end to end: on every reference stack whose dress has an admin API, they do what they say."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from gateproof.launch import launch
from gateproof.launch.from_target import running
from gateproof.limits import Limit
from gateproof.targets.loader import load_targets
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret, resolve_headers
from gateproof.tenants.admin import MintFailed
from gateproof.tenants.mint import Changes, Minter, Rotates, SecondKeys, minter_for
from gateproof.tenants.need import Need, Tenant
from gateproof.verdict.plugin.lifecycle import admin_key_of
from gateproof.wire.client import Client

TARGETS = load_targets(Path(__file__).parents[2] / "targets.yaml")


def dressed() -> list[str]:
    """Reference stacks on which keys can be made, by the name of their target."""
    found = [TARGETS.get(name) for name in TARGETS if name.startswith("local")]
    return [target.name for target in found if target.launch and target.launch.kind == "reference" and target.mint]


@dataclass(frozen=True)
class Stack:
    target: Target
    minter: Minter

    @property
    def limit(self) -> Limit:
        """What a key gets, or one of the tier that allows least."""
        assert self.target.mint is not None
        offered = (self.target.mint, *self.target.mint.tiers.values())
        return Limit.of(min((terms.requests[0] for terms in offered if terms.requests), key=lambda each: each.limit))

    def enter_window(self) -> None:
        """Begin early in a window that goes by the clock, so that all that is sent falls into it."""
        if self.limit.aligned:
            left_of_window = -time.time() % self.limit.window
            time.sleep(left_of_window)

    def statuses(self, tenant: Tenant, calls: int = 1) -> list[int]:
        body = {
            "model": self.target.models["chat"],
            "messages": [{"role": "user", "content": "hello"}],
            "max_tokens": 1,
        }
        headers = {**resolve_headers(self.target), **self.target.auth_headers(tenant.key)}
        return [
            httpx.post(self.target.url("chat"), headers=headers, json=body, trust_env=False).status_code
            for _ in range(calls)
        ]


@pytest.fixture(scope="module", params=dressed())
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    declared = TARGETS.get(request.param)
    launched = launch(declared)
    try:
        target = running(declared, launched)
        minter = minter_for(target, Client(target.root_url), admin_key_of(target))
        assert minter is not None
        yield Stack(target, minter)
        assert minter.names("gateproof-") == []
    finally:
        launched.stop()


@pytest.fixture
def made(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Tenant]:
    name = f"gateproof-{request.node.originalname.replace('_', '-')}"
    yield stack.minter.mint(Need(requests=stack.limit), f"{name}-1")
    assert stack.minter.sweep(name) == []


def test_a_made_key_has_its_limit_and_goes(stack: Stack, made: Tenant) -> None:
    limit = stack.limit.limit
    stack.enter_window()
    assert stack.statuses(made, limit + 1) == [200] * limit + [429]

    stack.minter.revoke(made)
    stack.minter.revoke(made)
    assert stack.statuses(made) == [401]
    assert made.name not in stack.minter.names("gateproof-")


def test_a_swept_key_is_dead(stack: Stack, made: Tenant) -> None:
    assert stack.minter.names(made.name) == [made.name]
    assert stack.minter.sweep(made.name) == []

    assert stack.statuses(made) == [401]


def test_a_second_key_works_beside_the_first(stack: Stack, made: Tenant) -> None:
    assert isinstance(stack.minter, SecondKeys)
    second = stack.minter.another_key(made, f"{made.name}-2")

    assert [*stack.statuses(made), *stack.statuses(second)] == [200, 200]


def test_a_rotated_key_replaces_the_first(stack: Stack, made: Tenant) -> None:
    assert isinstance(stack.minter, Rotates)
    rotated = stack.minter.rotate(made, f"{made.name}-2")

    assert [*stack.statuses(made), *stack.statuses(rotated)] == [401, 200]


def test_a_changed_key_has_its_new_limit(stack: Stack, made: Tenant) -> None:
    """What it had used stays used, or does not; a change shows either way."""
    assert isinstance(stack.minter, Changes)
    wider = dataclasses.replace(stack.limit, limit=4 * stack.limit.limit)
    changed = stack.minter.change(made, Need(requests=wider))

    assert changed.requests is not None
    assert changed.requests.limit > stack.limit.limit
    assert stack.statuses(changed, stack.limit.limit + 1) == [200] * (stack.limit.limit + 1)


def test_a_wrong_admin_key_is_told(stack: Stack) -> None:
    wrong = minter_for(stack.target, Client(stack.target.root_url), Secret("sk-wrong-0123456789"))
    assert wrong is not None
    with pytest.raises(MintFailed) as failure:
        wrong.names("gateproof-")

    assert failure.value.unauthorized


def test_windows_are_what_the_target_declares(stack: Stack, made: Tenant) -> None:
    assert made.requests is not None
    assert math.isclose(made.requests.window, stack.limit.window)
