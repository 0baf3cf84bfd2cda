"""Pages, read back."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_NO_TEXT = re.compile(r"<style>.*?</style>|<script>.*?</script>|<[^>]+>", re.DOTALL)


def plain(page: str) -> str:
    """What the page says, in one line; entities stay as they are."""
    return " ".join(_NO_TEXT.sub(" ", page).split())


class Document(HTMLParser):
    """Elements by name, with the text of the scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data

    def policy(self) -> str:
        (content,) = (attrs["content"] for _, attrs in self.found if "http-equiv" in attrs)
        assert content is not None
        return content
