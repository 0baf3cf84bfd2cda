"""Refusals: each needs a limit that is used up, and costs nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits import History, Limit, Shot, refusals_cost_nothing, refused_only_when_used_up
from tests.unit.limiters import Aligned, Bucket, CountingRefusals, Extending, FromFirstHit, Hit, Sliding, patient, play

RIGHT = {"from first hit": FromFirstHit, "sliding": Sliding, "bucket": Bucket, "aligned": Aligned}
WRONG = {"extended": Extending, "counted": CountingRefusals}


def hammered(hit: Hit, limit: int, window: float, *, every: float = 0.1) -> History:
    """Drained, asked on and on until a window after the last admission, then for the whole limit and one more."""
    step = window / 1000
    drain = [1000.0 + number * step for number in range(limit + 2)]
    last = drain[limit - 1]
    hammer = [drain[-1] + number * every * window for number in range(1, int(0.9 / every))]
    again = [last + 1.2 * window + number * step for number in range(limit + 1)]
    return play(hit, [(at, step / 10, step / 10) for at in [*drain, *hammer, *again]])


@pytest.mark.parametrize("kind", ["from first hit", "sliding", "aligned"])
@patient
@given(limit=st.integers(1, 6), window=st.sampled_from([0.5, 2.0, 60.0]))
def test_a_right_limiter_comes_back_on_time(kind: str, limit: int, window: float) -> None:
    found = refusals_cost_nothing(Limit(limit, window), hammered(RIGHT[kind](limit, window), limit, window))

    assert found.holds is True


@pytest.mark.parametrize("kind", WRONG)
@patient
@given(limit=st.integers(2, 6), window=st.sampled_from([0.5, 2.0, 60.0]))
def test_refusals_that_extend_or_count_are_seen(kind: str, limit: int, window: float) -> None:
    found = refusals_cost_nothing(Limit(limit, window), hammered(WRONG[kind](limit, window), limit, window))

    assert found.holds is False
    assert found.seen.startswith("429 ")


def test_it_takes_hammering_to_tell() -> None:
    limit = Limit(2, 1.0)
    quiet = play(FromFirstHit(2, 1.0), [(0.0, 0, 0.001), (0.01, 0, 0.001), (0.02, 0, 0.001), (1.2, 0, 0.001)])

    assert refusals_cost_nothing(limit, quiet).holds is None
    assert refusals_cost_nothing(limit, History([])).holds is None


plans = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 200), st.integers(0, 200)), min_size=1, max_size=40)


@pytest.mark.parametrize("kind", RIGHT)
@patient
@given(limit=st.integers(1, 6), plan=plans)
def test_no_right_refusal_is_refuted(kind: str, limit: int, plan: list[tuple[int, int, int]]) -> None:
    """Whatever the algorithm and the overlap."""
    sends = [(at / 1000, there / 1000, back / 1000) for at, there, back in plan]

    assert refused_only_when_used_up(play(RIGHT[kind](limit, 1.0), sends), Limit(limit, 1.0)).holds is not False


def test_a_refusal_too_many_names_its_interval() -> None:
    history = History([Shot(0.0, 0.1, 0.1, 200), Shot(0.2, 0.3, 0.3, 429)])

    assert refused_only_when_used_up(history, Limit(2, 9.0)).seen == (
        "429 between +0.200 s and +0.300 s with 1 of 2 per 9.000 s at most"
    )
    assert refused_only_when_used_up(history, Limit(2, 9.0), Limit(1, 99.0)).holds is True
    assert refused_only_when_used_up(history, Limit(2, 9.0), slack=1).holds is True
    assert refused_only_when_used_up(History(history, fresh=False), Limit(2, 9.0)).holds is None
    assert refused_only_when_used_up(History([Shot(0.0, 0.1, 0.1, 502), *history]), Limit(2, 9.0)).holds is True
