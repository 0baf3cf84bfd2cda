"""Prometheus' text format, version 0.0.4, read as Prometheus reads it: one mistake, and the whole page is refused.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format. Line by line, so that whoever reads a
long page can let others have their turn in between; families that nobody wants cost one look at their name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\[\\n"])*)"[ \t]*')
_START = re.compile(rf"({NAME})[ \t]*")
_COMMENT = re.compile(rf"#[ \t]+(TYPE|HELP)[ \t]+({NAME})(?:[ \t]+(.*))?$")
_ESCAPES = re.compile(r"\\([\\n\"])")

KINDS = ("counter", "gauge", "histogram", "summary", "untyped")
_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}

Labels = tuple[tuple[str, str], ...]
"""Names and values, sorted by name."""


class MalformedPage(Exception):
    """A page that is no exposition: the line and what is wrong with it, without the text itself."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")


@dataclass(frozen=True, slots=True)
class Buckets:
    """A histogram at one instant: ``counts[i]`` observations were at most ``edges[i]``; the last edge is infinite."""

    edges: tuple[float, ...]
    counts: tuple[float, ...]
    sum: float | None = None

    @property
    def count(self) -> float:
        return self.counts[-1]


@dataclass
class Family:
    """One metric: ``values`` by labels, or for a histogram ``histograms``; a summary has neither."""

    name: str
    kind: str = "untyped"
    values: dict[Labels, float] = field(default_factory=dict)
    histograms: dict[Labels, Buckets] = field(default_factory=dict)


@dataclass
class _Parts:
    """A histogram's samples until its page is through."""

    buckets: dict[float, float] = field(default_factory=dict)
    sum: float | None = None
    count: float | None = None


class Page:
    """``line`` for each line, then ``families``. ``wanted`` holds the names to keep; None keeps all."""

    def __init__(self, wanted: Container[str] | None = None) -> None:
        self._wanted = wanted
        self._number = 0
        self._families: dict[str, Family] = {}
        self._typed: set[str] = set()
        self._parts: dict[str, dict[Labels, _Parts]] = {}
        self._seen: set[tuple[str, Labels]] = set()

    def line(self, text: str) -> None:
        self._number += 1
        stripped = text.strip(" \t")
        if not stripped:
            return
        if stripped.startswith("#"):
            self._comment(stripped)
            return
        started = _START.match(stripped)
        if started is None:
            raise self._bad("no metric name")
        name = started[1]
        family = self._family_of(name)
        if family is None:
            return
        labels, rest = self._labels(stripped, started.end())
        self._sample(family, name, labels, self._value(rest))

    def families(self) -> dict[str, Family]:
        """By name; histograms put together from their samples."""
        for name, series in self._parts.items():
            for labels, parts in series.items():
                self._families[name].histograms[labels] = self._buckets(name, parts)
        return self._families

    def _bad(self, problem: str) -> MalformedPage:
        return MalformedPage(self._number, problem)

    def _comment(self, text: str) -> None:
        found = _COMMENT.match(text)
        if found is None or found[1] == "HELP":
            return
        name, kind = found[2], (found[3] or "").strip()
        if kind not in KINDS:
            raise self._bad(f"`{kind[:20]}` is no type")
        if name in self._typed or name in self._families:
            raise self._bad(f"the type of {name} comes twice or after its samples")
        self._typed.add(name)
        if self._wanted is None or name in self._wanted:
            self._families[name] = Family(name, kind)

    def _family_of(self, sample: str) -> Family | None:
        """The family of a sample; a histogram's stand under longer names than its own."""
        if sample in self._families:
            return self._families[sample]
        base, _, suffix = sample.rpartition("_")
        family = self._families.get(base)
        if family is not None and f"_{suffix}" in _SUFFIXES.get(family.kind, ()):
            return family
        if sample in self._typed or (self._wanted is not None and sample not in self._wanted):
            return None
        return self._families.setdefault(sample, Family(sample))

    def _labels(self, text: str, at: int) -> tuple[Labels, str]:
        if text[at : at + 1] != "{":
            return (), text[at:]
        at += 1
        found: dict[str, str] = {}
        while (label := _LABEL.match(text, at)) is not None:
            if label[1] in found:
                raise self._bad(f"label {label[1]} twice")
            found[label[1]] = _ESCAPES.sub(lambda escape: "\n" if escape[1] == "n" else escape[1], label[2])
            at = label.end()
            if text[at : at + 1] != ",":
                break
            at += 1
        while text[at : at + 1] in (" ", "\t"):
            at += 1
        if text[at : at + 1] != "}":
            raise self._bad("labels that do not end, or a wrong escape in one")
        return tuple(sorted(found.items())), text[at + 1 :]

    def _value(self, rest: str) -> float:
        """A number, and perhaps a time in milliseconds, which is of no use to us but must be one."""
        words = rest.split()
        if not 1 <= len(words) <= 2 or (len(words) == 2 and not re.fullmatch(r"-?\d+", words[1])):
            raise self._bad("one value is needed, and at most a time behind it")
        return self._number_of(words[0])

    def _number_of(self, word: str) -> float:
        try:
            return float(word if "_" not in word else "")
        except ValueError:
            raise self._bad(f"`{word[:20]}` is no number") from None

    def _sample(self, family: Family, name: str, labels: Labels, value: float) -> None:
        if (name, labels) in self._seen:
            raise self._bad(f"{name} twice with the same labels")
        self._seen.add((name, labels))
        if family.kind == "summary":
            return
        if family.kind != "histogram":
            family.values[labels] = value
            return
        suffix = name.removeprefix(family.name)
        edge = next((text for label, text in labels if label == "le"), None)
        parts = self._parts.setdefault(family.name, {}).setdefault(_without_edge(labels), _Parts())
        match suffix:
            case "_bucket" if edge is not None:
                parts.buckets[self._number_of(edge)] = value
            case "_sum":
                parts.sum = value
            case "_count":
                parts.count = value
            case _:
                raise self._bad(f"{name} is no part of a histogram")

    def _buckets(self, name: str, parts: _Parts) -> Buckets:
        edges = tuple(sorted(parts.buckets))
        counts = tuple(parts.buckets[edge] for edge in edges)
        if not edges or edges[-1] != math.inf:
            raise self._bad(f"{name} has no bucket without an upper edge")
        if any(low > high for low, high in pairwise(counts)):
            raise self._bad(f"the buckets of {name} do not add up")
        if parts.count is not None and parts.count != counts[-1]:
            raise self._bad(f"{name} counts {parts.count:g}, its buckets {counts[-1]:g}")
        return Buckets(edges, counts, parts.sum)


def parse(text: str, wanted: Container[str] | None = None) -> Mapping[str, Family]:
    """A whole page at once. Lines end with a line feed alone: other breaks may stand within a label."""
    page = Page(wanted)
    for line in lines(text):
        page.line(line)
    return page.families()


def lines(text: str) -> Iterator[str]:
    yield from text.split("\n")


def _without_edge(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] != "le")
