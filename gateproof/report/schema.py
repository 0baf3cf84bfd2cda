"""The published JSON Schema: `python -m gateproof.report.schema > docs/schema/conformance-report.schema.json`."""

from __future__ import annotations

import json
import sys
from typing import Any

from gateproof.report.model import Report


def conformance_schema() -> dict[str, Any]:
    """Of what is written, so that fields with a default are required too."""
    schema = Report.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "gateproof conformance report",
    }


def schema_text() -> str:
    return json.dumps(conformance_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
