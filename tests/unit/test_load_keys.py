"""Keys of a load run: declared ones as they are, one made for a tenant that has none, and all of them given back."""

from __future__ import annotations

from typing import Any

import pytest

from gateproof.errors import ConfigError, TargetUnreachable
from gateproof.load.keys import Keys, keys_for
from gateproof.load.profile import Profile
from gateproof.targets.model import Target
from tests.unit.load_rig import Answer, Heard, Told, serving

PHASES = [{"name": "a", "duration": 2.0}]


def profile(**more: Any) -> Profile:
    return Profile.model_validate(
        {"name": "p", "arrivals": {"kind": "constant", "rate": 1.0}, "phases": PHASES, **more}
    )


def proxy(heard: Heard) -> Answer:
    """As much of a LiteLLM as makes and deletes keys."""
    if heard.path == "/key/generate":
        return 200, {**heard.body, "key": f"sk-made-{heard.body['key_alias'].rpartition('-')[2]}"}
    return (200, {}) if heard.path == "/key/delete" else (404, {})


def litellm(told: Told, **more: Any) -> Target:
    return told.target(stack="litellm", mint={"key": "sk-admin"}, tenants={"main": {}, "other": {}}, **more)


def deleted(told: Told) -> list[str]:
    return [key for heard in told.heard if heard.path == "/key/delete" for key in heard.body["keys"]]


def test_a_key_is_made_for_whoever_asks_and_has_none() -> None:
    with serving(proxy) as told:
        keys = keys_for(litellm(told), profile())
        assert {name: key.reveal() for name, key in keys.held.items()} == {"main": "sk-made-main"}
        assert told.heard[0].headers["authorization"] == "Bearer sk-admin"
        assert {name: key.reveal() for name, key in keys.of_operator.items()} == {"main": "sk-admin"}
        assert keys.give_back() == ()
        assert deleted(told) == ["sk-made-main"]


def test_a_declared_key_is_taken_as_it_is() -> None:
    with serving(proxy) as told:
        keys = keys_for(told.target(key="sk-own"), profile())
        assert {name: key.reveal() for name, key in keys.held.items()} == {"main": "sk-own"}
        assert keys.of_operator == keys.held
        assert (keys.give_back(), told.heard) == ((), [])


def test_every_tenant_of_the_mix_gets_one() -> None:
    workload = {"mix": [{"tenant": "main"}, {"tenant": "other"}, {"tenant": "nobody"}]}
    with serving(proxy) as told:
        keys = keys_for(litellm(told), profile(workload=workload))
        assert keys.held.keys() == {"main", "other"}
        keys.give_back()
        assert sorted(deleted(told)) == ["sk-made-main", "sk-made-other"]


def test_what_was_made_before_a_failure_is_given_back() -> None:
    def half(heard: Heard) -> Answer:
        return (500, {}) if heard.body and "other" in str(heard.body.get("key_alias")) else proxy(heard)

    workload = {"mix": [{"tenant": "main"}, {"tenant": "other"}]}
    with serving(half) as told:
        with pytest.raises(TargetUnreachable, match="no key could be made for tenant `other`"):
            keys_for(litellm(told), profile(workload=workload))
        assert deleted(told) == ["sk-made-main"]


def test_a_key_that_cannot_be_given_back_is_named() -> None:
    with serving(lambda heard: (500, {}) if heard.path == "/key/delete" else proxy(heard)) as told:
        keys = keys_for(litellm(told), profile())
        [left] = keys.give_back()
        assert left.endswith("-main")


def test_a_run_that_outlives_a_made_key_is_refused() -> None:
    phases = [{"name": "soak", "duration": "4h"}]
    with (
        serving(proxy) as told,
        pytest.raises(ConfigError, match=r"t\.tenants\.main\.key: the run may take 14400 s, and a key .* 3600 s"),
    ):
        keys_for(litellm(told), profile(phases=phases))


def test_nobody_who_makes_keys_leaves_a_tenant_without() -> None:
    with serving(proxy) as told:
        assert keys_for(told.target(), profile()) == Keys()
