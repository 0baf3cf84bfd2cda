"""The published JSON Schemas: `python -m gateproof.compare.schema` writes both into docs/schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from gateproof.compare.model import Comparison, History

PUBLISHED: Mapping[str, tuple[type[BaseModel], str]] = {
    "comparison.schema.json": (Comparison, "gateproof comparison of load runs"),
    "history.schema.json": (History, "gateproof history of load runs"),
}
FOLDER = Path("docs/schema")


def schema_text(name: str) -> str:
    """Of what is written, so that fields with a default are required too."""
    model, title = PUBLISHED[name]
    schema = model.model_json_schema(mode="serialization")
    told = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file in PUBLISHED:
        (FOLDER / file).write_text(schema_text(file), encoding="utf-8")
