"""OTLP metrics as JSON: an ``ExportMetricsServiceRequest`` in the JSON mapping of OTLP/HTTP.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: keys in lowerCamelCase, 64-bit integers as decimal
strings. A distribution is a ``Summary``: the only kind that says quantiles, and one run is never merged with another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateproof.report.export_metrics import Exported, Family, Quantiles, Summary, Value

CONTENT_TYPE = "application/json"
SCOPE = "gateproof"
NS = 1_000_000_000


def text(told: Exported) -> str:
    """The request as it is sent, with a line end."""
    return json.dumps(request(told), ensure_ascii=False, indent=1) + "\n"


def request(told: Exported) -> dict[str, Any]:
    """``service.name`` is what was tested, as dashboards expect it."""
    resource = {
        "service.name": told.common["target"],
        **{f"gateproof.{label}": value for label, value in told.common.items()},
    }
    scope = {"name": SCOPE, "version": told.suite_version}
    metrics = [_metric(family, told) for family in told.families]
    scoped = [{"scope": scope, "metrics": metrics}]
    return {"resourceMetrics": [{"resource": {"attributes": _attributes(resource)}, "scopeMetrics": scoped}]}


def _metric(family: Family, told: Exported) -> dict[str, Any]:
    times = {"startTimeUnixNano": _nano(told.began), "timeUnixNano": _nano(told.ended)}
    if isinstance(family, Summary):
        points = [{**_summary(each), **times} for each in family.values]
    else:
        points = [{**_number(each), **times} for each in family.values]
    about = {"name": family.name, "description": family.help, "unit": family.unit}
    return {**about, family.kind: {"dataPoints": points}}


def _number(each: Value) -> dict[str, Any]:
    value = {"asInt": str(each.value)} if isinstance(each.value, int) else {"asDouble": each.value}
    return {"attributes": _attributes(each.labels), **value}


def _summary(each: Quantiles) -> dict[str, Any]:
    values = [{"quantile": share, "value": value} for share, value in each.quantiles.items()]
    return {
        "attributes": _attributes(each.labels),
        "count": str(each.count),
        "sum": each.sum,
        "quantileValues": values,
    }


def _attributes(labels: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in labels.items()]


def _nano(seconds: float) -> str:
    return str(round(seconds * NS))
