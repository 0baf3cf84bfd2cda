"""What answers say about a limit, in the notations that clients know: read strictly, told apart, never guessed.

rl03    `X-RateLimit-Limit: 10, 10;w=60;name="x"`, `-Remaining`, `-Reset` (draft-polli-ratelimit-headers-03)
openai  `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, the reset a duration (OpenAI, "Rate limits")
ietf    `RateLimit-Policy: "x";q=10;w=60` and `RateLimit: "x";r=9;t=50` (draft-ietf-httpapi-ratelimit-headers-10)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from gateproof.limits.clock import server_time
from gateproof.limits.history import Shot
from gateproof.limits.structured import Item, NotStructured, Token, parse_list

Style = Literal["rl03", "openai", "ietf"]
Form = Literal["seconds", "duration", "epoch", "epoch-ms"]
Headers = Mapping[str, str]
Read = TypeVar("Read")

FIRST_EPOCH = 1e9
"""s; a number from here on is no rest of a window (31 years) but an instant since September 2001."""

FIRST_EPOCH_MS = 1e12
"""ms; the same, for limiters that count in milliseconds."""

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h)"
_DURATION = re.compile(rf"(?:{_PART})+", re.ASCII)
_DURATION_PARTS = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_INTEGER = re.compile(r"-?\d+", re.ASCII)
# quota-policy of RL03 §2.1 ("10;w=60"), with the comments that it allows: ;name="x", ;burst=20
_RL03_POLICY = re.compile(r'(\d+)((?:\s*;\s*[\w-]+\s*=\s*(?:"[^"]*"|[^\s";,]+))*)', re.ASCII)
_RL03_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*("[^"]*"|[^\s";,]+)', re.ASCII)
_RL03_MEMBER = re.compile(r'(?:"[^"]*"|[^",])+')


class BadHeader(ValueError):
    """A header that breaks its grammar, or one that is missing; the text names it and shows its value."""


@dataclass(frozen=True, slots=True)
class Reset:
    """When there will be room again, as it was written: ``value`` seconds from the answer on, or since the epoch."""

    value: float
    form: Form
    resolution: float
    """s; the true rest lies less than this below or above what is written: how it was rounded is not known."""

    @property
    def absolute(self) -> bool:
        return self.form in ("epoch", "epoch-ms")


@dataclass(frozen=True, slots=True)
class Policy:
    """A quota that the server names; the window in seconds where it tells."""

    quota: int
    window: float | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer's word on one limit. ``remaining`` may be negative: that is a finding, not a mistake of grammar."""

    limit: int | None
    remaining: int
    reset: Reset | None
    policies: tuple[Policy, ...] = ()
    name: str | None = None


# --- values --------------------------------------------------------------------------------------------------------


def parse_duration(text: str) -> float:
    """Seconds of a Go duration such as `1m30s`, `12ms`, `6.5s`, `1h0m0s`; BadHeader otherwise."""
    if not _DURATION.fullmatch(text):
        raise BadHeader(f"`{text}` is no duration such as 1m30s, 12ms, 6.5s")
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PARTS.findall(text))


def parse_reset(text: str) -> Reset:
    """Seconds, a duration, or an instant since the epoch in seconds or milliseconds; BadHeader otherwise."""
    text = text.strip(" \t")
    if _NUMBER.fullmatch(text):
        value, resolution = float(text), 10.0 ** -len(text.partition(".")[2])
        if value >= FIRST_EPOCH_MS:
            return Reset(value / 1000, "epoch-ms", resolution / 1000)
        return Reset(value, "epoch" if value >= FIRST_EPOCH else "seconds", resolution)
    return Reset(parse_duration(text), "duration", _finest(text))


def _finest(duration: str) -> float:
    """The smallest step that the last part of a duration can show."""
    number, unit = _DURATION_PARTS.findall(duration)[-1]
    return float(_UNITS[unit] * 10.0 ** -len(number.partition(".")[2]))


def rest_of(reset: Reset, shot: Shot) -> tuple[float, float] | None:
    """Seconds from the answer to the end that it names, at least and at most.

    An instant since the epoch is measured against the answer's own Date, both from the server's clock; None without.
    """
    if not reset.absolute:
        return max(reset.value - reset.resolution, 0.0), reset.value + reset.resolution
    now = server_time(shot.headers)
    if now is None:
        return None
    return max(reset.value - reset.resolution - now.high, 0.0), max(reset.value + reset.resolution - now.low, 0.0)


def shown(reset: Reset | None) -> str:
    """For people."""
    if reset is None:
        return "none"
    return f"{reset.value:.0f} (epoch)" if reset.absolute else f"{reset.value:g} s"


# --- the three notations -------------------------------------------------------------------------------------------


def read(style: Style, headers: Headers, *, unit: str = "requests", prefix: str = "x-ratelimit") -> Reading:
    """One answer's word on the limit of ``unit``; BadHeader when a header is missing or breaks its grammar.

    ``headers`` has lower-case names. ``prefix`` serves dialects that put a word of their own before the same grammar.
    """
    if style == "rl03":
        return read_rl03(headers, prefix=prefix)
    if style == "openai":
        return read_openai(headers, unit, prefix=prefix)
    return tightest(read_ietf(headers), unit)


