"""The checkers of request limits: no right limiter is refuted, each wrong one is when the schedule reaches it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits import (
    History,
    Limit,
    Shot,
    Undecided,
    admits_at_least,
    admits_at_most,
    admits_exactly,
    window_resets,
)
from tests.unit.limiters import Aligned, Bucket, FromFirstHit, Hit, Sliding, one_by_one, patient, play

Make = Callable[[int, float], Hit]
BOUNDARY = 1000.25  # an instant of the history's clock at which aligned windows begin


def aligned(limit: int, window: float) -> Hit:
    return Aligned(limit, window, phase=BOUNDARY)


KINDS: dict[str, tuple[Make, Limit]] = {
    "from first hit": (FromFirstHit, Limit(1, 1.0, "fixed", False)),
    "sliding": (Sliding, Limit(1, 1.0, "sliding")),
    "bucket": (Bucket, Limit(1, 1.0, "bucket")),
}
ALL_KINDS = {**KINDS, "aligned": (aligned, Limit(1, 1.0, "fixed", True))}

limits = st.integers(1, 6)
windows = st.sampled_from([0.5, 1.0, 2.0, 60.0])
# in thousandths of a window: gaps between requests, and latencies up to a third of it
shots = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 7, 60, 200, 450, 900, 1000, 1100]), st.integers(0, 300), st.integers(0, 300)
    ),
    min_size=1,
    max_size=40,
)


def sends(plan: list[tuple[int, int, int]], window: float, start: float = 1000.0) -> list[tuple[float, float, float]]:
    now, out = start, []
    for gap, there, back in plan:
        now += gap * window / 1000
        out.append((now, there * window / 1000, back * window / 1000))
    return out


def burst(size: int, window: float, start: float = 1000.3) -> list[tuple[float, float, float]]:
    """All within a hundredth of a window, in which no bucket of six refills by one."""
    return [(start + number * window / 10_000, 0.0, window / 1000) for number in range(size)]


def terms(kind: str, limit: int, window: float) -> Limit:
    like = ALL_KINDS[kind][1]
    return Limit(limit, window, like.algorithm, like.aligned)


@pytest.mark.parametrize("kind", ALL_KINDS)
@patient
@given(limit=limits, window=windows, plan=shots)
def test_no_right_limiter_admits_too_many(
    kind: str, limit: int, window: float, plan: list[tuple[int, int, int]]
) -> None:
    """Declared as what it is or as unknown, on whatever schedule, it is never refuted."""
    history = play(ALL_KINDS[kind][0](limit, window), sends(plan, window))

    assert admits_at_most(terms(kind, limit, window), history).holds is not False
    assert admits_at_most(Limit(limit, window), history).holds is not False


@patient
@given(limit=limits, window=windows, plan=shots)
def test_a_known_boundary_refutes_no_right_limiter(limit: int, window: float, plan: list[tuple[int, int, int]]) -> None:
    """Nor is it left undecided: all windows are known."""
    history = play(aligned(limit, window), sends(plan, window))

    assert admits_at_most(Limit(limit, window, "fixed", True), history, boundary=BOUNDARY).holds is True


@pytest.mark.parametrize("kind", KINDS)
@patient
@given(limit=limits, window=windows, extra=st.integers(1, 20))
def test_one_too_many_in_a_burst_is_seen(kind: str, limit: int, window: float, extra: int) -> None:
    """A limiter that is wrong by one is refuted by the first burst that reaches it."""
    history = play(KINDS[kind][0](limit + 1, window), burst(limit + extra, window))

    assert admits_at_most(terms(kind, limit, window), history).holds is False


@patient
@given(limit=limits, extra=st.integers(1, 20))
def test_one_too_many_is_seen_when_the_boundary_is_known(limit: int, extra: int) -> None:
    history = play(aligned(limit + 1, 1.0), burst(limit + extra, 1.0, start=BOUNDARY + 0.3))

    assert admits_at_most(Limit(limit, 1.0, "fixed", True), history, boundary=BOUNDARY).holds is False


@pytest.mark.parametrize("like", [Limit(5, 1.0, "fixed", True), Limit(5, 1.0, "fixed"), Limit(5, 1.0)], ids=str)
def test_an_unknown_boundary_excuses_up_to_twice_the_limit(like: Limit) -> None:
    """5 are fine, 6 to 10 undecided, 11 red."""
    found = {n: admits_at_most(like, play(FromFirstHit(n, 1.0), burst(n, 1.0))).holds for n in (5, 6, 10, 11)}

    assert found == {5: True, 6: None, 10: None, 11: False}


@pytest.mark.parametrize("kind", ["from first hit", "sliding"])
@patient
@given(limit=limits, window=windows)
def test_a_window_that_ends_early_is_seen(kind: str, limit: int, window: float) -> None:
    """A fifth too short: what is admitted at 0.85 windows gives it away."""
    hit = KINDS[kind][0](limit, 0.8 * window)
    history = play(hit, burst(limit, window) + burst(limit, window, start=1000.3 + 0.85 * window))

    assert admits_at_most(terms(kind, limit, window), history).holds is False


def test_later_windows_from_the_first_hit_are_judged_too() -> None:
    """The fault shows only in the second window, which begins with a hit that nobody planned."""
    right = play(FromFirstHit(3, 1.0), burst(4, 1.0))
    late = [Shot(1001.9 + n / 1000, 1001.9 + n / 1000, None, 200) for n in range(4)]

    assert admits_at_most(Limit(3, 1.0, "fixed", False), History([*right, *late])).holds is False


def test_a_used_window_leaves_the_first_burst_undecided() -> None:
    history = play(FromFirstHit(4, 1.0), burst(4, 1.0), fresh=False)

    assert admits_at_most(Limit(3, 1.0, "fixed", False), history).holds is None


def test_silence_of_a_window_makes_a_used_one_fresh() -> None:
    hit = FromFirstHit(4, 1.0)
    history = play(hit, [(1000.0, 0.0, 0.001), *burst(4, 1.0, start=1001.2)], fresh=False)

    assert admits_at_most(Limit(3, 1.0, "fixed", False), history).holds is False


def test_latency_excuses_what_may_have_been_apart() -> None:
    """Answers that took longer than the window prove nothing."""
    slow = History(Shot(0.0, 5.0, 5.0, 200) for _ in range(4))

    assert admits_at_most(Limit(3, 1.0, "sliding"), slow).holds is True


@pytest.mark.parametrize("kind", KINDS)
@patient
@given(limit=limits, window=windows)
def test_exactly_the_limit_one_after_another(kind: str, limit: int, window: float) -> None:
    """The right limiter passes, one off in either direction is red."""
    promised, step = terms(kind, limit, window), window / 1000
    found = {
        off: admits_exactly(
            promised, one_by_one(KINDS[kind][0](limit + off, window), limit + 3, latency=[step] * (limit + 3))
        ).holds
        for off in (-1, 0, 1)
        if limit + off > 0
    }

    assert found == {off: off == 0 for off in found}


@pytest.mark.parametrize("kind", ALL_KINDS)
@patient
@given(limit=limits, start=st.floats(0, 2), latency=st.lists(st.floats(0.0001, 0.6), min_size=9, max_size=9))
def test_exactly_refutes_no_right_limiter(kind: str, limit: int, start: float, latency: list[float]) -> None:
    history = one_by_one(ALL_KINDS[kind][0](limit, 1.0), limit + 3, start=start, latency=latency)

    assert admits_exactly(terms(kind, limit, 1.0), history).holds is not False
    assert admits_exactly(Limit(limit, 1.0), history).holds is not False


@pytest.mark.parametrize(
    ("history", "why"),
    [
        (History([]), "nothing was sent"),
        (one_by_one(FromFirstHit(3, 1.0), 2), "none refused"),
        (one_by_one(FromFirstHit(3, 1.0), 4, latency=[0.1, 0.1, 0.7, 0.09]), "too long for one window"),
        (one_by_one(FromFirstHit(3, 9.0), 4, latency=[0.1, 0.1, 0.7, 0.2]), "too long for one window"),
        (History([Shot(0.0, 0.1, 0.1, 200), Shot(0.05, 0.2, 0.2, 200)]), "overlapped"),
        (History([Shot(0.0, 0.1, 0.1, 200), Shot(0.2, 0.3, 0.3, 502)]), "502 at +0.200 s"),
        (History([Shot(0.0)]), "no answer"),
        (History([Shot(0.0, 0.1, 0.1, 429)], fresh=False), "used before"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_exactly_is_undecided_when_the_series_is_no_proof(history: History, why: str) -> None:
    found = admits_exactly(Limit(3, 1.0, "fixed", False), history)

    assert found.holds is None
    assert why in found.seen


@patient
@given(limit=limits, window=windows, kind=st.sampled_from(sorted(ALL_KINDS)))
def test_a_burst_gets_at_least_the_limit(limit: int, window: float, kind: str) -> None:
    make = ALL_KINDS[kind][0]

    assert admits_at_least(Limit(limit, window), play(make(limit, window), burst(3 * limit, window))).holds is True


def test_too_few_admitted_is_seen_beyond_the_slack() -> None:
    history = play(FromFirstHit(3, 1.0), burst(15, 1.0))

    assert {n: admits_at_least(Limit(n, 1.0), history).holds for n in (5, 4)} == {5: False, 4: True}
    assert admits_at_least(Limit(4, 1.0), history, slack=0).holds is False


def test_too_few_is_undecided_when_others_took_the_place() -> None:
    broken = [Shot(0.0, 0.1, 0.1, 503)] * 3

    assert admits_at_least(Limit(3, 1.0), History([Shot(0.0, 0.1, 0.1, 200), *broken])).holds is None
    assert admits_at_least(Limit(5, 1.0), History([Shot(0.0, 0.1, 0.1, 200)])).holds is None


@pytest.mark.parametrize("kind", ALL_KINDS)
@patient
@given(limit=limits, window=windows)
def test_a_window_that_resets_is_full_again(kind: str, limit: int, window: float) -> None:
    hit = ALL_KINDS[kind][0](limit, window)
    cycles = [play(hit, burst(3 * limit, window, start=1000.3 + n * 1.1 * window)) for n in range(3)]

    assert window_resets(terms(kind, limit, window), *cycles).holds is True


def test_a_window_that_resets_late_or_in_part_is_seen() -> None:
    late, part = FromFirstHit(4, 1.5), FromFirstHit(4, 1.0)
    first, second = (play(late, burst(9, 1.0, start=start)) for start in (0.0, 1.2))
    assert window_resets(Limit(4, 1.0), first, second).holds is False

    first = play(part, burst(9, 1.0, start=0.0))
    part.limit = 3
    found = window_resets(Limit(4, 1.0), first, play(part, burst(9, 1.0, start=1.2)))

    assert found.holds is False
    assert found.seen == "3 admitted 1.199 s after the last admission before"


def test_a_reset_needs_a_drained_window_and_a_wait() -> None:
    hit = FromFirstHit(4, 1.0)
    drained, early = play(hit, burst(9, 1.0, start=0.0)), play(hit, burst(9, 1.0, start=0.9))

    assert window_resets(Limit(4, 1.0), drained).holds is None
    assert window_resets(Limit(4, 1.0), drained, early).holds is None
    assert window_resets(Limit(4, 1.0), play(FromFirstHit(4, 1.0), burst(3, 1.0)), drained).holds is None


def test_a_finding_explains_itself() -> None:
    """The refuting interval, in seconds since the first request."""
    found = admits_at_most(Limit(5, 2.0, "sliding"), play(Sliding(7, 2.0), burst(15, 2.0)))

    assert repr(found) == "expected at most 5 admitted in any 2.000 s; seen 7 admitted between +0.000 s and +0.003 s"
    assert not found


def test_an_undecided_finding_cannot_be_asserted() -> None:
    with pytest.raises(Undecided, match="nothing was sent"):
        assert admits_exactly(Limit(3, 1.0), History([]))


@patient
@given(limit=limits, pause=st.floats(0.1, 5000.0))
def test_a_lifetime_is_judged_over_all_that_was_ever_asked(limit: int, pause: float) -> None:
    """However long the pause: what comes back after it is one too many."""
    sends = burst(limit + 1, 1.0) + burst(1, 1.0, start=1000.4 + pause)
    right, wrong = play(FromFirstHit(limit, math.inf), sends), play(FromFirstHit(limit, pause), sends)
    ever = Limit(limit, math.inf)

    assert (admits_at_most(ever, right).holds, admits_at_most(ever, wrong).holds) == (True, False)
    assert admits_exactly(ever, one_by_one(FromFirstHit(limit, math.inf), limit + 2)).holds is True


def test_a_lifetime_has_no_end_to_be_fuzzy_about() -> None:
    ever = Limit(5, math.inf)

    assert (str(ever), ever.grain, ever.starts_at_first_hit) == ("5 in its lifetime", 0.0, True)
    assert window_resets(ever, History([]), History([])).holds is None
