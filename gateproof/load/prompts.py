"""Synthetic prompts of so many tokens, the same for the same seed and index."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

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

REPEATED = 9  # times a word stands in the question for its tokens
FEW = 16  # words; fewer make texts that are all alike
_STEP = 7919  # a prime: walks through the words in another order for each start


@dataclass(frozen=True, slots=True)
class Scale:
    """Tokens of a prompt of n words: ``fixed`` of the chat template and n times ``per_word``; measured, not known."""

    fixed: float = 0.0
    per_word: float = 1.0
    exact: bool = False
    """Whether the measurements lie on the line: then every prompt has exactly the tokens that it should."""
    per_turn: float = 0.0
    """Of the chat template, for an answer and the question after it."""
    vocabulary: tuple[str, ...] = WORDS
    """Words to write with."""
    filler: str = ""
    """A word of one token where the others have more, for the counts between two of theirs; empty: none."""

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Scale:
        return cls(**{**plain, "vocabulary": tuple(plain["vocabulary"])})

    def words(self, tokens: int, *, first: bool = True) -> int:
        """Of a question with so many tokens; the ``first`` of a conversation bears what is ``fixed``."""
        return self.plain_words(tokens - self._template(first=first))

    def plain_words(self, tokens: float) -> int:
        """Of a text that no template stands around."""
        return max(1, math.floor(tokens / self.per_word + (0 if self.filler else 0.5)))

    def padding(self, tokens: int, *, first: bool = True) -> str:
        """What a question of ``words`` lacks of its tokens, to be put behind it."""
        return self.plain_padding(tokens - self._template(first=first))

    def plain_padding(self, tokens: float) -> str:
        if not self.filler:
            return ""
        return f" {self.filler}" * math.floor(tokens - self.per_word * self.plain_words(tokens) + 0.5)

    def _template(self, *, first: bool) -> float:
        return self.fixed if first else self.per_turn

    def tokens(self, words: int) -> int:
        return math.floor(self.fixed + self.per_word * words + 0.5)


MEASURED_AT = (8, 64, 256)  # words; three points, so that a line can be refuted


def measure(count: Callable[[str], int], vocabulary: tuple[str, ...] = WORDS) -> Scale:
    """The scale of a target, by asking it for the tokens of prompts of a few lengths."""
    points = [(number, count(text(number, seed=number, vocabulary=vocabulary))) for number in MEASURED_AT]
    (first, least), (middle, between), (last, most) = points
    per_word = (most - least) / (last - first)
    if per_word <= 0:
        return Scale()
    scale = Scale(least - per_word * first, per_word, vocabulary=vocabulary)
    # at another number of tokens a word, some lengths lie between two prompts
    return replace(scale, exact=scale.tokens(middle) == between and per_word == 1)


def measure_words(count: Callable[[str], int]) -> Scale:
    """The scale of words that have equally many tokens, one question for each word; not exact where there is none.

    A tokenizer that splits at blanks first, as those of the usual models do, counts any prompt of such words alike.
    Words of the fewest tokens are taken first; where they have more than one, a word of one fills up.
    """
    counts = {word: count(" ".join([word] * REPEATED)) for word in dict.fromkeys(WORDS)}
    for least in sorted(set(counts.values())):
        alike = tuple(word for word in counts if counts[word] == least)
        if len(alike) < FEW:
            continue
        scale = measure(count, alike)
        if scale.exact:
            return scale
        filler = min(counts, key=counts.__getitem__)
        if _fills_up(count, scale, filler):
            return replace(scale, filler=filler, exact=True)
    return Scale()


def _fills_up(count: Callable[[str], int], scale: Scale, filler: str) -> bool:
    """Whether texts with fillers behind them have exactly the tokens that they should have."""
    filled = replace(scale, filler=filler)
    wanted = [filled.tokens(number) + more for number in MEASURED_AT for more in range(int(scale.per_word))]
    return scale.per_word == int(scale.per_word) and all(
        count(text(filled.words(tokens), seed=tokens, vocabulary=scale.vocabulary) + filled.padding(tokens)) == tokens
        for tokens in wanted
    )


def text(words: int, *, seed: int, start: str = "", vocabulary: tuple[str, ...] = WORDS) -> str:
    """So many words; ``start`` is put in front and counted by nobody."""
    number = len(vocabulary)
    place, stride = seed * _STEP % number, 1 + seed % (number - 1)
    return start + " ".join(vocabulary[(place + each * stride) % number] for each in range(words))


def unique(seed: int, index: int, vocabulary: tuple[str, ...] = WORDS) -> str:
    """Words that no request of another seed or index begins with, so that no cache answers in the model's place.

    They are the digits of a number of 32 bits: ordinary words, so that the count of tokens stays exact.
    """
    left, number = 0xFFFF_FFFF, (seed * 0x9E37_79B9 + index) & 0xFFFF_FFFF
    digits = tuple(dict.fromkeys(vocabulary))
    said = []
    while left:
        left //= len(digits)
        number, digit = divmod(number, len(digits))
        said.append(digits[digit])
    return " ".join(said) + " "
