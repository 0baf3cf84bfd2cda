"""Parallel limits: so many requests under way at once, and no more.

A request surely holds its slot from the first byte of its answer (or ``held`` seconds before it, where the backend is
known to have worked that long) until shortly before its last byte; it may hold it from when it was sent until
``grace`` after its end. Between the two nothing is certain, and nothing is held against anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateproof.limits.finding import Finding
from gateproof.limits.history import History, Shot, outcomes


@dataclass(frozen=True, slots=True)
class Crowd:
    """``count`` requests that were under way together, all of them between ``start`` and ``end``."""

    start: float
    end: float
    count: int


def never_more_at_once(limit: int, history: History, *, held: float = 0.0, rtt: float = 0.0) -> Finding:
    """No instant at which more than ``limit`` admitted requests were surely under way.

    ``held``: seconds that the backend surely worked on each admitted request before its answer began. ``rtt``: the
    longest time after which we learn that an answer has ended.
    """
    expected = f"never more than {limit} admitted at once"
    if not history.shots:
        return Finding.undecided(expected, "nothing was sent")
    certain = crowd(surely_under_way(history.admitted, held=held, rtt=rtt))
    if certain.count > limit:
        return Finding.no(expected, f"{certain.count} under way {history.between(certain.start, certain.end)}")
    asked = crowd((shot.sent, shot.finished) for shot in history)
    if asked.count <= limit:
        return Finding.undecided(expected, f"no more than {asked.count} were asked for at once")
    possible = crowd((shot.sent, shot.finished) for shot in history.admitted)
    seen = f"{asked.count} asked for at once, {outcomes(history)}"
    if possible.count <= limit or (certain.count == limit and _refused_meanwhile(history, certain)):
        return Finding.yes(expected, f"{seen}, {max(certain.count, 0)} surely under way together")
    where = history.between(possible.start, possible.end)
    return Finding.undecided(expected, f"{seen}; {possible.count} admitted that may have overlapped {where}")


def refused_only_when_full(limit: int, history: History, *, grace: float) -> Finding:
    """A 429 only while ``limit`` requests may have been under way: slots come back after an end, and after an abort.

    ``grace``: seconds in which a gateway may still hold the slot of a request that has ended (it may notice an abort
    only when it next writes). A limiter may count a request before it refuses it, so a refusal beside another refusal
    is undecided.
    """
    expected = f"429 only while {limit} are under way, slots free again {grace:g} s after an end or an abort"
    doubt: str | None = None
    for shot in history.refused:
        beside = [other for other in history if other is not shot and _may_overlap(other, shot, grace)]
        holders = sum(not other.refused for other in beside)
        if holders >= limit:
            continue
        where = f"429 {history.between(shot.sent, shot.decided)} with {holders} under way at most"
        if len(beside) < limit:
            return Finding.no(expected, where)
        doubt = doubt or f"{where}, and {len(beside) - holders} more that were refused beside it"
    if doubt:
        return Finding.undecided(expected, doubt)
    reused = sum(_after_all_slots_were_used(shot, history, limit) for shot in history.admitted)
    if not reused:
        return Finding.undecided(expected, f"{outcomes(history)}: no slot was used a second time")
    return Finding.yes(expected, f"{reused} admitted after {limit} others had held the slots, {outcomes(history)}")


def surely_under_way(shots: Iterable[Shot], *, held: float = 0.0, rtt: float = 0.0) -> Iterable[tuple[float, float]]:
    """When each surely held a slot; those that never surely did are left out."""
    for shot in shots:
        if shot.head is not None:
            start, end = max(shot.sent, shot.head - held), max(shot.finished - rtt, shot.head - rtt)
            if start < end:
                yield start, end


def crowd(stays: Iterable[tuple[float, float]]) -> Crowd:
    """The most that were there together, and the stretch in which they were."""
    stays = list(stays)
    # of equal instants the leaving come first: who leaves as another comes was not there with it
    moves = sorted([(start, 1) for start, _ in stays] + [(end, -1) for _, end in stays])
    best, now = Crowd(0.0, 0.0, 0), 0
    for index, (instant, step) in enumerate(moves):
        now += step
        if now > best.count:
            best = Crowd(instant, _next_leaving(moves, index), now)
    return best


def _next_leaving(moves: Sequence[tuple[float, int]], index: int) -> float:
    return next((instant for instant, step in moves[index + 1 :] if step < 0), moves[index][0])


def _refused_meanwhile(history: History, crowd: Crowd) -> bool:
    return any(shot.sent < crowd.end and shot.decided > crowd.start for shot in history.refused)


def _may_overlap(other: Shot, shot: Shot, grace: float) -> bool:
    end = other.decided if other.refused else other.finished + grace
    return other.sent <= shot.decided and end >= shot.sent


def _after_all_slots_were_used(shot: Shot, history: History, limit: int) -> bool:
    return sum(other.decided <= shot.sent for other in history.admitted) >= limit
