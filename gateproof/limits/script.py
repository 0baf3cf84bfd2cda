"""Scripts of a model test: what is done with which tenant in which order; made from a seed, shortened, replayed.

As YAML, in block or flow style:

    {seed: 43, steps: [{stream: a}, {abort: a}, {burst: a, times: 6}, {wait: 0.5}]}

``wait`` is a share of the window. Tenants are letters, each with a request limit of its own; those under ``slots``
have a limit on parallel requests instead.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import yaml

Kind = Literal["ask", "stream", "abort", "burst", "wait"]
KINDS: tuple[Kind, ...] = get_args(Kind)

WEIGHTS: dict[Kind, int] = {"ask": 4, "stream": 3, "abort": 3, "burst": 1, "wait": 2}
"""How often each is drawn: streams and their ends are what most limiters forget."""

SHARES = (0.1, 0.3, 0.6)
"""Of a window, that a drawn wait lasts."""

BEYOND_WINDOW = 1.12
"""Windows from the start of a round to its end: by then a new one has begun, whatever the grain of 0.05.

Nothing that was refused in the old one may have put it off."""

OPEN_AT_ONCE = 2
"""Streams of one tenant that are left open beside each other."""


class BadScript(ValueError):
    """What stands in a replay file is no script; the text says where."""


@dataclass(frozen=True, slots=True)
class Step:
    kind: Kind
    tenant: str = ""
    times: int = 1
    """Requests of a burst."""
    share: float = 0.0
    """Of a window, that a wait lasts."""

    @property
    def requests(self) -> int:
        return {"ask": 1, "stream": 1, "burst": self.times}.get(self.kind, 0)

    def __str__(self) -> str:
        return f"{{{', '.join(f'{key}: {value}' for key, value in self.data().items())}}}"

    def data(self) -> dict[str, Any]:
        if self.kind == "wait":
            return {"wait": self.share}
        return {self.kind: self.tenant, **({"times": self.times} if self.kind == "burst" else {})}


@dataclass(frozen=True, slots=True)
class Script:
    steps: tuple[Step, ...]
    seed: int = 0
    slots: tuple[str, ...] = ()
    """Tenants with a parallel limit."""

    @property
    def tenants(self) -> tuple[str, ...]:
        return tuple(sorted({step.tenant for step in self.steps if step.tenant}))

    @property
    def requests(self) -> int:
        return sum(step.requests for step in self.steps)

    @property
    def waits(self) -> float:
        """Windows."""
        return sum(step.share for step in self.steps)

    def upto(self, step: int) -> Script:
        return replace(self, steps=self.steps[: step + 1])

    def __str__(self) -> str:
        return self._dumped(flow=True).strip()

    def yaml(self) -> str:
        """For people and for a replay file."""
        return self._dumped(flow=False)

    def _dumped(self, *, flow: bool) -> str:
        slots = [tenant for tenant in self.slots if tenant in self.tenants]
        data = {"seed": self.seed, **({"slots": slots} if slots else {}), "steps": [step.data() for step in self.steps]}
        # one line, however long: a message is cut at its first
        return yaml.safe_dump(data, default_flow_style=flow, sort_keys=False, width=float("inf"))


# --- reading -------------------------------------------------------------------------------------------------------


def parse(text: str) -> Script:
    """A script from YAML; BadScript says what is wrong and where."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadScript(f"no YAML: {error}") from None
    steps = data.get("steps") if isinstance(data, dict) else None
    if not isinstance(steps, list) or not steps:
        raise BadScript("no list of `steps`")
    seed = data.get("seed", 0)
    if not isinstance(seed, int):
        raise BadScript(f"seed: {seed!r} is no whole number")
    slots = data.get("slots", [])
    if not isinstance(slots, list) or not all(isinstance(each, str) for each in slots):
        raise BadScript(f"slots: {slots!r} is no list of tenants")
    return Script(tuple(_step(number, each) for number, each in enumerate(steps, start=1)), seed, tuple(slots))


def _step(number: int, data: object) -> Step:
    kinds = [kind for kind in KINDS if isinstance(data, dict) and kind in data]
    if len(kinds) != 1 or not isinstance(data, dict) or data.keys() - {kinds[0], "times"}:
        raise BadScript(f"step {number}: {data!r} is none of {', '.join(KINDS)}")
    kind, value, times = kinds[0], data[kinds[0]], data.get("times", 1)
    if kind == "wait":
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise BadScript(f"step {number}: wait: {value!r} is no share of a window")
        return Step("wait", share=float(value))
    if not isinstance(value, str) or not value.isalpha():
        raise BadScript(f"step {number}: {kind}: {value!r} is no tenant")
    if not isinstance(times, int) or times < 1:
        raise BadScript(f"step {number}: times: {times!r} is no number of requests")
    return Step(kind, value, times if kind == "burst" else 1)


