"""What is said while windows are waited out."""

from __future__ import annotations

import pytest

from gateproof.errors import ConfigError
from gateproof.verdict.plugin.options import max_wait
from gateproof.verdict.plugin.waiting import QUIET, Patience
from gateproof.verdict.run import Plan


@pytest.fixture
def patience() -> Patience:
    plan = Plan(awaited={"toy": {"a": "RATE-007", "b": "RATE-010", "c": "AUTH-001"}}, waits={"a": 60.0, "b": 62.0})
    return Patience(plan, workers=2)


def test_nothing_is_said_while_results_come_in(patience: Patience) -> None:
    patience.start("a", now=100.0)
    patience.end("c", now=110.0)
    assert patience.line(now=110.0 + QUIET - 1) is None


def test_a_quiet_wait_is_named_with_what_is_left_of_it(patience: Patience) -> None:
    patience.start("a", now=100.0)
    patience.start("b", now=100.0)
    assert patience.line(now=120.0) == "waiting for windows: RATE-007, RATE-010; about 42 s to go"


def test_waits_that_have_not_begun_are_shared_by_the_workers(patience: Patience) -> None:
    patience.start("a", now=100.0)
    assert patience.line(now=120.0) == "waiting for windows: RATE-007; about 71 s to go"


def test_what_is_waited_out_together_is_waited_for_once(patience: Patience) -> None:
    patience.plan.together = {"a": "watches", "b": "watches"}
    assert patience.plan.waits_of(["a", "b"]) == [62.0]
    patience.start("a", now=100.0)
    assert patience.line(now=120.0) == "waiting for windows: RATE-007; about 40 s to go"


def test_it_is_said_once_per_quiet_while(patience: Patience) -> None:
    patience.start("a", now=100.0)
    assert patience.line(now=120.0) is not None
    assert patience.line(now=121.0) is None


def test_a_test_that_waits_for_nothing_is_not_a_wait(patience: Patience) -> None:
    patience.start("c", now=100.0)
    assert patience.line(now=200.0) is None


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), ("90s", 90.0), ("10m", 600.0), ("0.5", 0.5)])
def test_a_wait_may_be_a_number_or_a_duration(text: str, seconds: float) -> None:
    assert max_wait(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "0", "-1", "1 m"])
def test_no_duration_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="not a duration") as error:
        max_wait(text)
    assert error.value.key == "--max-wait"
