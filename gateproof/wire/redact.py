"""Take credentials out of everything that a person or a file may see. Imports nothing else of ours."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from typing import Protocol
from urllib.parse import quote

MASK = "[redacted]"

# A shorter "secret" hides nothing and would blacken half of every text.
SHORTEST_SECRET = 4
# The leading part of a long key already gives it away (requirement SEC-012 counts 12 characters as a leak).
TELLING_PREFIX = 12
LONG_SECRET = 20
# So many characters in a row of a long key, from anywhere in it, are taken out of a text that was cut by others.
PIECE = 8

_NAMES = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "api-key", "apikey", "x-auth"})
_ENDINGS = ("-api-key", "-apikey", "-auth-key", "-token", "-secret", "-authorization", "-password", "-virtual-key")
_SCHEMES = frozenset({"bearer", "basic", "digest", "negotiate", "apikey", "api-key", "token", "key"})


class Revealing(Protocol):
    """A secret in a wrapper that prints as a mask."""

    def reveal(self) -> str: ...


Pairs = Iterable[tuple[str, str]]


class Redactor:
    """Knows every secret by value and the header names that carry one; safe to share between threads."""

    def __init__(self, secrets: Iterable[str | Revealing] = (), *, header_names: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._secrets: frozenset[str] = frozenset()
        self._names = _NAMES | {name.lower() for name in header_names}
        self._pattern: re.Pattern[str] | None = None
        self._pieces: frozenset[str] = frozenset()
        for secret in secrets:
            self.add(secret)

    def __repr__(self) -> str:
        return f"Redactor({len(self._secrets)} secrets)"

    @property
    def longest(self) -> int:
        """Length of the longest known secret: no cut through a text may come closer than this to its edge."""
        return max((len(secret) for secret in self._secrets), default=0)

    def add(self, secret: str | Revealing) -> None:
        """From now on this value is masked wherever it appears, also percent-encoded."""
        value = secret if type(secret) is str else _revealed(secret)
        if len(value.strip()) < SHORTEST_SECRET:
            return
        with self._lock:
            if value not in self._secrets:
                self._secrets |= {value, quote(value, safe="")}
                self._pattern = _pattern(self._secrets)
                self._pieces |= {piece for secret in (value, quote(value, safe="")) for piece in _pieces(secret)}

    def add_header(self, name: str) -> None:
        """From now on the value of this header is masked."""
        with self._lock:
            self._names |= {name.lower()}

    def hides(self, name: str) -> bool:
        """Whether a header of this name carries a credential."""
        lower = name.lower()
        return lower in self._names or lower.endswith(_ENDINGS)

    def text(self, text: str) -> str:
        """The text without any known secret, nor a telling beginning of one."""
        pattern = self._pattern
        return text if pattern is None else pattern.sub(MASK, text)

    def closely(self, text: str) -> str:
        """The same for a short text that others have shortened: they may have cut a secret in two, or in its middle."""
        text, pieces = self.text(text), self._pieces
        hidden = [start for start in range(len(text) - PIECE + 1) if text[start : start + PIECE] in pieces]
        kept: list[str] = []
        end = 0
        for start in hidden:
            if start > end or not kept:
                kept += [text[end:start], MASK]
            end = start + PIECE
        return "".join([*kept, text[end:]])

    def headers(self, headers: Mapping[str, str] | Pairs) -> list[tuple[str, str]]:
        """The headers with credentials masked; the scheme (``Bearer``) stays, as it explains a refusal."""
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        return [(name, _masked(value) if self.hides(name) else self.text(value)) for name, value in pairs]


def _revealed(secret: str | Revealing) -> str:
    reveal = getattr(secret, "reveal", None)
    return str(secret if reveal is None else reveal())


def _masked(value: str) -> str:
    scheme, space, rest = value.strip().partition(" ")
    return f"{scheme} {MASK}" if space and rest.strip() and scheme.lower() in _SCHEMES else MASK


def _pieces(secret: str) -> Iterable[str]:
    """Every stretch of a long secret; one of an ordinary length may be made of ordinary words."""
    if len(secret) < LONG_SECRET:
        return []
    return (secret[start : start + PIECE] for start in range(len(secret) - PIECE + 1))


def _pattern(secrets: Iterable[str]) -> re.Pattern[str]:
    """Whole secrets first, the longest before those it may contain; then telling beginnings."""
    ordered = sorted(secrets, key=len, reverse=True)
    whole = [re.escape(secret) for secret in ordered]
    begun = [re.escape(secret[:TELLING_PREFIX]) + r"[\w\-]*" for secret in ordered if len(secret) >= LONG_SECRET]
    return re.compile("|".join(whole + begun))
