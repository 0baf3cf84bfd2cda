"""The JSON Schema of ``targets.yaml``, for editors. ``docs/schema/targets.schema.json`` is a copy of it."""

from __future__ import annotations

import json
from typing import Any

from gateproof.targets.model import Target

_NEEDED = ["stack", "models"]


def schema() -> dict[str, Any]:
    """What one file may hold. An entry that extends another may leave out what it inherits."""
    entry = Target.model_json_schema(ref_template="#/$defs/{model}")
    definitions = entry.pop("$defs")
    del entry["properties"]["name"]  # the key of the entry
    entry.pop("required", None)
    entry["anyOf"] = [{"required": ["extends"]}, {"required": _NEEDED}]
    entry["properties"]["launch"]["anyOf"].insert(0, {"enum": definitions["Launch"]["properties"]["kind"]["enum"]})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "targets.yaml",
        "type": "object",
        "additionalProperties": False,
        "required": ["targets"],
        "properties": {
            "targets": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": False,
                # A name with an underscore in front is a template, which need not be complete.
                "patternProperties": {"^_": {"type": "object"}, "^[^_]": {"$ref": "#/$defs/Target"}},
            }
        },
        "$defs": {"Target": entry, **definitions},
    }


def as_text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