# --- making --------------------------------------------------------------------------------------------------------


def make(
    seed: int, *, windows: Sequence[str], slots: Sequence[str] = (), limit: int, rounds: int, steps: int, streams: bool
) -> Script:
    """``rounds`` windows of ``steps`` drawn ones; then each tenant with a window is asked for more than is left.

    ``windows`` are tenants with a request limit, ``slots`` such with a parallel limit, which are never asked in bursts.
    With one round nothing waits.
    """
    lots, made = random.Random(seed), list[Step]()
    for number in range(rounds):
        last = number == rounds - 1
        drawn = list(_round(lots, windows, slots, limit, steps, streams=streams, waits=not last))
        made += [*drawn, *(Step("burst", tenant, limit + 1) for tenant in windows)]
        if not last:
            waited = sum(step.share for step in drawn)
            made.append(Step("wait", share=round(BEYOND_WINDOW - waited, 2)))
    return Script(tuple(made), seed, tuple(slots))


def _round(
    lots: random.Random,
    windows: Sequence[str],
    slots: Sequence[str],
    limit: int,
    steps: int,
    *,
    streams: bool,
    waits: bool,
) -> Iterator[Step]:
    kinds = [kind for kind in KINDS if streams or kind not in ("stream", "abort")]
    kinds = [kind for kind in kinds if waits or kind != "wait"]
    waited, open_ = 0.0, dict.fromkeys([*windows, *slots], 0)
    for _ in range(steps):
        kind = lots.choices(kinds, [WEIGHTS[each] for each in kinds])[0]
        tenant = lots.choice([*windows, *slots])
        if kind == "wait":
            share = lots.choice(SHARES)
            if waited + share < 1 - SHARES[0]:  # the round stays inside one window
                waited += share
                yield Step("wait", share=share)
        elif kind == "abort" and open_[tenant]:
            open_[tenant] -= 1
            yield Step("abort", tenant)
        elif kind in ("stream", "abort") and open_[tenant] < OPEN_AT_ONCE:
            open_[tenant] += 1
            yield Step("stream", tenant)
        elif kind == "burst" and tenant in windows:
            yield Step("burst", tenant, lots.randint(2, max(2, limit // 2)))
        else:
            yield Step("ask", tenant)


# --- shortening ----------------------------------------------------------------------------------------------------


def shorten(script: Script, fails: Callable[[Script], Script | None], tries: int) -> tuple[Script, int]:
    """The shortest script that still fails, as far as so many tries lead; and how many of them failed.

    ``fails`` plays one and gives it back up to the step that failed, or None. Whole tenants and whole stretches go
    first (Zeller's ddmin), then single steps, then requests: those of earlier steps are asked for by the burst that
    fails, or by nobody. A wait costs most and is tried first.
    """
    seen = 0
    candidates = _shorter(script)
    while tries > 0 and (candidate := next(candidates, None)) is not None:
        tries -= 1
        failed = fails(candidate)
        if failed is not None:
            seen += 1
            script, candidates = failed, _shorter(failed)
    return script, seen


def _shorter(script: Script) -> Iterator[Script]:
    steps = script.steps
    if len(script.tenants) > 1:
        last = steps[-1].tenant
        yield replace(script, steps=tuple(step for step in steps if step.tenant in ("", last)))
    if any(step.kind == "wait" for step in steps):
        yield replace(script, steps=tuple(step for step in steps if step.kind != "wait"))
    size = len(steps) // 2
    while size >= 1:
        for start in range(0, len(steps) - 1, size):
            kept = steps[:start] + steps[start + size :]
            if kept and kept != steps:
                yield replace(script, steps=kept)
        size //= 2
    yield from _gathered(script)
    for index, step in enumerate(steps):
        if step.kind == "burst" and step.times > 1:
            fewer = replace(step, times=step.times - 1)
            yield replace(script, steps=(*steps[:index], fewer, *steps[index + 1 :]))


def _gathered(script: Script) -> Iterator[Script]:
    """Without one step that asks, whose requests a burst at the end asks for beside those of the last step."""
    *others, last = script.steps
    for index, step in enumerate(others):
        if step.requests and step.tenant == last.tenant and last.requests:
            more = Step("burst", last.tenant, last.requests + step.requests)
            yield replace(script, steps=(*others[:index], *others[index + 1 :], more))
