"""YAML as trees that know the line of every key and value, so that a mistake can be pointed at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml

from gateproof.errors import ConfigError


class _Loader(Protocol):
    def get_single_node(self) -> yaml.Node | None: ...
    def construct_object(self, node: yaml.Node, deep: bool = ...) -> Any: ...
    def dispose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Tree:
    """A value with the line it stands on: of its key inside a mapping, else of itself."""

    value: dict[str, Tree] | list[Tree] | Any
    line: int

    def plain(self) -> Any:
        """The same without lines."""
        if isinstance(self.value, dict):
            return {key: tree.plain() for key, tree in self.value.items()}
        if isinstance(self.value, list):
            return [tree.plain() for tree in self.value]
        return self.value

    def child(self, key: object) -> Tree | None:
        if isinstance(self.value, dict) and isinstance(key, str):
            return self.value.get(key)
        if isinstance(self.value, list) and isinstance(key, int) and key < len(self.value):
            return self.value[key]
        return None

    def line_of(self, keys: Iterable[object]) -> int:
        """The line of a key path, or of the nearest part of it that exists."""
        tree = self
        for key in keys:
            below = tree.child(key)
            if below is None and key == 0 and isinstance(tree.value, dict):
                continue  # one mapping may stand for a list of one
            if below is None:
                break
            tree = below
        return tree.line

    def without_singles(self, keys: Iterable[str | int]) -> tuple[str | int, ...]:
        """The path as it stands in the file, where one mapping stands for a list of one."""
        kept: list[str | int] = []
        tree: Tree | None = self
        for key in keys:
            if tree is not None and key == 0 and isinstance(tree.value, dict):
                continue
            kept.append(key)
            tree = tree.child(key) if tree is not None else None
        return tuple(kept)

    def merged_over(self, parent: Tree) -> Tree:
        """Mappings are merged, all else is replaced."""
        if not isinstance(self.value, dict) or not isinstance(parent.value, dict):
            return self
        merged = dict(parent.value)
        for key, tree in self.value.items():
            merged[key] = tree.merged_over(merged[key]) if key in merged else tree
        return Tree(merged, self.line)


def read(text: str, file: Path) -> Tree:
    """The tree of a YAML text; duplicate keys and keys that are not text are refused here."""
    loader: _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise ConfigError("the file is empty", file=file, accepted="targets: {NAME: {...}}")
        return _tree(node, loader, file, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(filter(None, (error.problem, error.context)))
        raise ConfigError(f"not YAML: {problem}", file=file, line=mark.line + 1 if mark else None) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {' '.join(str(error).split())}", file=file) from None
    finally:
        loader.dispose()


def _tree(node: yaml.Node, loader: _Loader, file: Path, path: tuple[str, ...], above: Sequence[yaml.Node] = ()) -> Tree:
    line = node.start_mark.line + 1
    if any(node is each for each in above):
        raise ConfigError("an anchor that contains itself", file=file, line=line, key=".".join(path))
    above = (*above, node)
    if isinstance(node, yaml.SequenceNode):
        items = [_tree(item, loader, file, (*path, str(index)), above) for index, item in enumerate(node.value)]
        return Tree(items, line)
    if not isinstance(node, yaml.MappingNode):
        return Tree(loader.construct_object(node), line)
    value: dict[str, Tree] = {}
    for key_node, value_node in node.value:
        key = _key(key_node, loader, file, path)
        where = (*path, key)
        if key in value:
            problem = f"duplicate key, first given in line {value[key].line}"
            raise ConfigError(problem, file=file, line=key_node.start_mark.line + 1, key=".".join(where))
        value[key] = Tree(_tree(value_node, loader, file, where, above).value, key_node.start_mark.line + 1)
    return Tree(value, line)


def _key(node: yaml.Node, loader: _Loader, file: Path, path: tuple[str, ...]) -> str:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.ScalarNode):
        raise ConfigError("a key must be text", file=file, line=line, key=".".join(path))
    if node.tag == "tag:yaml.org,2002:merge":
        raise ConfigError("`<<` is not supported", file=file, line=line, key=".".join(path), accepted="extends: NAME")
    key = loader.construct_object(node)
    if not isinstance(key, str):
        raise ConfigError(f"the key {node.value} is not text: quote it", file=file, line=line, key=".".join(path))
    return key
