"""Synthetic prompts of so many tokens, the same for the same seed and index."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

# Common words that BPE vocabularies of the usual models hold as one token each, blank included; how many tokens they
# really are is measured on the target before a run, not believed.
_TEXT = """
the of and to in is that it was for on are as with his they at be this have from or had by word but what some we can
out other were all there when up use your how said an each she which do their time if will way about many then them
write would like so these her long make thing see him two has look more day could go come did number sound no most
people my over know water than call first who may down side been now find any new work part take get place made live
where after back little only round man year came show every good me give our under name
"""
WORDS = tuple(_TEXT.split())

_STEP = 7919  # a prime: walks through the words in another order for each start


@dataclass(frozen=True, slots=True)
class Scale:
    """Tokens of a prompt of n words: ``fixed`` of the chat template and n times ``per_word``; measured, not known."""

    fixed: float = 0.0
    per_word: float = 1.0
    exact: bool = False
    """Whether the measurements lie on the line: then every prompt has exactly the tokens that it should."""

    def words(self, tokens: int) -> int:
        return max(1, math.floor((tokens - self.fixed) / self.per_word + 0.5))

    def tokens(self, words: int) -> int:
        return math.floor(self.fixed + self.per_word * words + 0.5)


MEASURED_AT = (8, 64, 256)  # words; three points, so that a line can be refuted


def measure(count: Callable[[str], int]) -> Scale:
    """The scale of a target, by asking it for the tokens of prompts of a few lengths."""
    points = [(number, count(text(number, seed=number))) for number in MEASURED_AT]
    (first, least), (_, middle), (last, most) = points[0], points[1], points[-1]
    per_word = (most - least) / (last - first)
    scale = Scale(least - per_word * first, per_word)
    on_the_line = scale.tokens(points[1][0]) == middle and per_word == round(per_word)
    return Scale(scale.fixed, per_word, exact=on_the_line) if per_word > 0 else Scale()


def text(words: int, *, seed: int, start: str = "") -> str:
    """So many words; ``start`` is put in front and counted by nobody."""
    place = seed * _STEP % len(WORDS)
    chosen = (WORDS[(place + number * (1 + seed % (len(WORDS) - 1))) % len(WORDS)] for number in range(words))
    return start + " ".join(chosen)


def unique(seed: int, index: int) -> str:
    """A word that no other request of any run begins with, so that no cache answers in the model's place."""
    return f"{(seed * 0x9E37_79B9 + index) & 0xFFFF_FFFF:08x} "
