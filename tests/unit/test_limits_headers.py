"""Limit headers: three notations read strictly, and series of them held against what happened."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits import (
    Finding,
    History,
    Limit,
    Notation,
    Shot,
    advertised_is_enforced,
    headers_well_formed,
    remaining_falls,
    reset_counts_down,
    zero_means_refused,
)
from gateproof.limits.headers import BadHeader, Policy, parse_duration, parse_reset, read_ietf, read_openai, read_rl03
from tests.unit.limiters import FromFirstHit, brief, patient

RL03 = Notation("rl03")
SKEW = 187.0  # s by which the limiter's clock is ahead of everybody else's


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1m30s", 90.0), ("12ms", 0.012), ("6.5s", 6.5), ("1h0m0s", 3600.0), ("0s", 0.0), ("7m12s", 432.0), (".5s", 0.5)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "12", "1m 30s", "-1s", "1 s", "1d", "s", "1m30", "١s"])
def test_other_texts_are_no_duration(text: str) -> None:
    with pytest.raises(BadHeader, match="no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "form", "value", "resolution"),
    [
        ("59", "seconds", 59.0, 1.0),
        ("0.25", "seconds", 0.25, 0.01),
        ("1795201975", "epoch", 1795201975.0, 1.0),
        ("1795201975123", "epoch-ms", 1795201975.123, 0.001),
        ("1m30s", "duration", 90.0, 1.0),
        ("250ms", "duration", 0.25, 0.001),
    ],
)
def test_a_reset_tells_its_form(text: str, form: str, value: float, resolution: float) -> None:
    reset = parse_reset(text)

    assert reset.form == form
    assert (reset.value, reset.resolution) == pytest.approx((value, resolution))


def test_draft_03_with_its_policies() -> None:
    reading = read_rl03(
        {
            "x-ratelimit-limit": '10, 10;w=60;name="a, b", 100;w=86400',
            "x-ratelimit-remaining": "9",
            "x-ratelimit-reset": "49",
        }
    )

    assert (reading.limit, reading.remaining) == (10, 9)
    assert reading.policies == (Policy(10, 60.0, "a, b"), Policy(100, 86400.0))


@pytest.mark.parametrize(
    "limit", ["", "ten", "10,", "10; w=60", "10, 10", "10, 10;w=x", '10, 10;w=60;name="x', "-1", "1.5"]
)
def test_draft_03_is_read_strictly(limit: str) -> None:
    with pytest.raises(BadHeader, match="x-ratelimit-limit"):
        read_rl03({"x-ratelimit-limit": limit, "x-ratelimit-remaining": "9", "x-ratelimit-reset": "49"})


def test_openai_wants_a_duration() -> None:
    names = ("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens")

    assert read_openai(dict(zip(names, ("100", "-8", "6.5s"), strict=True)), "tokens").remaining == -8
    with pytest.raises(BadHeader, match="x-ratelimit-reset-tokens: 6 "):
        read_openai(dict(zip(names, ("100", "8", "6"), strict=True)), "tokens")


def test_structured_fields_of_draft_10() -> None:
    """The examples of the draft, with a partition key and a quota unit beside."""
    burst, daily = read_ietf(
        {
            "ratelimit-policy": '"burst";q=100;w=60,"daily";q=1000;w=86400;qu="requests";pk=:c2RmbHNkZg==:',
            "ratelimit": '"burst";r=50;t=30, "daily";r=999',
        }
    )

    assert (burst.limit, burst.remaining, burst.reset and burst.reset.value) == (100, 50, 30.0)
    assert (daily.limit, daily.remaining, daily.reset) == (1000, 999, None)


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        ("burst;q=100", '"burst";r=1'),
        ('"burst";w=60', '"burst";r=1'),
        ('"burst";q=100.0', '"burst";r=1'),
        ('"burst";q=100', '"burst";t=1'),
        ('"burst";q=100', '"burst";r=-1'),
        ('"burst";q=100,', '"burst";r=1'),
        ('"burst" ;q=100', '"burst";r=1'),
        ('"burst";Q=100', '"burst";r=1'),
        ("limit=100, window=60", "remaining=5"),
    ],
)
def test_draft_10_is_read_strictly(policy: str, state: str) -> None:
    with pytest.raises(BadHeader, match="ratelimit"):
        read_ietf({"ratelimit-policy": policy, "ratelimit": state})


@patient
@given(st.text(), st.text())
def test_any_text_is_read_or_refused(one: str, other: str) -> None:
    for reader, names in (
        (read_rl03, ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")),
        (read_ietf, ("ratelimit-policy", "ratelimit")),
    ):
        try:
            reader(dict(zip(names, (one, other, one), strict=False)))
        except BadHeader:
            continue
        assert one.strip(" \t") != ""


# --- series --------------------------------------------------------------------------------------------------------


@dataclass
class Telling:
    """A fixed limiter that begins with the first hit and says so; each field is one way to say it wrong."""

    limit: int = 5
    window: float = 10.0
    off: int = 0
    stuck: int | None = None
    reset: Callable[[float], float] = math.ceil
    constant: float | None = None
    advertised: int | None = None
    epoch: bool = False
    counts_refusals: bool = False

    def series(self, gaps: list[float], took: float = 0.01) -> History:
        hit, now, shots = FromFirstHit(self.limit, self.window), 1000.0, list[Shot]()
        for gap in gaps:
            now += gap
            admitted = hit(now + took / 2)
            status, headers = 200 if admitted else 429, self.headers(hit, now + took / 2)
            shots.append(Shot(now, now + took, now + took, status, headers))
            now += took
        return History(shots)

    def headers(self, hit: FromFirstHit, now: float) -> dict[str, str]:
        left = self.limit - hit.used if self.counts_refusals else max(self.limit - hit.used, 0)
        rest = self.reset(hit.start + self.window - now)
        clock = now + SKEW + 1_700_000_000
        return {
            "x-ratelimit-limit": str(self.advertised or self.limit),
            "x-ratelimit-remaining": str(left + self.off if self.stuck is None else self.stuck),
            "x-ratelimit-reset": str(
                self.constant if self.constant is not None else math.ceil(clock + rest) if self.epoch else int(rest)
            ),
            "date": formatdate(clock, usegmt=True),
        }


FIXED = Limit(5, 10.0, "fixed", False)
DRAINED = [0.0] * 7 + [3.0, 2.5, 6.0] + [0.0] * 7  # drained, two refusals spread out, then a window more

JUDGES: dict[str, Callable[[Limit, History], Finding]] = {
    "remaining": lambda limit, history: remaining_falls(limit, RL03, history),
    "zero": lambda limit, history: zero_means_refused(limit, RL03, history),
    "reset": lambda limit, history: reset_counts_down(limit, RL03, history),
    "advertised": lambda limit, history: advertised_is_enforced(limit, RL03, history),
}


def judged(telling: Telling, gaps: list[float] = DRAINED, limit: Limit = FIXED) -> dict[str, bool | None]:
    history = telling.series(gaps)
    return {name: judge(limit, history).holds for name, judge in JUDGES.items()}


def test_the_truth_passes() -> None:
    assert judged(Telling()) == dict.fromkeys(JUDGES, True)
    assert judged(Telling(epoch=True)) == dict.fromkeys(JUDGES, True)


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (Telling(off=1), {"zero"}),
        (Telling(off=-1), {"remaining", "zero"}),
        (Telling(stuck=3), {"remaining", "zero"}),
        (Telling(counts_refusals=True), {"remaining"}),
        (Telling(constant=10), {"reset"}),
        (Telling(reset=lambda rest: 2 * math.ceil(rest)), {"reset"}),
        (Telling(advertised=6), {"advertised"}),
    ],
    ids=["one too many", "one too few", "stuck", "below 0", "constant reset", "too fast", "another limit"],
)
def test_each_lie_is_seen_by_its_own_check(wrong: Telling, found: set[str]) -> None:
    assert {name for name, holds in judged(wrong).items() if holds is False} == found


@pytest.mark.parametrize("rounding", [math.ceil, math.floor, round], ids=lambda each: each.__name__)
@brief
@given(
    gaps=st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.4, 1.7, 6.0, 11.0]), min_size=1, max_size=25),
    took=st.floats(0.001, 0.8),
    epoch=st.booleans(),
)
def test_no_truth_is_refuted(rounding: Callable[[float], float], gaps: list[float], took: float, epoch: bool) -> None:
    """Whatever the schedule, the rounding, the latency and the skew of the clocks, and whatever is declared."""
    history = Telling(reset=rounding, epoch=epoch).series(gaps, took)
    for limit in (FIXED, dataclasses.replace(FIXED, aligned=None), Limit(5, 10.0)):
        found = {name: judge(limit, history) for name, judge in JUDGES.items()}
        assert {name: repr(each) for name, each in found.items() if each.holds is False} == {}


def test_a_form_that_is_not_the_notations_own_is_seen() -> None:
    history = Telling(epoch=True).series([0.0])

    assert headers_well_formed(RL03, history).holds is False
    assert headers_well_formed(RL03, history, reset="epoch").holds is True
    assert headers_well_formed(RL03, Telling().series([0.0])).holds is True


def test_an_answer_without_them_is_no_pass() -> None:
    bare = History([Shot(0.0, 0.1, 0.1, 200)])

    assert headers_well_formed(RL03, bare).seen.startswith("no x-ratelimit-limit on the 200")
    assert remaining_falls(FIXED, RL03, bare).holds is None


def test_two_answers_too_close_leave_a_reset_undecided() -> None:
    assert reset_counts_down(FIXED, RL03, Telling(constant=10).series([0.0, 0.0])).holds is None


def test_a_sliding_limit_has_no_window_that_ends() -> None:
    assert reset_counts_down(Limit(5, 10.0, "sliding"), RL03, Telling().series(DRAINED)).holds is None


def test_a_lie_is_shown_with_its_instants() -> None:
    found = remaining_falls(FIXED, RL03, Telling(stuck=3).series([0.0] * 3))

    assert found.seen == "remaining 3 at +0.010 s, 3 at +0.020 s with 1 admitted in between"