def present(style: Style, headers: Headers, *, unit: str = "requests", prefix: str = "x-ratelimit") -> bool:
    """Whether an answer says anything in this notation."""
    names = {
        "rl03": [f"{prefix}-limit", f"{prefix}-remaining", f"{prefix}-reset"],
        "openai": [f"{prefix}-{word}-{unit}" for word in ("limit", "remaining", "reset")],
        "ietf": ["ratelimit", "ratelimit-policy"],
    }[style]
    return any(name in headers for name in names)


def read_rl03(headers: Headers, *, prefix: str = "x-ratelimit") -> Reading:
    """`X-RateLimit-*` of draft 03; the draft's reset is seconds, epoch seconds are read as what they are."""
    limit, policies = _take(headers, f"{prefix}-limit", _rl03_limit)
    return Reading(
        limit, _take(headers, f"{prefix}-remaining", _integer), _take(headers, f"{prefix}-reset", parse_reset), policies
    )


def read_openai(headers: Headers, unit: str = "requests", *, prefix: str = "x-ratelimit") -> Reading:
    """`x-ratelimit-{limit,remaining,reset}-UNIT`; the reset is a duration, as OpenAI writes it."""
    return Reading(
        _take(headers, f"{prefix}-limit-{unit}", _count),
        _take(headers, f"{prefix}-remaining-{unit}", _integer),
        _take(headers, f"{prefix}-reset-{unit}", _duration_only),
    )


def read_ietf(headers: Headers) -> tuple[Reading, ...]:
    """`RateLimit-Policy` and `RateLimit` of draft 10, one reading for each policy that is spoken of."""
    policies = {policy.name: policy for policy in _take(headers, "ratelimit-policy", _ietf_policies)}
    return tuple(
        Reading(
            policies[name].quota if name in policies else None,
            remaining,
            None if seconds is None else Reset(float(seconds), "seconds", 1.0),
            (policies[name],) if name in policies else (),
            name,
        )
        for name, remaining, seconds in _take(headers, "ratelimit", _ietf_states)
    )


def tightest(readings: tuple[Reading, ...], unit: str = "requests") -> Reading:
    """The one with least left among those whose name speaks of ``unit``, or among all if none does."""
    if not readings:
        raise BadHeader("RateLimit: names no policy")
    named = [reading for reading in readings if unit.rstrip("s") in (reading.name or "").lower()]
    return min(named or readings, key=lambda reading: reading.remaining)


# --- grammar -------------------------------------------------------------------------------------------------------


def _take(headers: Headers, name: str, parse: Callable[[str], Read]) -> Read:
    value = headers.get(name)
    if value is None:
        raise BadHeader(f"no {name}")
    try:
        return parse(value.strip(" \t"))
    except (BadHeader, NotStructured) as error:
        raise BadHeader(f"{name}: {value} ({error})") from None


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise BadHeader("not an integer")
    return int(text)


def _count(text: str) -> int:
    if (number := _integer(text)) < 0:
        raise BadHeader("below 0")
    return number


def _duration_only(text: str) -> Reset:
    return Reset(parse_duration(text), "duration", _finest(text))


def _rl03_limit(text: str) -> tuple[int, tuple[Policy, ...]]:
    first, *rest = (part.strip() for part in _members(text))
    return _count(first), tuple(_rl03_policy(part) for part in rest)


def _members(text: str) -> list[str]:
    members = _RL03_MEMBER.findall(text)
    if not members or ",".join(members) != text:
        raise BadHeader("an empty member, or a quote that is left open")
    return members


def _rl03_policy(text: str) -> Policy:
    match = _RL03_POLICY.fullmatch(text)
    if match is None:
        raise BadHeader(f"`{text}` is no policy such as 10;w=60")
    parameters = {key: value.strip('"') for key, value in _RL03_PARAMETER.findall(match[2])}
    window = parameters.get("w")
    if window is None or not _NUMBER.fullmatch(window):
        raise BadHeader(f"`{text}` names no window, as ;w=60 does")
    return Policy(int(match[1]), float(window), parameters.get("name"))


def _ietf_policies(text: str) -> list[Policy]:
    """Items of RateLimit-Policy: a String with `q` (required) and `w`, both non-negative Integers (§3)."""
    policies = []
    for item in _items(text):
        quota = _parameter(item, "q")
        if quota is None:
            raise BadHeader(f"{item.value!r} has no `q`")
        window = _parameter(item, "w")
        policies.append(Policy(quota, None if window is None else float(window), _name(item)))
    return policies


def _ietf_states(text: str) -> list[tuple[str, int, int | None]]:
    """Items of RateLimit: a String with `r` (required) and `t`, both non-negative Integers (§4)."""
    states = []
    for item in _items(text):
        remaining = _parameter(item, "r")
        if remaining is None:
            raise BadHeader(f"{item.value!r} has no `r`")
        states.append((_name(item), remaining, _parameter(item, "t")))
    return states


def _items(text: str) -> tuple[Item, ...]:
    if not (items := parse_list(text)):
        raise BadHeader("empty")
    return items


def _name(item: Item) -> str:
    if not isinstance(item.value, str) or isinstance(item.value, Token):
        raise BadHeader(f"{item.value!r} is no String in quotes")
    return item.value


def _parameter(item: Item, key: str) -> int | None:
    value = item.parameters.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadHeader(f"{key}={value!r} is no non-negative integer")
    return value
