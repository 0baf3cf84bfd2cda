"""The misbehaviours that the reference stack can put on, and the set that one process wears now.

A fault is data: each area's module (`auth.py`, `err.py`, ...) holds a tuple called `FAULTS`.
Stack code asks `if worn("name"):` at the one place where the promise is kept.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class Fault:
    """One named misbehaviour and the exact requirements that it must turn red."""

    name: str
    where: Literal["gateway", "engine"]
    breaks: tuple[str, ...]
    stands_for: str
    link: str | None = None
    clouds: tuple[str, ...] = ()
    """Requirements that cannot be judged while it is worn, since what they build on is broken: INCONCLUSIVE."""
    shows: str | None = None
    """What the message of at least one of the broken requirements must contain: the offending value."""


# Whose checks sent the request being served, for the trace; the judge says so in its User-Agent.
serving: ContextVar[tuple[str, ...]] = ContextVar("serving", default=())


_REQUIREMENT = re.compile(rb"\b([A-Z0-9]+-\d{3})\b")


def note_requirement(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Remember, for this request's task, whose check it belongs to; several may judge one request."""
    agent = next((value for name, value in headers if name == b"user-agent"), b"")
    serving.set(tuple(found.decode() for found in _REQUIREMENT.findall(agent)))


class Worn:
    """The names of the faults that this process wears; asked on hot paths, so a plain set lookup."""

    __slots__ = ("_names", "reached")

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(names)
        self.reached: dict[str, set[str]] = {}
        """By fault: the requirements whose requests came to its hook; what never comes there, it cannot change."""

    def __call__(self, name: str) -> bool:
        self.reached.setdefault(name, set()).update(serving.get())
        return name in self._names

    def __bool__(self) -> bool:
        return bool(self._names)

    def set(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)

    @property
    def names(self) -> list[str]:
        return sorted(self._names)


def _collect() -> Mapping[str, Fault]:
    found: dict[str, Fault] = {}
    for module in pkgutil.iter_modules(__path__):
        for fault in importlib.import_module(f"{__name__}.{module.name}").FAULTS:
            if fault.name in found:
                raise ValueError(f"two faults are called {fault.name!r}")
            found[fault.name] = fault
    return MappingProxyType(found)


_collected: Mapping[str, Fault] | None = None


def __getattr__(name: str) -> Mapping[str, Fault]:
    # Late, because the data modules import Fault from here.
    global _collected  # noqa: PLW0603
    if name != "FAULTS":
        raise AttributeError(name)
    if _collected is None:
        _collected = _collect()
    return _collected


worn = Worn()
