"""One connection kept for several exchanges, one after the other (RFC 9112 §9.3): for what a connection may decide."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import fields
from types import TracebackType
from typing import Self

import httpcore

from gateproof.wire.watch import Watch

LINE = "gateproof.line"


class Line:
    """Belongs to one thread. What the peer closes is opened anew, and counted."""

    def __init__(self) -> None:
        self.opened = 0
        """Connections so far."""
        self._connection: httpcore.HTTPConnection | None = None
        self._watch = Watch()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def watch(self, asked: Watch) -> Watch:
        """The watch that the kept socket knows, made equal to the one that the next exchange asks for."""
        for each in fields(Watch):
            setattr(self._watch, each.name, getattr(asked, each.name))
        return self._watch

    def connection(self, make: Callable[[], httpcore.HTTPConnection]) -> httpcore.HTTPConnection:
        """The kept connection, or a new one when there is none that could still be used."""
        kept = self._connection
        if kept is not None and kept.is_available() and not kept.has_expired():
            return kept
        self.close()
        self._connection = make()
        self.opened += 1
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(httpcore.NetworkError):
                self._connection.close()
            self._connection = None
