"""How a refusal must look: the error envelope, and the challenge that goes with a 401. Pure, over parsed values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateproof.limits.finding import Finding

# RFC 9110 §5.6.2, §5.6.4 and §11.2.
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - grammar, no password
_QUOTED = r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t -~\x80-\xff])*"'
_TOKEN68 = r"[A-Za-z0-9\-._~+/]+=*"
_PARAM = re.compile(rf"({_TOKEN})[ \t]*=[ \t]*({_TOKEN}|{_QUOTED})[ \t]*(?=,|$)")
_SCHEME = re.compile(rf"({_TOKEN})(?: +|(?=[ \t]*(?:,|$)))")
_LONE = re.compile(rf"({_TOKEN68})[ \t]*(?=,|$)")
_GAP = re.compile(r"[ \t,]*")

CHALLENGED = "WWW-Authenticate with at least one challenge (RFC 9110 §11.6.1)"


def envelope_flaws(body: object) -> list[str]:
    """What keeps a parsed body from being OpenAI's error envelope; empty when it is one."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return [f"no `error` object: {_short(body)}"]
    flaws = [
        f"error.{name} is {_short(error.get(name))}, not a string"
        for name in ("message", "type")
        if not isinstance(error.get(name), str)
    ]
    return flaws + [f"error.{name} is missing" for name in ("param", "code") if name not in error]


def names_field(body: object, field: str) -> bool:
    """Whether an error says which field it is about, in `param` or in its message."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return False
    texts = [error.get("param"), error.get("message")]
    return any(isinstance(text, str) and re.search(rf"\b{re.escape(field)}\b", text) for text in texts)


def cause_of(body: object) -> tuple[Any, Any]:
    """(type, code) of an error: what clients branch on."""
    error = body.get("error") if isinstance(body, dict) else None
    return (error.get("type"), error.get("code")) if isinstance(error, dict) else (None, None)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge; the scheme and the names of parameters in lower case."""

    scheme: str
    params: tuple[tuple[str, str], ...] = ()
    token68: str | None = None

    def get(self, name: str) -> str | None:
        return dict(self.params).get(name)


def challenges(fields: Iterable[str]) -> list[Challenge]:
    """Every challenge of these WWW-Authenticate fields; ValueError for what is none (RFC 9110 §11.6.1)."""
    return [challenge for field in fields for challenge in _in_field(field)]


def _in_field(field: str) -> list[Challenge]:
    found: list[Challenge] = []
    at = _skip(field, 0)
    while at < len(field):
        # A comma separates both parameters and challenges: what follows one is a parameter if it looks like one.
        if found and found[-1].token68 is None and (param := _PARAM.match(field, at)):
            name, value = param[1].lower(), _unquoted(param[2])
            found[-1] = Challenge(found[-1].scheme, (*found[-1].params, (name, value)))
            at = _skip(field, param.end())
            continue
        scheme = _SCHEME.match(field, at)
        if scheme is None:
            raise ValueError(f"not a challenge at character {at}: {field!r}")
        at = _skip_blanks(field, scheme.end())
        lone = None if _PARAM.match(field, at) or field[at : at + 1] == "," else _LONE.match(field, at)
        found.append(Challenge(scheme[1].lower(), token68=lone[1] if lone else None))
        at = _skip(field, lone.end()) if lone else at if _PARAM.match(field, at) else _end_of(field, at)
    return found


def _end_of(field: str, at: int) -> int:
    """Behind a scheme that has nothing with it."""
    if at < len(field) and field[at] != ",":
        raise ValueError(f"not a challenge at character {at}: {field!r}")
    return _skip(field, at)


def _skip(field: str, at: int) -> int:
    """Over blanks and commas; empty list elements are allowed (RFC 9110 §5.6.1)."""
    gap = _GAP.match(field, at)
    return gap.end() if gap else at


def _skip_blanks(field: str, at: int) -> int:
    return at + len(field[at:]) - len(field[at:].lstrip(" \t"))


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def is_challenged(fields: Iterable[str]) -> Finding:
    """The WWW-Authenticate fields of a 401 hold at least one challenge, and nothing else."""
    given = list(fields)
    try:
        found = challenges(given)
    except ValueError as error:
        return Finding.no(CHALLENGED, str(error))
    if not found:
        return Finding.no(CHALLENGED, f"no challenge: {given!r}" if given else "no WWW-Authenticate")
    return Finding.yes(CHALLENGED, ", ".join(challenge.scheme for challenge in found))


def bearer_errors(fields: Iterable[str]) -> list[str | None]:
    """The `error` of each Bearer challenge, None where it has none (RFC 6750 §3)."""
    return [challenge.get("error") for challenge in challenges(fields) if challenge.scheme == "bearer"]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
