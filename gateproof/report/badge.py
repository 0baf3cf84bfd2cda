"""The verdict of a run as a small SVG: no font, script or address from elsewhere. Pure."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from gateproof.report.model import Report
from gateproof.report.signs import Tone, overall_sign
from gateproof.report.text import amount, clean, shorten, width_of

# Widths in an 11 px Verdana or DejaVu Sans, in px; `textLength` makes the text fit where the reader's font differs.
_NARROW, _COMMON, _BROAD, _WIDE = 4.2, 7.0, 10.5, 11.0
_NARROW_CHARACTERS = frozenset(" .,:;|!'`()[]{}ijlftrI-")
_BROAD_CHARACTERS = frozenset("mwMW@%")
_PADDING = 6  # px, on each side of a text
_NAME_CELLS = 40  # a badge stands in a line of text
_HEIGHT = 20  # px, as of the badges it will stand beside
_ROUND = 3  # px

_LABEL_FILL = "#3c444d"
_FILLS: dict[Tone, str] = {
    "good": "#176b33",
    "warn": "#855600",
    "bad": "#b42318",
    "info": "#0a62a8",
    "odd": "#7a3bc2",
    "none": "#5d6772",
}
"""White text on each has a contrast of at least 5 to 1."""


def svg(report: Report) -> str:
    """A badge such as `my-gateway | ✓ conformant, 3 known failures`."""
    label = shorten(clean(report.target.name), _NAME_CELLS)
    sign = overall_sign(report)
    message = f"{sign.glyph} {_message(report)}"
    left, right = _width(label), _width(message)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{_HEIGHT}" role="img" '
        f"aria-label={quoteattr(f'{label}: {_message(report)}')}>"
        f"<title>{escape(f'{label}: {_message(report)} (gateproof)')}</title>"
        f'<rect width="{left + right}" height="{_HEIGHT}" rx="{_ROUND}" fill="{_FILLS[sign.tone]}"/>'
        f'<path d="M{left} 0v{_HEIGHT}H{_ROUND}a{_ROUND} {_ROUND} 0 0 1-{_ROUND}-{_ROUND}V{_ROUND}'
        f'a{_ROUND} {_ROUND} 0 0 1 {_ROUND}-{_ROUND}z" fill="{_LABEL_FILL}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">'
        f"{_text(label, 0, left)}{_text(message, left, right)}</g></svg>\n"
    )


def _message(report: Report) -> str:
    known = len(report.summary.expected)
    word = report.summary.verdict.lower()
    return f"{word}, {amount(known, 'known failure')}" if known and word == "conformant" else word


def _width(text: str) -> int:
    return round(sum(map(_cell, text))) + 2 * _PADDING


def _cell(character: str) -> float:
    if character in _NARROW_CHARACTERS:
        return _NARROW
    if character in _BROAD_CHARACTERS:
        return _BROAD
    return (0.0, _COMMON, _WIDE)[width_of(character)]


def _text(text: str, start: int, width: int) -> str:
    return f'<text x="{start + _PADDING}" y="14" textLength="{width - 2 * _PADDING}">{escape(text)}</text>'
