"""Arrivals are the process that they say they are, whatever the rate does and however many workers share them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateproof.load.arrivals import Floats, Process, Rate, arrivals
from gateproof.load.schedule import Phase, closed_loop, open_loop

SEED = 20_261_121
RATE, LONG = 100.0, 1000.0  # arrivals/s, s: 100,000 arrivals

# Bounds for the statistics of 100,000 arrivals, five standard errors wide; the seed is fixed, so a test that passes
# once passes always, and the width says how far a wrong process would have to be off to be seen.
GAPS = int(RATE * LONG)
SE_VARIATION = 1 / np.sqrt(GAPS)  # of the coefficient of variation of exponential gaps, to first order


def dispersion(times: Floats, span: float, duration: float) -> float:
    """Variance over mean of the counts in spans of equal length: 1 for a Poisson process at every span."""
    counts = np.histogram(times, bins=int(duration / span), range=(0.0, duration))[0]
    return float(counts.var(ddof=1) / counts.mean())


@pytest.mark.parametrize(
    ("process", "variation"),
    [
        (Process("constant"), 0.0),
        (Process("poisson"), 1.0),
        (Process("gamma", 0.25), 2.0),
        (Process("gamma", 1.0), 1.0),
        (Process("gamma", 4.0), 0.5),
    ],
    ids=["constant", "poisson", "bursty", "gamma like poisson", "smooth"],
)
def test_gaps_vary_as_the_process_says(process: Process, variation: float) -> None:
    gaps = np.diff(arrivals(process, Rate.steady(RATE, LONG), SEED))
    assert process.variation == pytest.approx(variation)
    # heavy-tailed gaps settle slower: their standard error grows with the variation itself
    assert gaps.std() / gaps.mean() == pytest.approx(variation, abs=5 * SE_VARIATION * max(variation**2, 1) + 1e-9)
    assert gaps.mean() == pytest.approx(1 / RATE, rel=5 * max(variation, 0.01) / np.sqrt(GAPS))


@pytest.mark.parametrize("span", [1.0, 10.0])
def test_poisson_arrivals_are_as_dispersed_over_short_and_long_spans(span: float) -> None:
    times = arrivals(Process("poisson"), Rate.steady(RATE, LONG), SEED)
    spans = LONG / span
    assert dispersion(times, span, LONG) == pytest.approx(1.0, abs=5 * np.sqrt(2 / spans))


def test_poisson_arrivals_prefer_no_part_of_a_second() -> None:
    """inference-perf puts one arrival on each whole second; here every twentieth of one gets its share."""
    times = arrivals(Process("poisson"), Rate.steady(RATE, LONG), SEED)
    counts = np.histogram(times % 1.0, bins=20, range=(0.0, 1.0))[0]
    chi_square = float(((counts - counts.mean()) ** 2 / counts.mean()).sum())
    assert chi_square < 19 + 5 * np.sqrt(2 * 19)


def test_a_constant_process_is_even_through_every_join() -> None:
    rate = Rate.joined(Rate.steady(10.0, 5.0), Rate.steady(10.0, 5.0))
    times = arrivals(Process("constant"), rate, SEED)
    assert len(times) == 100
    assert np.diff(times) == pytest.approx(np.full(99, 0.1))


def test_a_ramp_offers_the_area_under_it() -> None:
    """From 0 to 100/s in 100 s: the n-th of evenly loaded arrivals comes at the square root of its share."""
    ramp = Rate(np.array([0.0, 100.0]), np.array([0.0, 100.0]))
    times = arrivals(Process("constant"), ramp, SEED)
    assert len(times) == 5000
    assert times == pytest.approx(100.0 * np.sqrt((np.arange(5000) + 0.5) / 5000))


def test_a_pause_has_no_arrivals() -> None:
    rate = Rate.joined(Rate.steady(50.0, 2.0), Rate.steady(0.0, 3.0), Rate.steady(50.0, 2.0))
    times = arrivals(Process("poisson"), rate, SEED)
    assert times[(times > 2.0) & (times < 5.0)].size == 0
    assert times[times > 5.0].size > 50


LENGTHS = st.just(0.0) | st.floats(0.01, 20.0)  # s; steps, and pieces that last
RATES = st.just(0.0) | st.floats(0.01, 50.0)  # arrivals/s


@settings(deadline=None, max_examples=200)
@given(
    knots=st.lists(st.tuples(LENGTHS, RATES), min_size=2, max_size=6),
    kind=st.sampled_from(["constant", "poisson", "gamma"]),
    seed=st.integers(0, 2**32),
)
def test_every_arrival_lies_where_the_load_reaches_it(knots: list[tuple[float, float]], kind: str, seed: int) -> None:
    """The load offered up to the n-th arrival is the n-th position of the process, within rounding."""
    times = np.cumsum([length for length, _ in knots])
    rate = Rate(times - times[0], np.array([high for _, high in knots]))
    process = Process(kind)  # type: ignore[arg-type]
    positions = process.positions(rate.units, np.random.Generator(np.random.Philox(key=seed)))
    instants = rate.instants(positions)
    assert np.all(np.diff(instants) >= -1e-9)
    assert np.all((instants >= 0) & (instants <= rate.duration + 1e-6))
    assert offered(rate, instants) == pytest.approx(positions, rel=1e-6, abs=1e-6)


def offered(rate: Rate, instants: Floats) -> Floats:
    """Area under the rate up to each instant."""
    total = np.zeros(len(instants))
    for piece, (start, end) in enumerate(zip(rate.times[:-1], rate.times[1:], strict=True)):
        if end <= start:
            continue
        low, high = rate.rates[piece], rate.rates[piece + 1]
        inside = np.clip(instants, start, end) - start
        total += inside * low + (high - low) / (end - start) * inside**2 / 2
    return total


PHASES = (
    Phase("warm-up", 10.0, 5.0, 5.0, counted=False),
    Phase("ramp", 20.0, 5.0, 50.0),
    Phase("steady", 30.0, 50.0, 50.0),
)


@pytest.mark.parametrize("workers", [1, 2, 4, 8])
def test_any_number_of_workers_sends_every_request_once(workers: int) -> None:
    schedule = open_loop(Process("poisson"), PHASES, SEED)
    shards = [schedule.shard(worker, workers) for worker in range(workers)]
    assert sorted(np.concatenate(shards).tolist()) == list(range(len(schedule)))


def test_the_same_seed_gives_the_same_schedule_and_another_seed_another() -> None:
    first, again = (open_loop(Process("gamma", 0.5), PHASES, SEED) for _ in range(2))
    assert first.digest == again.digest
    assert first.digest != open_loop(Process("gamma", 0.5), PHASES, SEED + 1).digest


def test_a_request_belongs_to_the_phase_in_which_it_is_due() -> None:
    schedule = open_loop(Process("constant"), PHASES, SEED)
    bounds = {number: schedule.times[schedule.phase == number] for number in range(3)}
    assert [len(bounds[number]) for number in range(3)] == [50, 550, 1500]
    assert (bounds[0].max() < 10.0, bounds[1].min() >= 10.0, bounds[2].min() >= 30.0) == (True, True, True)


def test_a_closed_loop_has_requests_without_a_time() -> None:
    schedule = closed_loop(100, Phase("steady", 60.0, 0.0, 0.0), SEED)
    assert (len(schedule), float(schedule.times.max())) == (100, 0.0)
