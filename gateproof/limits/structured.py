"""Structured Fields for HTTP (RFC 9651): lists of items with parameters, read as strictly as §4.2 says.

Dictionaries are left out: no field that is read here is one.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LONGEST_INTEGER = 15  # digits, RFC 9651 §3.3.1
LONGEST_WHOLE, LONGEST_FRACTION = 12, 3  # digits of a decimal, §3.3.2

_NUMBER = re.compile(r"-?(\d+)(?:\.(\d+))?", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~:/0-9A-Za-z-]*")
_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_STRING = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BYTES = re.compile(r":([A-Za-z0-9+/=]*):")
_BOOLEAN = re.compile(r"\?([01])")
_DATE = re.compile(r"@(-?\d{1,15})(?![\d.])", re.ASCII)
_DISPLAY = re.compile(r'%"((?:[\x20-\x21\x23-\x24\x26-\x7e]|%[0-9a-f]{2})*)"')
_OWS = " \t"


class NotStructured(ValueError):
    """The field breaks the grammar; the text says what was expected where."""


class Token(str):
    """A bare word, which is something else than a string in quotes."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Date:
    """Seconds since the epoch (§3.3.7)."""

    seconds: int


Bare = int | float | str | Token | bytes | bool | Date


@dataclass(frozen=True, slots=True)
class Item:
    """A value, or an inner list of items, with its parameters; a parameter without a value is True."""

    value: Bare | tuple[Item, ...]
    parameters: Mapping[str, Bare] = field(default_factory=dict)


def parse_list(text: str) -> tuple[Item, ...]:
    """The members of a List (§4.2.1); NotStructured when the field is none. An empty field is an empty list."""
    if not text.isascii():
        raise NotStructured("a character that is not ASCII")
    return _Reader(text).list()


class _Reader:
    """One pass over a field; ``at`` is the next character."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text.strip(" "), 0

    def list(self) -> tuple[Item, ...]:
        members: list[Item] = []
        while self.at < len(self.text):
            members.append(self.member())
            self.skip(_OWS)
            if self.at == len(self.text):
                break
            if not self.take(","):
                raise self.wrong("a comma")
            self.skip(_OWS)
            if self.at == len(self.text):
                raise self.wrong("a member after the last comma")
        return tuple(members)

    def member(self) -> Item:
        if not self.take("("):
            return self.item()
        items: list[Item] = []
        while True:
            self.skip(" ")
            if self.take(")"):
                return Item(tuple(items), self.parameters())
            items.append(self.item())
            if self.peek not in (" ", ")"):
                raise self.wrong("a space or `)` after an item of an inner list")

    def item(self) -> Item:
        return Item(self.bare(), self.parameters())

    def parameters(self) -> dict[str, Bare]:
        found: dict[str, Bare] = {}
        while self.take(";"):
            self.skip(" ")
            key = self.match(_KEY, "a parameter's key in lower case")[0]
            found.pop(key, None)  # the last one counts, and stands last (§4.2.3.2)
            found[key] = self.bare() if self.take("=") else True
        return found

    def bare(self) -> Bare:
        if (read := _READERS.get(self.peek)) is not None:
            return read(self)
        if self.peek == "-" or self.peek.isdigit():
            return self.number()
        if self.peek.isalpha() or self.peek == "*":
            return Token(self.match(_TOKEN, "a token")[0])
        raise self.wrong("an item")

    def number(self) -> int | float:
        whole, fraction = (found := self.match(_NUMBER, "digits")).groups()
        if fraction is None:
            if self.peek == ".":
                raise self.wrong("digits after the point")
            if len(whole) > LONGEST_INTEGER:
                raise self.wrong(f"at most {LONGEST_INTEGER} digits")
            return int(found[0])
        if len(whole) > LONGEST_WHOLE or len(fraction) > LONGEST_FRACTION:
            raise self.wrong(f"at most {LONGEST_WHOLE} digits before the point and {LONGEST_FRACTION} after it")
        return float(found[0])

    def string(self) -> str:
        return re.sub(r'\\(["\\])', r"\1", self.match(_STRING, "a string in double quotes")[1])

    def binary(self) -> bytes:
        try:
            return base64.b64decode(self.match(_BYTES, "base64 between colons")[1], validate=True)
        except binascii.Error:
            raise self.wrong("base64") from None

    def boolean(self) -> bool:
        return self.match(_BOOLEAN, "?0 or ?1")[1] == "1"

    def date(self) -> Date:
        return Date(int(self.match(_DATE, "@ and seconds")[1]))

    def display(self) -> str:
        escaped = self.match(_DISPLAY, "a display string")[1]
        raw = re.sub(r"%([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), escaped)
        try:
            return raw.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            raise self.wrong("UTF-8 in a display string") from None

    @property
    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, character: str) -> bool:
        if self.peek != character:
            return False
        self.at += 1
        return True

    def skip(self, characters: str) -> None:
        while self.peek and self.peek in characters:
            self.at += 1

    def match(self, pattern: re.Pattern[str], wanted: str) -> re.Match[str]:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise self.wrong(wanted)
        self.at = found.end()
        return found

    def wrong(self, wanted: str) -> NotStructured:
        rest = self.text[self.at : self.at + 20]
        return NotStructured(f"expected {wanted} at position {self.at}, found {rest!r}")


_READERS: dict[str, Callable[[_Reader], Bare]] = {
    '"': _Reader.string,
    ":": _Reader.binary,
    "?": _Reader.boolean,
    "@": _Reader.date,
    "%": _Reader.display,
}
