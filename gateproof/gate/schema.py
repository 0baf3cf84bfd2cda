"""The published JSON Schemas: ``python -m gateproof.gate.schema gates > docs/schema/gates.schema.json``, and the same
with ``gate-result``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from gateproof.gate.model import GatesFile
from gateproof.gate.result import GateResult

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def gates_schema() -> dict[str, Any]:
    """Of what people write. It has no list of metrics: docs/gate.md has, and an unknown one is told with its line."""
    return {"$schema": DRAFT, **GatesFile.model_json_schema(mode="validation"), "title": "gateproof gates"}


def result_schema() -> dict[str, Any]:
    """Of what is written, so that fields with a default are required too."""
    return {"$schema": DRAFT, **GateResult.model_json_schema(mode="serialization"), "title": "gateproof gate result"}


SCHEMAS: Mapping[str, Any] = {"gates": gates_schema, "gate-result": result_schema}


def schema_text(name: str) -> str:
    return json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text(sys.argv[1]))
