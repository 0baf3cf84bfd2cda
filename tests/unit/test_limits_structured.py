"""Structured fields: the grammar of RFC 9651, as far as limit headers use it, and nothing beside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.limits.structured import Date, Item, NotStructured, Token, parse_list
from tests.unit.limiters import patient


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("", ()),
        ("1, 42", (Item(1), Item(42))),
        ("-7 ,\t0.5", (Item(-7), Item(0.5))),
        ('"a \\"b\\" \\\\"', (Item('a "b" \\'),)),
        ("sugar;a;b=?0;c=tea", (Item(Token("sugar"), {"a": True, "b": False, "c": Token("tea")}),)),
        ("a;x=1;x=2", (Item(Token("a"), {"x": 2}),)),
        (":aGVsbG8=:", (Item(b"hello"),)),
        ("@1659578233", (Item(Date(1659578233)),)),
        ('%"f%c3%bc"', (Item("fü"),)),
        ('("foo" "bar");lvl=5, ()', (Item((Item("foo"), Item("bar")), {"lvl": 5}), Item(()))),
        ("*x/y:z", (Item(Token("*x/y:z")),)),
        ("999999999999999", (Item(999999999999999),)),
    ],
)
def test_what_the_grammar_allows(text: str, items: tuple[Item, ...]) -> None:
    assert items == parse_list(text)


@pytest.mark.parametrize(
    "text",
    [
        "1,", ",1", "1 2", "1.", ".5", "--1", "1.2345", "1234567890123456", "1234567890123.1", '"open', '"tab\t"',
        '"\\x"', "?2", ":a*b:", "a;B=1", "a; =1", "(1 2", "(1,2)", "@1.5", '%"%C3"', '%"%ff"', "ü", "a;b=", "=1",
    ],
)  # fmt: skip
def test_what_it_does_not(text: str) -> None:
    with pytest.raises(NotStructured, match=r"expected|not ASCII"):
        parse_list(text)


@patient
@given(st.text(alphabet='abc 01.,;="?:@%()\\*\t-', max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        items = parse_list(text)
    except NotStructured:
        return
    assert bool(items) == bool(text.strip(" "))
