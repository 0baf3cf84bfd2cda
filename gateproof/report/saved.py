"""A run as it lies on the disk: its folder, and its ``report.json`` as the model of its kind.

Whatever is wrong with it is one ConfigError: nothing there, no report yet, half-written, no report, a newer schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateproof.errors import ConfigError
from gateproof.report.load_model import LoadReport
from gateproof.report.model import Report

REPORT = "report.json"
FACTS = "run.json"
"""What a load run writes first: a folder that has it, and no report, is that of a run without an end."""
MODELS: Mapping[str, type[Report | LoadReport]] = {"conformance": Report, "load": LoadReport}
KNOWN = (1, 0)
"""The newest schema that is read here, of both kinds."""
SHOWN_CHARACTERS = 60
"""Of a wrong value in a message: enough to recognise it."""
_ACCEPTED = "the folder of a run, such as reports/TARGET/load/latest, or its report.json"


@dataclass(frozen=True, slots=True)
class Saved:
    """One run. ``folder`` is where its report lies, as it was named."""

    folder: Path
    report: Report | LoadReport

    @property
    def name(self) -> str:
        """The stamp of the run: the name of its folder, ``latest`` resolved."""
        return self.folder.resolve().name


def read_run(path: Path) -> Saved:
    """``path`` is the folder of a run, or its ``report.json``."""
    file = path / REPORT if path.is_dir() else path
    plain = _mapping(file)
    _known_version(plain, file)
    kind = plain.get("kind")
    if not isinstance(kind, str) or kind not in MODELS:
        raise ConfigError(f"not a report of ours: {_shown(kind)}", file=file, key="kind", accepted=MODELS)
    try:
        return Saved(file.parent, MODELS[kind].model_validate_json(json.dumps(plain)))
    except ValidationError as error:
        raise _unlike(file, error) from None


def _mapping(file: Path) -> Mapping[str, Any]:
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if (file.parent / FACTS).is_file():
            problem = f"this run wrote no report: `gateproof report {file.parent}` makes it from the log"
            raise ConfigError(problem, file=file) from None
        raise ConfigError("no run is here", file=file, accepted=_ACCEPTED) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", file=file, accepted=_ACCEPTED) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"not a report of ours: no UTF-8 at byte {error.start}", file=file) from None
    except (json.JSONDecodeError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        raise ConfigError("half-written or damaged: not JSON", file=file, line=line) from None
    if not isinstance(plain, dict):
        raise ConfigError(f"not a report of ours: {_shown(plain)}", file=file)
    return plain


def _known_version(plain: Mapping[str, Any], file: Path) -> None:
    key, version = "schema_version", plain.get("schema_version")
    newest = ".".join(map(str, KNOWN))
    numbers = version.split(".") if isinstance(version, str) else []
    if len(numbers) != len(KNOWN) or not all(number.isdecimal() for number in numbers):
        raise ConfigError(f"not a report of ours: {_shown(version)}", file=file, key=key, accepted=newest)
    if tuple(map(int, numbers)) > KNOWN:
        problem = f"written by a newer gateproof: its schema is {version}"
        raise ConfigError(problem, file=file, key=key, accepted=f"up to {newest}")


def _unlike(file: Path, error: ValidationError) -> ConfigError:
    first = error.errors(include_url=False, include_context=False)[0]
    key = ".".join(str(step) for step in first["loc"]) or None
    more = f", and {error.error_count() - 1} more mistakes" if error.error_count() > 1 else ""
    return ConfigError(f"half-written or damaged: {first['msg']}{more}", file=file, key=key)


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
