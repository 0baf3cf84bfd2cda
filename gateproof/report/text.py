"""Text that came from outside, made fit to store, to print and to align. Pure."""

from __future__ import annotations

import re
import textwrap
import unicodedata

# A message or an excerpt beyond this helps nobody, and a report of 400 requirements must stay readable by tools.
TEXT_LIMIT = 8192  # characters
ELLIPSIS = "…"

# All but printable ASCII, tab and line feed, which need no second look: an excerpt is nearly nothing else.
_UNCOMMON = re.compile(r"[^\n\t\x20-\x7e]")
# Bidirectional overrides and isolates can make a terminal or a page show another text than the bytes say.
_DECEPTIVE = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """Printable and encodable: whatever is not stands there as an escape, and a cut says of how much."""
    shown = text[:limit]
    shown = _UNCOMMON.sub(lambda found: found[0] if _harmless(found[0]) else _escape(found[0]), shown)
    if max(len(text), len(shown)) <= limit:
        return shown
    # The note counts within the limit, so that cleaning what is clean changes nothing.
    note = f"{ELLIPSIS} (cut: {len(text):,} characters in all)"
    return shown[: max(limit - len(note), 0)] + note


def _harmless(character: str) -> bool:
    category = unicodedata.category(character)
    return category not in ("Cc", "Cs", "Cn", "Zl", "Zp") and character not in _DECEPTIVE


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str) -> str:
    """Every run of white space is one blank."""
    return " ".join(text.split())


def width_of(text: str) -> int:
    """Terminal cells: East Asian wide characters and most emoji take two, combining marks none."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.combining(character) or character in "\u200b\u200d\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shorten(text: str, width: int) -> str:
    """One line of at most so many cells; a cut ends with an ellipsis."""
    text = one_line(text)
    if width_of(text) <= width:
        return text
    kept, room = [], width - 1
    for character in text:
        room -= _cells(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip() + ELLIPSIS if width > 0 else ""


def wrap(text: str, width: int, *, break_words: bool = True) -> list[str]:
    """The text in lines of at most so many characters, line ends kept; unbroken words may be longer."""
    lines = [
        piece
        for line in text.splitlines()
        for piece in textwrap.wrap(line, max(width, 1), break_long_words=break_words, break_on_hyphens=False) or [""]
    ]
    return lines or [""]


def amount(number: int, noun: str, plural: str | None = None) -> str:
    """`1 request`, `9,310 tokens`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
