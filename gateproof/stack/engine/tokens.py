"""How this engine counts: a token is up to four characters that are no blank, with the blanks before them."""

from __future__ import annotations

import hashlib
import re

TOKEN = re.compile(r"\s*\S{1,4}|\s+$")
PER_MESSAGE = 3  # tokens that a chat template adds to each message
WORDS = ("red", "oak", "sun", "sea", "map", "ink", "fox", "jar", "bee", "ice", "elm", "sky", "tin", "owl", "pen", "yam")


def split(text: str) -> list[str]:
    """The tokens of a text; joined they are the text again."""
    return TOKEN.findall(text)


def count(text: str) -> int:
    return len(split(text))


def made_up(seed: str, number: int) -> str:
    """``number`` tokens that depend on nothing but the seed."""
    digest = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()
    words = [WORDS[digest[index % len(digest)] % len(WORDS)] for index in range(number)]
    return " ".join(words)
