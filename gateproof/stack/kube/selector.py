"""Label selectors as lists are asked for with: `app=token-labs,tier!=free,team,!old` (apimachinery, `labels.Parse`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from gateproof.stack.kube.problem import bad_request

Labels = Mapping[str, str]
Selector = Callable[[Labels], bool]

_KEY = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
_VALUE = r"[-A-Za-z0-9_.]*"
_COMPARED = re.compile(rf"\s*({_KEY})\s*(==|=|!=)\s*({_VALUE})\s*")
_PRESENT = re.compile(rf"\s*(!?)\s*({_KEY})\s*")


def parse(text: str) -> Selector:
    """All of the parts must hold; an empty text selects everything. Sets (`in`, `notin`) are not known here."""
    parts = [_part(each) for each in text.split(",")] if text.strip() else []
    return lambda labels: all(holds(labels) for holds in parts)


def _part(text: str) -> Selector:
    if found := _COMPARED.fullmatch(text):
        key, operator, value = found.groups()
        # a label that is missing differs from every value
        return lambda labels: (labels.get(key) == value) == (operator != "!=")
    if found := _PRESENT.fullmatch(text):
        negated, key = found.groups()
        return lambda labels: (key in labels) != bool(negated)
    raise bad_request(f"unable to parse requirement: found '{text.strip()}'")
