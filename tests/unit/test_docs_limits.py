"""docs/limits.md says what the code does: its numbers are the constants, its pictures are drawn by their script."""

from __future__ import annotations

import importlib
import runpy
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from gateproof.limits.script import parse

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "limits.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:3] for line in TEXT.splitlines() if line.startswith("| `")]
PICTURES = runpy.run_path(str(DOCS / "pictures" / "make.py"))["pictures"]()


@pytest.mark.parametrize(("name", "value"), [(row[0].strip(" `"), row[1].strip()) for row in ROWS])
def test_a_slack_is_what_the_code_has(name: str, value: str) -> None:
    module, _, constant = name.partition(".")

    assert getattr(importlib.import_module(f"gateproof.limits.{module}"), constant) == float(value)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_as_its_script_draws_it(name: str) -> None:
    drawn = (DOCS / "pictures" / name).read_text(encoding="utf-8")

    assert drawn == PICTURES[name]
    assert ET.fromstring(drawn).tag == "{http://www.w3.org/2000/svg}svg"
    assert f"(pictures/{name})" in TEXT


def test_the_script_it_shows_can_be_replayed() -> None:
    shown = TEXT.partition("```yaml\n")[2].partition("```")[0]

    assert [step.kind for step in parse(shown).steps] == ["stream", "abort", "burst"]
