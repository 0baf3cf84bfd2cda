"""The JSON Schema that editors use says what the loader says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gateproof.targets import schema

ROOT = Path(__file__).parents[2]
jsonschema = pytest.importorskip("jsonschema", reason="a package of the developers")


@pytest.fixture(scope="module")
def validator() -> Any:
    jsonschema.Draft202012Validator.check_schema(schema.schema())
    return jsonschema.Draft202012Validator(schema.schema())


def test_the_copy_in_docs_is_the_schema() -> None:
    copy = ROOT / "docs" / "schema" / "targets.schema.json"
    assert copy.read_text(encoding="utf-8") == schema.as_text(), f"gateproof targets schema > {copy.relative_to(ROOT)}"


def test_the_shipped_file_fits(validator: Any) -> None:
    shipped = yaml.safe_load((ROOT / "targets.yaml").read_text(encoding="utf-8"))
    assert [error.message for error in validator.iter_errors(shipped)] == []


@pytest.mark.parametrize(
    ("entry", "fits"),
    [
        ({"stack": "openai", "base_url": "http://x", "models": {"chat": "m"}}, True),
        ({"stack": "openai", "base_url": {"env": "X"}, "models": {"chat": "m"}, "key": {"env": "K"}}, True),
        ({"extends": "other"}, True),
        ({"stack": "openai", "launch": "reference", "models": {"chat": "m"}, "promises": {"keepalive": "500ms"}}, True),
        ({"stack": "openai", "launch": {"kind": "litellm", "db": True}, "models": {"chat": "m"}}, True),
        ({"stack": "opnai", "models": {"chat": "m"}}, False),
        ({"stack": "openai", "models": {"chatt": "m"}}, False),
        ({"extends": "other", "promises": {"keepalive": "5x"}}, False),
        ({"extends": "other", "tennants": {}}, False),
        ({"extends": "other", "capabilities": {"f.strem": True}}, False),
        ({"extends": "other", "key": {"evn": "K"}}, False),
        ({"extends": "other", "name": "x"}, False),
        ({"base_url": "http://x"}, False),
    ],
)
def test_it_takes_and_refuses_as_the_loader_does(validator: Any, entry: dict[str, Any], fits: bool) -> None:
    assert validator.is_valid({"targets": {"mine": entry}}) is fits


def test_a_template_may_be_incomplete(validator: Any) -> None:
    assert validator.is_valid({"targets": {"_base": {"base_url": "http://x"}}})
