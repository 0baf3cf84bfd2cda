"""The published JSON Schema of reports: `python -m gateproof.report.schema > docs/schema/report.schema.json`."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from gateproof.report.load_model import LoadReport
from gateproof.report.model import Report

AnyReport = Annotated[Report | LoadReport, Field(discriminator="kind")]


def report_schema() -> dict[str, Any]:
    """Of what is written, so that fields with a default are required too."""
    schema = TypeAdapter[Report | LoadReport](AnyReport).json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "gateproof report"}


def schema_text() -> str:
    return json.dumps(report_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
