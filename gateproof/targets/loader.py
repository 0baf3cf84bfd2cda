"""``targets.yaml`` → targets. Every mistake is told as ``file:line: key.path: problem`` with what is accepted."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateproof.errors import ConfigError, near_miss
from gateproof.targets import explain, positions
from gateproof.targets.model import Target
from gateproof.targets.positions import Tree

DEFAULT_FILE = Path("targets.yaml")
TEMPLATE_PREFIX = "_"
"""An entry whose name begins so can only be extended."""


class Targets:
    """The entries of one file. Each is read and resolved when it is asked for, never before."""

    def __init__(self, file: Path, entries: Mapping[str, Tree]) -> None:
        self.file = file
        self._entries = entries

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._entries if not name.startswith(TEMPLATE_PREFIX))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in list(self)

    def get(self, name: str, *, environ: Mapping[str, str] | None = None) -> Target:
        """The target, its variables resolved; ConfigError with the near miss when there is none."""
        return self._target(name, os.environ if environ is None else environ)

    def unresolved(self, name: str) -> Target:
        """The target with ``${NAME}`` where the environment would be asked: to check or list, not to run."""
        return self._target(name, None)

    def variables(self, name: str) -> list[str]:
        """The variables of the environment that the target cannot do without."""
        return list(dict.fromkeys(_variables(self._resolved(name, ()))))

    def unset_variables(self, name: str, environ: Mapping[str, str]) -> list[str]:
        return [variable for variable in self.variables(name) if not environ.get(variable)]

    def line(self, name: str) -> int:
        return self._entries[name].line

    def _target(self, name: str, environ: Mapping[str, str] | None) -> Target:
        if name not in self:
            raise ConfigError(f"unknown target `{name}`{near_miss(name, self)}", file=self.file, accepted=self)
        tree = self._resolved(name, ())
        try:
            target = Target.model_validate(self._data(name, tree), context={"environ": environ})
        except ValidationError as error:
            raise explain.first(error, tree, self.file, name, Target) from None
        if target.base_url is None and target.launch is None:
            raise ConfigError("missing key", file=self.file, line=tree.line, key=f"{name}.base_url", accepted="a URL")
        return target.with_source(tree, self.file)

    def _data(self, name: str, tree: Tree) -> dict[str, Any]:
        data = tree.plain()
        if not isinstance(data, dict):
            raise self._error("expected a mapping, found " + explain.shown(data), tree, name)
        named = tree.child("name")
        if named is not None:
            raise self._error("a target is named by its key", named, f"{name}.name")
        return {"name": name, **data}

    def _resolved(self, name: str, below: tuple[str, ...]) -> Tree:
        """The entry merged over what it extends."""
        tree = self._entries[name]
        extends = tree.child("extends")
        if extends is None:
            return tree
        parent, key = extends.value, f"{name}.extends"
        if not isinstance(parent, str) or parent not in self._entries:
            known = [each for each in self._entries if each != name]
            hint = near_miss(parent, known) if isinstance(parent, str) else ""
            raise self._error(f"unknown target {explain.shown(parent)}{hint}", extends, key, accepted=known)
        if parent in (*below, name):
            raise self._error("circular: " + " → ".join((*below, name, parent)), extends, key)
        return tree.merged_over(self._resolved(parent, (*below, name)))

    def _error(self, problem: str, tree: Tree, key: str, *, accepted: list[str] | None = None) -> ConfigError:
        return ConfigError(problem, file=self.file, line=tree.line, key=key, accepted=accepted)


def _variables(tree: Tree) -> Iterator[str]:
    if isinstance(tree.value, list):
        for item in tree.value:
            yield from _variables(item)
    if not isinstance(tree.value, dict):
        return
    env = tree.child("env")
    if env is not None and isinstance(env.value, str) and tree.child("default") is None:
        yield env.value
    for item in tree.value.values():
        yield from _variables(item)


def load_targets(path: Path | str = DEFAULT_FILE) -> Targets:
    """Read a file of targets. Only its outer shape is checked here; a target is checked when asked for."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", file=file, accepted="a file of targets, chosen with --targets FILE"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8: byte {error.start}", file=file) from None
    tree = positions.read(text, file)
    accepted = "targets: {NAME: {...}}"
    if not isinstance(tree.value, dict):
        raise ConfigError(
            f"expected a mapping, found {explain.shown(tree.plain())}", file=file, line=tree.line, accepted=accepted
        )
    for key, below in tree.value.items():
        if key != "targets":
            problem = f"unknown key{near_miss(key, ['targets'])}"
            raise ConfigError(problem, file=file, line=below.line, key=key, accepted=accepted)
    entries = tree.child("targets")
    if entries is None or not isinstance(entries.value, dict) or not entries.value:
        found = "nothing" if entries is None else explain.shown(entries.plain())
        line = None if entries is None else entries.line
        raise ConfigError(
            f"expected a mapping of targets, found {found}", file=file, line=line, key="targets", accepted=accepted
        )
    return Targets(file, entries.value)
