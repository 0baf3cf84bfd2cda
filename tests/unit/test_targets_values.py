"""Durations, keys, values: what people write and what it means."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gateproof.targets.values import Duration, KeyRef, Limit, Quota, Value, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (2, 2.0),
        (0.5, 0.5),
        ("500ms", 0.5),
        ("2s", 2.0),
        ("1.5s", 1.5),
        ("1m", 60.0),
        ("24h", 86_400.0),
        ("7d", 604_800.0),
    ],
)
def test_a_duration_is_seconds(written: Any, seconds: float) -> None:
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written", [0, -1, "0s", "", "s", "2 s", "2sec", "1m30s", True, None, [], float("inf"), float("nan"), "1e3s"]
)
def test_nothing_else_is_a_duration(written: Any) -> None:
    with pytest.raises(ValidationError, match="not a duration"):
        TypeAdapter(Duration).validate_python(written)


@given(st.integers(min_value=1, max_value=10**9))
def test_units_agree(number: int) -> None:
    assert parse_duration(f"{number}ms") == pytest.approx(parse_duration(number) / 1000)
    assert parse_duration(f"{number}m") == pytest.approx(parse_duration(f"{number * 60}s"))


@pytest.mark.parametrize(
    ("written", "kind", "told"),
    [
        ("sk-1", "literal", "literal"),
        ({"env": "A_KEY"}, "env", "env A_KEY"),
        ({"file": "~/key"}, "file", "file ~/key"),
        ({"secret": {"namespace": "n", "name": "s", "key": "k"}}, "secret", "secret n/s"),
    ],
)
def test_a_key_has_one_kind(written: Any, kind: str, told: str) -> None:
    ref = KeyRef.model_validate(written)
    assert (ref.kind, str(ref)) == (kind, told)


def test_a_key_never_shows() -> None:
    ref = KeyRef.model_validate("sk-hunter2")
    assert "hunter2" not in f"{ref} {ref!r} {ref.model_dump()} {ref.model_dump_json()}"


def test_a_value_is_a_text_or_a_variable() -> None:
    assert Value.model_validate("x").literal == "x"
    assert Value.model_validate({"env": "A", "default": "b"}).default == "b"


def test_limits_have_defaults_that_claim_nothing() -> None:
    limit = Limit.model_validate({"limit": 5, "window": "1m"})
    assert (limit.window, limit.algorithm, limit.aligned) == (60.0, "unknown", None)
    assert Quota.model_validate({"limit": 5, "window": "1m"}).mode == "after"
