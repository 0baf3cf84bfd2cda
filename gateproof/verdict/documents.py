"""YAML files whose mistakes can be told with file and line. Knows nothing of what the files mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from gateproof.errors import ConfigError, near_miss

try:
    # The C parser reads the whole catalogue in a few hundredths of a second; the Python one takes ten times that.
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML built without libyaml
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]  # same interface, another base class


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed file: the data, and the nodes that know the lines."""

    path: Path
    data: object
    root: yaml.Node | None

    def line(self, *keys: str | int) -> int | None:
        """The line of the deepest part of the path that exists."""
        node, line = self.root, 1
        for key in keys:
            node, found = _child(node, key)
            if node is None:
                break
            line = found
        return line

    def error(self, problem: str, *keys: str | int, accepted: Iterable[str] | None = None) -> ConfigError:
        """A mistake at this place, to be raised by the caller."""
        key = ".".join(str(part) for part in keys) or None
        return ConfigError(problem, file=self.path, line=self.line(*keys), key=key, accepted=accepted)

    def mapping(self, value: object, *keys: str | int, required: Iterable[str], optional: Iterable[str] = ()) -> Fields:
        """The value as a mapping that has every required key and no unknown one."""
        required = tuple(required)
        known = (*required, *optional)
        if not isinstance(value, dict):
            raise self.error(f"expected a mapping, found {_kind(value)}", *keys, accepted=known)
        for key in value:
            if key not in known:
                raise self.error(f"unknown key{near_miss(str(key), known)}", *keys, str(key), accepted=known)
        for key in required:
            if key not in value:
                raise self.error(f"`{key}` is missing", *keys, accepted=known)
        return Fields(self, value, keys)


@dataclass(frozen=True, slots=True)
class Fields:
    """A checked mapping of a document; every getter raises ConfigError with the line of the value."""

    document: Document
    values: Mapping[str, object]
    keys: tuple[str | int, ...]

    def error(self, problem: str, key: str, accepted: Iterable[str] | None = None) -> ConfigError:
        return self.document.error(problem, *self.keys, key, accepted=accepted)

    def text(self, key: str) -> str:
        value = self.values[key]
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"expected a text, found {_kind(value)}", key)
        return value.strip()

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if self.values.get(key) is not None else None

    def word(self, key: str, known: Iterable[str]) -> str:
        known, value = tuple(known), self.values[key]
        if value not in known:
            raise self.error(f"`{value}` is not known{near_miss(str(value), known)}", key, known)
        return str(value)

    def sequence(self, key: str) -> list[object]:
        value = self.values[key]
        if not isinstance(value, list):
            raise self.error(f"expected a list, found {_kind(value)}", key)
        return value


def read_document(path: Path) -> Document:
    """Parse one file; anything wrong with it as YAML is a ConfigError with its line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", file=path) from error
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            document = Document(path, None, root)
            _refuse_repeated_keys(document, root, set())
            data = loader.construct_document(root) if root is not None else None
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2027-02-30
        raise _syntax_error(path, error) from error
    return Document(path, data, root)


def _syntax_error(path: Path, error: Exception) -> ConfigError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return ConfigError(f"not valid YAML: {problem}", file=path, line=mark.line + 1 if mark else None)


def _refuse_repeated_keys(document: Document, node: yaml.Node | None, visited: set[int]) -> None:
    """PyYAML keeps the last of two equal keys without a word, and a forgotten `- ` then swallows an entry."""
    if node is None or id(node) in visited or isinstance(node, yaml.ScalarNode):
        return
    visited.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_repeated_keys(document, child, visited)
        return
    names: set[str] = set()
    for key, child in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in names:
                line = key.start_mark.line + 1
                raise ConfigError("given twice", file=document.path, line=line, key=key.value)
            names.add(key.value)
        _refuse_repeated_keys(document, child, visited)


def _child(node: yaml.Node | None, key: str | int) -> tuple[yaml.Node | None, int]:
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key], node.value[key].start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for name, child in node.value:
            if name.value == str(key):
                return child, name.start_mark.line + 1
    return None, 0


_KINDS = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}


def _kind(value: object) -> str:
    if value is None or value == "":
        return "nothing"
    return _KINDS.get(type(value), f"`{value}`")
