"""What can go wrong that is not a verdict on the target.

GateproofError              base; carries the exit code that the command line gives it
├── ConfigError             a mistake in a file or an option: says where, what, and what is accepted
├── LaunchError             a stack that gateproof was told to start did not start
└── TargetUnreachable       nobody answers, or every key is refused
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

EXIT_FAIL, EXIT_USAGE, EXIT_INTERNAL, EXIT_UNREACHABLE, EXIT_VOID = 1, 2, 3, 4, 5


class GateproofError(Exception):
    """Base of all errors that a user reads as one line, never as a traceback."""

    exit_code = EXIT_INTERNAL


class ConfigError(GateproofError):
    """A mistake of the user's: ``file:line: key.path: problem`` and, indented, what is accepted."""

    exit_code = EXIT_USAGE

    def __init__(
        self,
        problem: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        key: str | None = None,
        accepted: Iterable[str] | str | None = None,
    ) -> None:
        self.problem, self.file, self.line, self.key = problem, file, line, key
        self.accepted = accepted if isinstance(accepted, str | None) else ", ".join(accepted)
        super().__init__(str(self))

    def __str__(self) -> str:
        where = "" if self.file is None else f"{self.file}:" + (f"{self.line}:" if self.line else "") + " "
        key = f"{self.key}: " if self.key else ""
        accepted = f"\n    accepted here: {self.accepted}" if self.accepted else ""
        return f"{where}{key}{self.problem}{accepted}"


class LaunchError(GateproofError):
    """A stack that we start ourselves did not come up; the message ends with the tail of its log."""

    exit_code = EXIT_UNREACHABLE


class TargetUnreachable(GateproofError):
    """The target refuses connections, does not resolve, or refuses every key."""

    exit_code = EXIT_UNREACHABLE


def near_miss(word: str, known: Iterable[str]) -> str:
    """`` did you mean `x`?`` when one of the known words is close, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else ""
