"""The search for the knee, on simulated servers whose knee is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateproof.load.saturation import (
    Bools,
    Judgement,
    Knee,
    Objective,
    Play,
    Search,
    Trial,
    bounds_of,
    deviations,
    following,
    judge,
    knee,
    most,
    needed,
    objectives_of,
    worth_of,
)

SEARCH = Search(low=1, high=256, resolution=0.1, run=20)
P95 = Objective("latency", 0.95, 0.1)
OBJECTIVES = [P95]

SERVICE = 100.0  # requests/s that the simulated server does
KNEE = SERVICE - math.log(20) / 0.1
"""M/M/1: times in the system are exponential with rate mu - lambda: 95 % are within t when lambda is mu - ln 20 / t."""

Judge = Callable[[Play], Judgement]


def searched(judged: Judge, search: Search = SEARCH) -> tuple[Knee, list[Trial]]:
    trials: list[Trial] = []
    while (play := following(search, OBJECTIVES, trials)) is not None:
        trials.append(Trial(play, judged(play)))
        assert len(trials) <= most(search, OBJECTIVES).runs
    return knee(trials), trials


def below(limit: float) -> Judge:
    return lambda play: Judgement.MET if play.rate <= limit else Judgement.NOT_MET


def queue(rate: float, length: float, settle: float, generator: np.random.Generator) -> Bools:
    """Which requests of a single server queue (Lindley's recursion) that starts empty are within the objective."""
    due = np.cumsum(generator.exponential(1 / rate, int((length + settle) * rate)))
    work = generator.exponential(1 / SERVICE, len(due))
    free, ended = 0.0, np.empty(len(due))
    for number in range(len(due)):
        free = max(free, due[number]) + work[number]
        ended[number] = free
    assert P95.bound is not None
    return (ended - due <= P95.bound)[due >= settle]


# --- the search ---


@given(st.floats(1, 255), st.sampled_from([0.02, 0.1, 0.5]))
def test_the_interval_holds_the_knee_and_is_as_narrow_as_asked(limit: float, resolution: float) -> None:
    found, _ = searched(below(limit), SEARCH.model_copy(update={"resolution": resolution}))
    assert found.met is not None
    assert found.not_met is not None
    assert found.met.play.rate <= limit < found.not_met.play.rate <= found.met.play.rate * (1 + resolution) + 1e-9


def test_rates_double_and_then_halve_the_ratio() -> None:
    _, trials = searched(below(5))
    assert [round(trial.play.rate, 2) for trial in trials] == [1, 2, 4, 8, 5.66, 4.76, 5.19]


@pytest.mark.parametrize(("limit", "met", "not_met"), [(0.5, None, 1), (1000, 256, None)], ids=["below", "above"])
def test_a_knee_outside_the_range_is_open_on_one_side(limit: float, met: float | None, not_met: float | None) -> None:
    found, _ = searched(below(limit))
    assert (found.met and found.met.play.rate, found.not_met and found.not_met.play.rate) == (met, not_met)


@pytest.mark.parametrize("word", [Judgement.VOID, Judgement.UNDECIDED])
def test_a_run_that_says_nothing_is_repeated_once_and_longer(word: Judgement) -> None:
    found, trials = searched(lambda play: word if play.rate > 4 else Judgement.MET)
    again = [trial.play for trial in trials if trial.play.rate == 8]
    assert (len(again), again[1].length / again[0].length) == (2, 2)
    assert found.not_met is not None
    assert (found.not_met.judgement, found.ours) == (word, word is Judgement.VOID)


def test_a_repeated_run_that_is_decided_counts() -> None:
    seen: dict[float, int] = {}

    def second_time(play: Play) -> Judgement:
        seen[play.rate] = seen.get(play.rate, 0) + 1
        return below(5)(play) if seen[play.rate] == 2 else Judgement.UNDECIDED

    found, trials = searched(second_time)
    assert found.met is not None
    assert (round(found.met.play.rate, 2), len(trials)) == (4.76, 14)


@given(st.floats(0.5, 300), st.floats(0, 1))
def test_no_course_costs_more_than_was_said(limit: float, undecided: float) -> None:
    generator = np.random.default_rng(1)
    words = (Judgement.UNDECIDED, Judgement.VOID)
    _, trials = searched(lambda p: words[int(p.rate) % 2] if generator.random() < undecided else below(limit)(p))
    bound = most(SEARCH, OBJECTIVES)
    assert sum(trial.play.length + SEARCH.settle for trial in trials) <= bound.seconds + 1e-6
    assert sum(trial.play.rate * (trial.play.length + SEARCH.settle) for trial in trials) <= bound.requests + 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_the_knee_of_a_noisy_queue_is_found(seed: int) -> None:
    """Runs of 20 s from an empty queue: within a fifth of the knee that the theory gives, and met is really met."""
    generator = np.random.default_rng(seed)

    def played(play: Play) -> Judgement:
        return judge({P95: queue(play.rate, play.length, SEARCH.settle, generator)})[0]

    found, _ = searched(played)
    assert found.met is not None
    assert found.not_met is not None
    assert KNEE * 0.8 < found.met.play.rate < KNEE * 1.1
    assert KNEE * 0.85 < found.not_met.play.rate < KNEE * 1.2


# --- judging ---


def flags(good: int, bad: int, seed: int = 1) -> Bools:
    made = np.array([True] * good + [False] * bad)
    np.random.default_rng(seed).shuffle(made)
    return made


@pytest.mark.parametrize(
    ("good", "bad", "word"),
    [
        (1000, 0, Judgement.MET),
        (980, 20, Judgement.MET),
        (950, 50, Judgement.UNDECIDED),
        (900, 100, Judgement.NOT_MET),
        (20, 0, Judgement.UNDECIDED),
        (0, 0, Judgement.UNDECIDED),
    ],
)
def test_a_run_is_judged_by_bounds_not_by_its_point(good: int, bad: int, word: Judgement) -> None:
    found, told = judge({P95: flags(good, bad)})
    assert (found, told[0].endswith(f" of {good + bad}")) == (word, True)


def test_one_broken_objective_is_enough() -> None:
    answered = Objective("answered", 0.99)
    found, told = judge({answered: flags(1000, 0), P95: flags(800, 200)})
    assert (found, told[1]) == (Judgement.NOT_MET, "latency within 100 ms for 95 %: 80 % (76.7 to 83) of 1000")


def test_the_least_number_of_requests_lets_a_good_run_be_seen() -> None:
    number = needed(OBJECTIVES)
    assert judge({P95: flags(number, 0)})[0] is Judgement.MET
    assert judge({P95: flags(number // 2 - 1, 0)})[0] is Judgement.UNDECIDED
    play = following(SEARCH, OBJECTIVES, [])
    assert play is not None
    assert play.requests >= number


def test_bad_answers_in_a_row_are_worth_less() -> None:
    together = np.array([True] * 900 + [False] * 100)
    assert worth_of(together) < 50 < 400 < worth_of(flags(900, 100))


def covered(correlation: float, *, rounds: int = 400, number: int = 1000, share: float = 0.9) -> float:
    """How often the interval holds the true share, where each request is like the one before with ``correlation``."""
    generator, z, hits = np.random.default_rng(2), deviations(1), 0
    for _ in range(rounds):
        fresh = generator.random(number) < share
        renewed = generator.random(number) >= correlation
        renewed[0] = True
        latest = np.maximum.accumulate(np.where(renewed, np.arange(number), 0))
        bounds = bounds_of(fresh[latest], z)
        hits += bounds.low <= share <= bounds.high
    return hits / rounds


@pytest.mark.parametrize(("correlation", "least"), [(0.0, 0.93), (0.5, 0.92), (0.9, 0.88)])
def test_the_interval_of_a_share_holds_it(correlation: float, least: float) -> None:
    assert covered(correlation) >= least


# --- what is declared ---


def test_objectives_are_shares() -> None:
    found = objectives_of({"ttft": {"p95": 0.5, "p99.9": 2.0}}, Search(low=1, high=2, errors=0.01))
    assert [(each.metric, round(each.share, 6), each.bound) for each in found] == [
        ("answered", 0.99, None),
        ("ttft", 0.95, 0.5),
        ("ttft", 0.999, 2.0),
    ]


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({}, "a search needs an objective"),
        ({"ttfb": {"p95": 1.0}}, "`ttfb` has no value per request"),
        ({"ttft": {"mean": 1.0}}, "`mean` is no quantile"),
        ({"ttft": {"p0": 1.0}}, "`p0` is no quantile"),
        ({"ttft": {"p95": 3.0}}, "runs of 20 s are too short to tell whether 3 s are kept"),
    ],
)
def test_a_mistake_in_the_objectives_is_told(declared: dict[str, dict[str, float]], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        objectives_of(declared, SEARCH)


@pytest.mark.parametrize(
    "wrong", [{"low": 0, "high": 1}, {"low": 2, "high": 2}, {"low": 1, "high": 2, "resolution": 0}]
)
def test_a_range_must_be_one(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Search.model_validate(wrong)
