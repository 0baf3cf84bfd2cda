"""Limitador's counters, as Envoy's rate limit service keeps them: windows from the first hit, all or nothing."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.launch.data.envoy.limits import Limit, Limiter
from gateproof.launch.data.envoy.openai_body import Malformed, model_of

FREE = ["free"]


class Clock:
    """s, set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def limiter(clock: Clock, *limits: tuple[int, float]) -> Limiter:
    return Limiter({"free": [Limit(f"{most}/{window:g}s", most, window) for most, window in limits]}, clock)


def test_exactly_the_limit_is_admitted() -> None:
    limits = limiter(Clock(), (3, 2.0))

    assert [limits.check_and_update("u", FREE).limited for _ in range(5)] == [False, False, False, True, True]


def test_a_window_begins_with_the_first_hit_and_lasts_its_length() -> None:
    clock = Clock()
    limits = limiter(clock, (1, 2.0))
    limits.check_and_update("u", FREE)
    clock.now += 1.999
    still = limits.check_and_update("u", FREE)
    clock.now += 0.001
    again = limits.check_and_update("u", FREE)

    assert (still.limited, again.limited) == (True, False)
    assert still.rooms[0].reset == pytest.approx(0.001)
    assert again.rooms[0].reset == pytest.approx(2.0)


def test_a_refused_request_raises_no_counter() -> None:
    clock = Clock()
    limits = limiter(clock, (1, 1.0), (3, 60.0))
    for _ in range(10):
        limits.check_and_update("u", FREE)
    clock.now += 1.0
    second = limits.check_and_update("u", FREE)

    assert [room.remaining for room in second.rooms] == [0, 1]


def test_of_two_limits_the_more_restrictive_wins() -> None:
    clock = Clock()
    limits = limiter(clock, (2, 1.0), (3, 60.0))
    admitted = []
    for _ in range(3):
        admitted.append(sum(not limits.check_and_update("u", FREE).limited for _ in range(5)))
        clock.now += 1.0

    assert admitted == [2, 1, 0]


def test_users_have_counters_of_their_own() -> None:
    limits = limiter(Clock(), (1, 2.0))

    assert [limits.check_and_update(user, FREE).limited for user in ("u", "v", "u", "v")] == [False, False, True, True]


def test_a_user_of_two_tiers_is_held_to_both() -> None:
    limits = Limiter({"free": [Limit("a", 1, 2.0)], "pro": [Limit("b", 9, 2.0)]}, Clock())
    rooms = limits.check_and_update("u", ["free", "pro", "unknown"]).rooms

    assert [(room.limit.name, room.remaining) for room in rooms] == [("a", 0), ("b", 8)]


def test_tokens_are_looked_at_before_and_counted_after() -> None:
    limits = limiter(Clock(), (100, 2.0))
    looks = []
    for used in (60, 60, 60):
        looks.append(limits.is_within("u", FREE))
        limits.update("u", FREE, used)

    assert looks == [True, True, False]


def test_a_look_begins_no_window() -> None:
    clock = Clock()
    limits = limiter(clock, (100, 2.0))
    limits.is_within("u", FREE)
    clock.now += 1.5
    limits.update("u", FREE, 100)
    clock.now += 1.0

    assert not limits.is_within("u", FREE)


def test_an_unknown_tier_is_not_limited() -> None:
    limits = limiter(Clock(), (1, 2.0))

    assert not any(limits.check_and_update("u", ["enterprise"]).limited for _ in range(5))


@given(gaps=st.lists(st.floats(0, 1.5), max_size=60), most=st.integers(1, 5))
def test_no_window_that_begins_with_a_hit_admits_more_than_the_limit(gaps: list[float], most: int) -> None:
    clock = Clock()
    limits = limiter(clock, (most, 2.0))
    admitted: list[float] = []
    for gap in gaps:
        clock.now += gap
        if not limits.check_and_update("u", FREE).limited:
            admitted.append(clock.now)

    # the windows, found again from what was admitted alone
    while admitted:
        end = admitted[0] + 2.0
        inside = list(itertools.takewhile(lambda at, end=end: at < end, admitted))  # type: ignore[misc]
        assert len(inside) <= most
        admitted = admitted[len(inside) :]


@pytest.mark.parametrize(
    ("body", "model"),
    [
        (b'{"model": "chat-a", "messages": []}', "chat-a"),
        (b'{"messages": []}', ""),
        (b'{"model": null}', ""),
        (b'{"model": "chat-a", "stream": null, "n": 2, "temperature": 1}', "chat-a"),
        (b"null", ""),
    ],
)
def test_the_model_is_read_from_the_body(body: bytes, model: str) -> None:
    assert model_of(body, chat=True) == model


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"model": ',
        b"[]",
        b"7",
        b'{"model": 5}',
        b'{"model": "a", "messages": "hello"}',
        b'{"model": "a", "messages": [null]}',
        b'{"model": "a", "stream": "yes"}',
        b'{"model": "a", "n": true}',
        b'{"model": "a", "max_tokens": 1.5}',
        b'{"model": "a", "temperature": "hot"}',
        b"\xff\xfe\x00",
    ],
)
def test_what_go_cannot_decode_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        model_of(body, chat=True)


def test_other_apis_are_read_less_strictly() -> None:
    assert model_of(b'{"model": "a", "temperature": "hot"}', chat=False) == "a"
