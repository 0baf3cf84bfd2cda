"""The single values of a run are those that its report was made of."""

from __future__ import annotations

import numpy as np
import pytest

from gateproof.load.analysis import numbers
from gateproof.load.log import FOLDER, Rows, Writer, read_log
from gateproof.load.samples import BETWEEN, TOKENS, Sampled, Stretch
from gateproof.load.schedule import Phase
from gateproof.load.wire.outcome import Outcome

S = 1_000_000_000
PHASES = (Phase("warm-up", 10.0, 5.0, 5.0, counted=False), Phase("steady", 90.0, 5.0, 5.0))
STEADY = Stretch(((10.0, 100.0),))
METRICS = (*BETWEEN, *TOKENS, "tpot", "gap")
ENDS = {Outcome.SERVER_ERROR: 0.1, Outcome.ABANDONED: 0.05, Outcome.NOT_DISPATCHED: 0.05, Outcome.SKIPPED: 0.05}


def row(random: np.random.Generator, index: int, at: float, outcome: Outcome) -> dict[str, object]:
    due = int(at * S)
    plain: dict[str, object] = {
        "index": index,
        "worker": 0,
        "phase": int(at >= PHASES[0].duration),
        "part": index % 2,
        "scheduled": due,
        "outcome": outcome.value,
    }
    if outcome in (Outcome.NOT_DISPATCHED, Outcome.SKIPPED):
        return plain
    instants = ("dispatched", "connected", "sent", "first_byte", "first_event", "first_token", "read_first_token")
    steps = np.cumsum(random.integers(1, S // 100, len(instants) + 2))
    plain |= {name: due + int(step) for name, step in zip(instants, steps[:-2], strict=True)}
    plain |= {"last_token": due + int(steps[-2]), "ended": due + int(steps[-1])}
    if outcome is Outcome.OK:
        told = int(random.integers(1, 20))
        plain |= {"prompt_tokens": 64, "completion_tokens": told if index % 7 else None}
    return plain


@pytest.fixture(name="rows", scope="module")
def _rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder, random = tmp_path_factory.mktemp("run"), np.random.default_rng(3)
    writer, words = Writer(folder / FOLDER, 0), [Outcome.OK, *ENDS]
    shares = [1 - sum(ENDS.values()), *ENDS.values()]
    for index, at in enumerate(np.sort(random.uniform(0, 100, 600))):
        outcome = words[int(random.choice(len(words), p=shares))]
        gaps = random.integers(0, 50_000, int(random.integers(0, 9)))
        writer.add(row(random, index, float(at), outcome), gaps if outcome is Outcome.OK else gaps[:0])
    writer.flush()
    return read_log(folder)


@pytest.fixture(name="sampled")
def _sampled(rows: Rows) -> Sampled:
    return Sampled(rows, [1], STEADY, parts=2)


@pytest.mark.parametrize("metric", METRICS)
def test_samples_are_what_the_report_counts(rows: Rows, sampled: Sampled, metric: str) -> None:
    told, samples = numbers(rows, PHASES).metrics[metric], sampled.of(metric)
    assert (len(samples), samples.values.mean()) == (told.count, pytest.approx(told.mean))
    assert np.quantile(samples.values, 0.5, method="inverted_cdf") == told.quantiles["p50"]
    assert (np.diff(samples.at) >= 0).all()


def test_gaps_know_their_requests(sampled: Sampled) -> None:
    gaps = sampled.of("gap")
    assert gaps.lengths is not None
    assert gaps.lengths.sum() == len(gaps)


def test_errors_are_those_of_the_report(rows: Rows, sampled: Sampled) -> None:
    told, errors = numbers(rows, PHASES), sampled.errors()
    assert (int(errors.sum()), errors.mean()) == (told.errors, pytest.approx(told.error_share))
    assert sampled.due == told.due


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.SKIPPED])
def test_every_end_is_counted_once(rows: Rows, sampled: Sampled, outcome: Outcome) -> None:
    assert int(sampled.ended(outcome).sum()) == numbers(rows, PHASES).outcomes.get(outcome.value, 0)


@pytest.mark.parametrize("rate", ["requests", "output_tokens"])
def test_rates_are_those_of_the_report(rows: Rows, sampled: Sampled, rate: str) -> None:
    series = sampled.per_second(rate)
    assert len(series) == 90
    assert series.mean() == pytest.approx(numbers(rows, PHASES).rates[rate])


def test_a_good_answer_keeps_every_bound_and_a_lost_one_none(rows: Rows, sampled: Sampled) -> None:
    good = sampled.within({"ttft": 0.04, "latency": 0.05})
    ttft, latency = sampled.of("ttft").values, sampled.of("latency").values
    assert int(good.sum()) == int(((ttft <= 0.04) & (latency <= 0.05)).sum())
    assert len(good) == sampled.due - numbers(rows, PHASES).outcomes[Outcome.ABANDONED.value]


def test_a_stretch_holds_what_was_due_in_it(rows: Rows) -> None:
    samples = Sampled(rows, [1], Stretch(((20.0, 30.0), (50.0, 60.0))), parts=2).of("ttft")
    assert len(samples) > 0
    assert all(20 <= at < 30 or 50 <= at < 60 for at in samples.at)


def test_what_went_past_the_gateway_is_left_out(rows: Rows) -> None:
    both, through = (Sampled(rows, [1], STEADY, parts=parts).due for parts in (2, 1))
    assert 0 < through < both


def test_an_empty_stretch_has_no_values(rows: Rows) -> None:
    empty = Sampled(rows, [1], Stretch(((200.0, 300.0),)), parts=2)
    assert (empty.due, len(empty.of("gap")), len(empty.errors())) == (0, 0, 0)
