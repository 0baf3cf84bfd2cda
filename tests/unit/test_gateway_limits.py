"""The counting itself, without a clock to wait for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.stack import config
from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.limit_headers import go_duration
from gateproof.stack.gateway.limits import Counter, FixedWindow, Meter, SlidingWindow


def limit(amount: int, window: float = 60, **more: object) -> config.Limit:
    return config.limit_from({"limit": amount, "window": window, **more})


def meter(**rights: object) -> Meter:
    return Meter(config.tenant_from(rights))


def test_fixed_window_starts_at_the_first_hit_and_forgets_all_at_its_end() -> None:
    window = FixedWindow(10, aligned=False)
    window.add(100, 3)
    window.add(109.9, 1)
    assert (window.used(109.9), window.used(110)) == (4, 0)
    assert window.free_in(104, 1) == 6


def test_aligned_window_ends_at_a_multiple_of_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1007.0)
    window = FixedWindow(10, aligned=True)
    window.add(50, 1)
    assert window.free_in(50, 1) == 3


def test_sliding_window_frees_each_unit_after_one_length() -> None:
    window = SlidingWindow(10)
    for at in (0, 4, 8):
        window.add(at, 1)
    assert [window.used(at) for at in (9.9, 10, 14, 18)] == [3, 2, 1, 0]


@given(st.lists(st.floats(0, 50, allow_nan=False), max_size=60), st.integers(1, 5))
def test_sliding_limit_never_admits_more_than_the_limit_in_any_window(times: list[float], most: int) -> None:
    counter, admitted = Counter(limit(most, 10, algorithm="sliding")), []
    for now in sorted(times):
        if counter.admits(now, 1):
            counter.window.add(now, 1)
            admitted.append(now)
    assert all(sum(start <= at < start + 10 for at in admitted) <= most for start in admitted)


@given(st.lists(st.floats(0, 50, allow_nan=False), max_size=60), st.integers(1, 5))
def test_retry_after_of_a_sliding_limit_is_the_truth(times: list[float], most: int) -> None:
    counter = Counter(limit(most, 10, algorithm="sliding"))
    for now in sorted(times):
        if counter.admits(now, 1):
            counter.window.add(now, 1)
        else:
            assert counter.admits(now + counter.retry_after(now, 1), 1)


def test_what_is_held_is_settled_in_its_own_window_only() -> None:
    window = FixedWindow(10, aligned=False)
    held = window.add(0, 50)
    window.settle(held, 5, 20)
    assert window.used(5) == 20
    late = window.add(6, 30)
    window.add(11, 1)
    window.settle(late, 12, 5)
    assert window.used(12) == 1


def test_a_refused_request_takes_from_no_limit() -> None:
    shared = meter(requests=[{"limit": 9, "window": 60}], tokens={"limit": 5, "window": 60}, parallel=1)
    first = shared.admit("m", 0)
    for _ in range(3):
        with pytest.raises(Refusal):
            shared.admit("m", 0)
    first.release()
    now = shared.requests("m")[0]
    assert now.window.used(float("-inf")) <= 1
    shared.admit("m", 0)


def test_quota_after_serves_until_the_budget_is_used_up() -> None:
    shared = meter(tokens={"limit": 10, "window": 60})
    for _ in range(2):
        admission = shared.admit("m", 999)
        admission.charge(7)
        admission.release()
    with pytest.raises(Refusal) as caught:
        shared.admit("m", 0)
    assert (caught.value.status, caught.value.code) == (429, "insufficient_quota")


def test_quota_reserve_refuses_what_does_not_fit_and_gives_back_what_was_not_used() -> None:
    shared = meter(tokens={"limit": 10, "window": 60, "mode": "reserve"})
    first = shared.admit("m", 8)
    with pytest.raises(Refusal):
        shared.admit("m", 3)
    first.charge(4)
    shared.admit("m", 6).release()
    shared.admit("m", 6)


def test_several_limits_and_the_strictest_wins() -> None:
    shared = meter(requests=[{"limit": 2, "window": 1}, {"limit": 3, "window": "24h"}])
    for _ in range(2):
        shared.admit("m", 0).release()
    with pytest.raises(Refusal) as caught:
        shared.admit("m", 0)
    assert dict(caught.value.headers)[b"retry-after"] == b"1"


def test_limits_per_model_do_not_leak() -> None:
    shared = meter(requests={"limit": 1, "window": 60, "per_model": True})
    shared.admit("m1", 0)
    shared.admit("m2", 0)
    with pytest.raises(Refusal):
        shared.admit("m1", 0)


def test_a_better_tier_keeps_what_is_used() -> None:
    shared = meter(requests={"limit": 1, "window": 60})
    shared.admit("m", 0)
    shared.change(config.tenant_from({"requests": {"limit": 2, "window": 60}}))
    shared.admit("m", 0)
    with pytest.raises(Refusal):
        shared.admit("m", 0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.012, "12ms"), (1, "1s"), (6.5, "6.5s"), (59.9999, "1m0s"), (90, "1m30s"), (86400, "24h0m0s")],
)
def test_durations_are_written_as_openai_does(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text
