"""Gateway against backend: blocks in turns, pairs that belong together, and differences that are there or are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.load.arrivals import Process
from gateproof.load.blocks import whole_pairs
from gateproof.load.interleave import Interleaved, interleaved
from gateproof.load.overhead import FEWEST_BLOCKS, Floats, Stage, Taken, overhead, stage, student
from gateproof.load.profile import Workload
from gateproof.load.schedule import Phase
from gateproof.load.workload import draw

BLOCK = 5.0
PHASES = (Phase("warm-up", 10, 4, 4, counted=False), Phase("steady", 120, 4, 4))
POISSON = Process("poisson")


def plan(seed: int = 1) -> Interleaved:
    return interleaved(POISSON, PHASES, BLOCK, seed)


# --- in turns ---


def test_blocks_are_abba() -> None:
    made = plan()
    ways = [set(made.direct[made.schedule.times // BLOCK == number].tolist()) for number in range(8)]
    assert ways == [{False}, {True}, {True}, {False}] * 2


@given(st.integers(0, 1000), st.sampled_from(["constant", "poisson", "gamma"]))
def test_every_pair_is_there_once_each_way_at_the_same_place_of_its_block(seed: int, kind: str) -> None:
    made = interleaved(Process(kind, 0.5), PHASES, BLOCK, seed)  # type: ignore[arg-type]  # a sampled literal
    gateway, direct = made.mates
    times = made.schedule.times
    assert sorted([*gateway, *direct]) == list(range(len(times)))
    assert (np.diff(times) >= 0).all()
    assert (made.pair[gateway] == made.pair[direct]).all()
    assert not made.direct[gateway].any()
    assert made.direct[direct].all()
    assert np.abs(times[gateway] - times[direct]) == pytest.approx(np.full(made.pairs, BLOCK))
    assert (made.schedule.phase[gateway] == made.schedule.phase[direct]).all()


def test_the_rate_is_that_of_the_profile() -> None:
    lengths = [len(plan(seed).schedule) for seed in range(50)]
    # pairs are Poisson, so the count has twice its mean as variance: five standard errors
    assert np.mean(lengths) == pytest.approx(130 * 4, abs=5 * np.sqrt(2 * 130 * 4 / 50))


def test_a_ramp_goes_on_through_the_blocks() -> None:
    made = interleaved(Process("constant"), [Phase("ramp", 100, 0, 10)], BLOCK, 1)
    assert np.histogram(made.schedule.times, [0, 50, 100])[0] == pytest.approx([125, 375], abs=30)


def test_both_of_a_pair_ask_for_as_much() -> None:
    made = plan()
    lognormal = {"kind": "lognormal", "mean": 100, "deviation": 50}
    workload = Workload.model_validate({"mix": [{}, {"share": 2.0}], "output_tokens": lognormal})
    asked = made.spread(draw(workload, made.pairs, 1), 2)
    gateway, direct = made.mates
    assert (asked.output_tokens[gateway] == asked.output_tokens[direct]).all()
    assert (asked.part[gateway] + 2 == asked.part[direct]).all()
    assert set(asked.part) == {0, 1, 2, 3}


@pytest.mark.parametrize(("phase", "fit"), [(10, True), (120, True), (15, False), (5, False), (0.1 * 3, False)])
def test_a_phase_is_whole_pairs_of_blocks(phase: float, fit: bool) -> None:
    assert whole_pairs(phase, BLOCK) is fit


def test_a_phase_that_is_not_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="odd: not a whole number of pairs of blocks of 5 s"):
        interleaved(POISSON, [Phase("odd", 15, 1, 1)], BLOCK, 1)


# --- differences ---


def sides(generator: np.random.Generator, shift: float, *, blocks: int = 24, each: int = 20) -> tuple[Floats, ...]:
    """Lognormal latencies around 100 ms; every block of either side has a moment of its own, common to its requests."""
    number = np.repeat(np.arange(blocks), each)

    def side() -> Floats:
        moments = generator.normal(0, 0.005, blocks)
        return 0.1 * generator.lognormal(0, 0.2, len(number)) + moments[number]

    return side() + shift, side(), number


def measured(seed: int, shift: float, **more: int) -> Stage:
    gateway, direct, block = sides(np.random.default_rng(seed), shift, **more)
    return stage("sent", gateway, direct, block)


def test_a_known_shift_is_found() -> None:
    found = measured(1, 0.020)
    for estimate in (found.median, found.mean, found.tail):
        assert estimate is not None
        assert estimate.found
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < 0.020 < estimate.high
    assert found.gateway is not None
    assert found.direct is not None
    assert found.gateway - found.direct == pytest.approx(0.020, abs=0.006)


def covered(blocks: int, shift: float, rounds: int = 100) -> dict[str, float]:
    """How often each interval holds the true difference."""
    found = [measured(seed, shift, blocks=blocks, each=25) for seed in range(rounds)]
    hits = {}
    for name in ("median", "mean", "tail"):
        ends = [(getattr(each, name).low, getattr(each, name).high) for each in found]
        hits[name] = sum(low <= shift <= high for low, high in ends) / rounds
    return hits


@pytest.mark.parametrize("blocks", [8, 24])
def test_the_intervals_hold_the_truth_and_no_shift_is_seldom_found(blocks: int) -> None:
    """Nominal 95 %; four standard errors of 100 rounds are 9 %."""
    hits = covered(blocks, 0.0)
    assert {name: share for name, share in hits.items() if share < 0.86} == {}


def test_requests_of_a_block_are_no_independent_samples() -> None:
    """The same values, each request called a block of its own: an interval that believes that is far too narrow."""
    gateway, direct, block = sides(np.random.default_rng(3), 0.0)
    honest = stage("sent", gateway, direct, block).mean
    naive = stage("sent", gateway, direct, np.arange(len(block))).mean
    assert honest is not None
    assert naive is not None
    assert (honest.high or 0) - (honest.low or 0) > 1.3 * ((naive.high or 0) - (naive.low or 0))


def test_the_same_log_gives_the_same_interval() -> None:
    assert measured(1, 0.01) == measured(1, 0.01)


def test_too_few_blocks_have_a_value_and_no_interval() -> None:
    found = measured(1, 0.02, blocks=FEWEST_BLOCKS - 1)
    assert found.mean is not None
    assert (found.mean.low, found.mean.high, found.mean.found) == (None, None, False)
    assert found.mean.value == pytest.approx(0.02, abs=0.01)


def test_a_tail_needs_pairs_beyond_it() -> None:
    assert measured(1, 0.02, blocks=8, each=20).tail is None


def test_nothing_measured_is_no_difference() -> None:
    none = np.full(10, np.nan)
    assert stage("sent", none, none, np.arange(10)) == Stage("sent", 0, 0)


# --- a run ---


def test_pairs_with_a_side_that_failed_are_left_out_and_counted() -> None:
    made = plan()
    number = len(made.schedule)
    gateway, direct = made.mates
    counted = made.schedule.phase == 1
    good = np.full(number, True)
    pairs = np.flatnonzero(counted[gateway])
    good[gateway[pairs[:3]]] = False
    good[direct[pairs[2:4]]] = False
    found = overhead(made, counted, good, {"ttft": Taken("sent", np.where(made.direct, 0.1, 0.13))})
    ttft = found.stages["ttft"]
    assert (found.pairs, found.lost) == (len(pairs), {"gateway": 3, "direct": 2})
    assert (ttft.pairs, ttft.blocks) == (len(pairs) - 4, 12)
    assert ttft.median is not None
    assert (ttft.median.value, ttft.median.low) == (pytest.approx(0.03), pytest.approx(0.03))


@pytest.mark.parametrize(("freedom", "quantile"), [(7, 2.36462), (11, 2.20099), (23, 2.06866), (100, 1.98397)])
def test_students_quantiles_are_those_of_the_tables(freedom: int, quantile: float) -> None:
    assert student(0.975, freedom) == pytest.approx(quantile, rel=1e-3)
