"""Scripts: made from a seed, written, read back, and shortened as far as their failure allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits.script import BadScript, Script, Step, make, parse, shorten
from tests.unit.limiters import patient

steps = st.lists(
    st.one_of(
        st.builds(Step, kind=st.sampled_from(["ask", "stream", "abort"]), tenant=st.sampled_from("abc")),
        st.builds(Step, kind=st.just("burst"), tenant=st.sampled_from("ab"), times=st.integers(1, 9)),
        st.builds(Step, kind=st.just("wait"), share=st.floats(0.0, 2.0)),
    ),
    min_size=1,
    max_size=20,
)
scripts = st.builds(Script, steps=steps.map(tuple), seed=st.integers(0, 99))


def made(seed: int = 43, rounds: int = 3) -> Script:
    return make(seed, windows="ab", slots="c", limit=5, rounds=rounds, steps=9, streams=True)


@patient
@given(scripts)
def test_what_is_printed_can_be_replayed(script: Script) -> None:
    """In both styles, the flow style on one line."""
    assert parse(script.yaml()) == script
    assert parse(str(script)) == script
    assert "\n" not in str(script)


def test_slots_are_told_when_they_are_used() -> None:
    assert parse(str(made())).slots == ("c",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no list of `steps`"),
        ("steps: []", "no list of `steps`"),
        ("steps: [{ask: a}", "no YAML"),
        ("steps: [{dance: a}]", "step 1: {'dance': 'a'} is none of ask, stream, abort, burst, wait"),
        ("steps: [{ask: a, stream: b}]", "is none of"),
        ("steps: [{ask: a}, {wait: -1}]", "step 2: wait: -1 is no share"),
        ("steps: [{ask: 7}]", "step 1: ask: 7 is no tenant"),
        ("steps: [{burst: a, times: 0}]", "step 1: times: 0"),
        ("{seed: x, steps: [{ask: a}]}", "seed: 'x'"),
        ("{slots: c, steps: [{ask: a}]}", "slots: 'c'"),
    ],
)
def test_what_is_no_script_says_why(text: str, why: str) -> None:
    with pytest.raises(BadScript) as found:
        parse(text)

    assert why in str(found.value)


@patient
@given(seed=st.integers(0, 10_000), rounds=st.integers(1, 4))
def test_a_made_script_asks_every_tenant_for_more_than_its_limit(seed: int, rounds: int) -> None:
    script = made(seed, rounds)
    bursts = [step for step in script.steps if step.kind == "burst" and step.times == 6]

    assert [step.tenant for step in bursts] == ["a", "b"] * rounds
    assert all(step.tenant != "c" for step in script.steps if step.kind == "burst")
    assert (script.waits == 0.0) is (rounds == 1)
    assert script == made(seed, rounds)


def test_a_target_without_streams_gets_none() -> None:
    script = make(1, windows="a", limit=3, rounds=1, steps=20, streams=False)

    assert {step.kind for step in script.steps} <= {"ask", "burst"}


def broken(script: Script) -> Script | None:
    """A gateway with a limit of 5 that takes an aborted stream of `a` off its window again."""
    due = counted = open_ = 0
    for number, step in enumerate(script.steps):
        if step.tenant != "a":
            continue
        admitted = min(step.requests, 5 - counted)
        if admitted != min(step.requests, 5 - due):
            return script.upto(number)
        due, counted = due + admitted, counted + admitted
        open_ += admitted if step.kind == "stream" else 0
        if step.kind == "abort" and open_:
            open_, counted = open_ - 1, counted - 1
    return None


@pytest.mark.parametrize("seed", range(8))
def test_a_failure_shrinks_to_the_shortest_script(seed: int) -> None:
    """A stream, its abort, and a burst that the limit does not allow any more."""
    failed = broken(Script((Step("stream", "a"), Step("ask", "a"), Step("abort", "a"), *made(seed).steps), seed))

    assert failed is not None
    shortest, seen = shorten(failed, broken, tries=200)
    assert [step.kind for step in shortest.steps] == ["stream", "abort", "burst"]
    assert shortest.requests == 6
    assert seen > 0


def test_shortening_stops_when_its_tries_are_used_up() -> None:
    plays: list[Script] = []

    def fails(script: Script) -> Script | None:
        plays.append(script)
        return None

    assert shorten(made(), fails, tries=5) == (made(), 0)
    assert len(plays) == 5
