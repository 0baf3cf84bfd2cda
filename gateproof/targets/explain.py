"""pydantic's errors in our own words: where, what was found, what is accepted, the near miss."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateproof.errors import ConfigError, near_miss
from gateproof.targets.positions import Tree

_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_SECRET_WORDS = ("key", "headers")


def first(error: ValidationError, tree: Tree, file: Path, name: str, model: type[BaseModel]) -> ConfigError:
    """The topmost mistake of an entry as a ConfigError; how many follow is told, too."""
    told = [each for each in error.errors() if each["type"] != "default_factory_not_called"]
    details = sorted(told, key=lambda each: tree.line_of(_keys(each)))
    top, more = details[0], len({_keys(each) for each in details}) - 1
    keys = _keys(top)
    problem, accepted = _problem(top, keys, model)
    if more:
        problem += f" (and {more} more mistake{'s' if more > 1 else ''} in `{name}`)"
    return ConfigError(
        problem,
        file=file,
        line=tree.line_of(keys),
        key=".".join((name, *map(str, tree.without_singles(keys)))),
        accepted=accepted,
    )


def shown(value: Any) -> str:
    """What was found, short."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    longest = 60  # characters that fit in one line of a terminal beside the rest
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _keys(detail: ErrorDetails) -> tuple[str | int, ...]:
    return (*(part for part in detail["loc"] if part != "[key]"), *detail.get("ctx", {}).get("at", ()))


def _problem(
    detail: ErrorDetails, keys: tuple[str | int, ...], model: type[BaseModel]
) -> tuple[str, Sequence[str] | str | None]:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "mistake":
        return str(context["problem"]), context["accepted"] or None
    if kind == "extra_forbidden":
        known = _accepted_at(model, keys[:-1])
        return f"unknown key{near_miss(str(keys[-1]), known)}", known
    if kind == "missing":
        return "missing key", None
    found = shown(detail["input"])
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", context["expected"])
        hint = near_miss(str(detail["input"]), words)
        problem = f"unknown key{hint}" if detail["loc"][-1] == "[key]" else f"unknown word {found}{hint}"
        return problem, words
    if any(word in keys for word in _SECRET_WORDS) and isinstance(detail["input"], str):
        found = "a text"  # which may be a key
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, found {found}", None
    message = detail["msg"]
    return f"{message[:1].lower()}{message[1:]}, found {found}", None


def _accepted_at(model: type[BaseModel], keys: Sequence[str | int]) -> list[str]:
    """The keys of the mapping at a path."""
    here: Any = model
    for key in keys:
        here = _below(here, key)
    kind = _model_in(here)
    hidden = {"name"} if kind is model else {"literal"}
    fields = kind.model_fields.items() if kind else ()
    return [field.alias or name for name, field in fields if name not in hidden]


def _below(annotation: Any, key: str | int) -> Any:
    kind = _model_in(annotation)
    if kind is not None:
        field = kind.model_fields.get(str(key))
        return field.annotation if field else None
    for part in (annotation, *typing.get_args(annotation)):
        if typing.get_origin(part) in (dict, list):
            return typing.get_args(part)[-1]
    return None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model among the alternatives of ``X | None``."""
    parts = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return next((part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)), None)
