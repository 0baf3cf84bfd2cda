"""The frame: nothing from outside is markup, no script runs that was not given, and the colours can be read."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from gateproof.report.html.frame import asset, environment, fragment, json_block, page
from tests.unit.html_reading import Document
from tests.unit.report_samples import HOSTILE

READABLE = 4.5  # contrast of text, WCAG 2.2 success criterion 1.4.3
TONES = ("good", "warn", "bad", "info", "odd", "none")


def test_only_the_given_scripts_are_allowed() -> None:
    document = Document(page("x", Markup("<p>"), scripts=["let given = 1;"]))
    sources = [text for text in document.scripts if text.strip()]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in sources]
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    assert "let given = 1;" in sources
    assert f"script-src {allowed};" in document.policy()
    assert document.policy().startswith("default-src 'none';")


def test_nothing_is_fetched() -> None:
    text = page("x", Markup("<p>"))
    links = [attrs.get("href") or attrs.get("src") for _, attrs in Document(text).found]
    assert [link for link in links if link and not link.startswith(("#", "data:"))] == []
    assert not re.search(r"url\(|@import|https?://", text)


@pytest.mark.parametrize("source", ["a</SCRIPT>b", "<!-- x", "a\r\nb", "\0"])
def test_a_script_that_html_would_change_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="HTML does not leave as it is"):
        page("x", Markup(""), scripts=[source])


def test_the_title_is_text() -> None:
    text = page(f"</title>{HOSTILE}", Markup(""))
    assert "&lt;/title&gt;\\x1b[31m\\x00\\ud800\\u202e|`&lt;/pre&gt;&lt;script&gt;@all" in text
    text.encode("utf-8")


def test_data_comes_back_as_it_was_and_is_no_markup() -> None:
    value = {"</script>": ["<!--", "&amp;", HOSTILE, 1.5, None]}
    block = json_block('a"b', value)
    assert block.count("<") == 2
    assert 'id="a&#34;b"' in block
    assert json.loads(block.partition(">")[2].removesuffix("</script>")) == value


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_have_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_block("x", [number])


def test_a_template_escapes_and_refuses_unknown_names() -> None:
    template = environment().from_string("{{ text }}|{{ made }}|{{ 5 }}")
    assert template.render(text=HOSTILE[:7] + "<b>", made=Markup("<b>")) == "\\x1b[31m\\x00\\ud800&lt;b&gt;|<b>|5"
    with pytest.raises(UndefinedError):
        environment().from_string("{{ missing }}").render()


def test_a_banner_says_the_verdict_without_colour() -> None:
    template = environment().from_string(
        '{% from "parts.html.j2" import banner %}{{ banner("load", "n", "✗", "FAIL", "bad", ["a", "b"], ["stop"]) }}'
    )
    text = re.sub(r"<[^>]+>|\s+", " ", template.render())
    assert " ".join(text.split()) == "load n ✗ FAIL a, b stop"


def test_a_fragment_is_markup() -> None:
    made = fragment("frame.html.j2", title="<", body="<", head="", policy="", style="", scripts=[])
    assert isinstance(made, Markup)
    assert "<title>&lt;</title>" in made


def schemes() -> dict[str, dict[str, str]]:
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in asset("style.css").split("@media", 1))
    return {"light": light, "dark": light | {name: dark[name] for name in light}}


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_can_be_read_where_it_stands(scheme: str) -> None:
    colours = schemes()[scheme]
    on_page = ["text", "muted", "accent", *TONES, *(f"series-{number}" for number in range(1, 9))]
    pairs = [*itertools.product(on_page, ("bg", "raised")), *((tone, f"{tone}-fill") for tone in TONES)]
    assert {pair: ratio for pair in pairs if (ratio := contrast(*(colours[name] for name in pair))) < READABLE} == {}
